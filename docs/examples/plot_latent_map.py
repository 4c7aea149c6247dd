"""
A map of a zoo
==============

An autoencoder embeds each trained model as a point. Here 64 small networks, trained on the same
handwritten digits with different hyper-parameters and kept after 1, 3 and 15 epochs, are drawn by
the two directions in which their embeddings vary most.
"""

import matplotlib.pyplot as plt

from wsl import WeightSpaceAutoencoder
from wsl.datasets import load_digits_zoo
from wsl.displays import LatentDisplay

# %%
# The zoo is trained on first use and kept. Its metadata say how each model was trained and how
# well it classifies digits that it has not seen.
zoo = load_digits_zoo(n_models=64, epochs=15, checkpoints=[1, 3, 15]).zoo
zoo.metadata[["model", "epoch", "learning_rate", "test_accuracy"]].head()

# %%
# For a map, a closed-form code of the weights is enough: ``beta=1`` compares weights alone, and
# ``epochs=0`` trains nothing further. No accuracy, epoch or hyper-parameter is shown to it.
autoencoder = WeightSpaceAutoencoder(
    zoo.architecture, beta=1.0, latent_dim=4, epochs=0, random_state=0
).fit(zoo.weights)
autoencoder

# %%
# Still, the first direction is that of training: models move along it from epoch to epoch, and
# those that have come far are accurate.
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
epochs = zoo.metadata["epoch"].astype(str).str.zfill(2)
LatentDisplay.from_estimator(autoencoder, zoo.weights, epochs, ax=axes[0])
LatentDisplay.from_estimator(autoencoder, zoo.weights, zoo.metadata["test_accuracy"], ax=axes[1])
plt.show()
