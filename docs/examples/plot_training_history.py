"""
What an autoencoder learns, epoch by epoch
==========================================

The loss of :class:`wsl.WeightSpaceAutoencoder` has three terms: how far rebuilt weights are from
the original ones, how differently the rebuilt network behaves, and how well copies of a model with
permuted units are distinguished from other models.
"""

import matplotlib.pyplot as plt

from wsl import WeightSpaceAutoencoder
from wsl.datasets import load_digits_zoo
from wsl.displays import TrainingHistoryDisplay

digits = load_digits_zoo(n_models=64, epochs=15)
autoencoder = WeightSpaceAutoencoder(
    digits.zoo.architecture,
    queries=digits.X_train,
    code="linear",
    latent_dim=4,
    d_model=32,
    n_layers=1,
    epochs=20,
    learning_rate=3e-3,
    validation_fraction=0.2,
    random_state=0,
).fit(digits.zoo.weights)

# %%
# Training improves behavior at the expense of structure: weights that are close are not what makes
# a rebuilt network work. A fifth of the models is held out: where the dashed lines stop falling,
# further epochs fit the training models only.
TrainingHistoryDisplay.from_estimator(autoencoder)
plt.show()
