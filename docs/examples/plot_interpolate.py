"""
Between two networks
====================

Halfway between two trained networks, what is there? The average of their weights hardly works,
since hidden units have no order of their own: unit 3 of one network may do what unit 7 of the other
does.
"""

import matplotlib.pyplot as plt
import numpy as np

from wsl import WeightSpaceAutoencoder
from wsl.datasets import load_digits_zoo

digits = load_digits_zoo(n_models=64, epochs=15)
architecture = digits.zoo.architecture
autoencoder = WeightSpaceAutoencoder(
    architecture,
    queries=digits.X_train,
    align="reference",
    epochs=0,
    random_state=0,
).fit(digits.zoo.weights[digits.train])

# %%
# Two accurate models of the test part are the ends. Three ways lead from one to the other: the
# straight line between their weights; the same after the second model's units were put into the
# order of the first's, which changes no output; and the straight line between their latents.
candidates = digits.zoo[digits.test]
first, second = candidates.weights[candidates.metadata["train_accuracy"].nlargest(2).index]
steps = np.linspace(0, 1, 21)[:, None]


def line(start, end):
    """Return the models on the straight line between two rows."""
    return (1 - steps) * start + steps * end


matched = architecture.canonicalize(second[None], reference=first)[0]
latents = autoencoder.transform(np.stack([first, second]))
ways = {
    "weights": line(first, second),
    "weights, units matched": line(first, matched),
    "latents": autoencoder.inverse_transform(line(*latents)),
}

# %%
# All models of a way run at once. Matching the units helps most, though not all the way. The
# latents rebuild both ends well, but a straight line between them leaves the good models early. So
# :meth:`wsl.WeightSpaceAutoencoder.sample` draws close to single models, not between them.
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, rows in ways.items():
    outputs = architecture.forward(rows, digits.X_test)
    ax.plot(steps[:, 0], (outputs.argmax(axis=2) == digits.y_test).mean(axis=1), label=name)
ax.set_xlabel("position between the two models")
ax.set_ylabel("test accuracy")
ax.legend(frameon=False)
plt.show()
