"""
A folder of checkpoints
=======================

Networks that a PyTorch loop has trained and saved are read as a zoo, without running any code in
the files. All models then run at once, and every estimator takes them as rows.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import nn

from wsl import Architecture, metrics, read_zoo
from wsl.datasets import load_digits_zoo

digits = load_digits_zoo(n_models=64, epochs=15)
X, y = torch.from_numpy(digits.X_train), torch.from_numpy(digits.y_train)

# %%
# An ordinary training loop, as you have it already: eight networks, from different seeds, saved
# after each epoch.
folder = tempfile.TemporaryDirectory()
for seed in range(8):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(8):
        for batch in torch.randperm(len(X)).split(64):
            loss = nn.functional.cross_entropy(net(X[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        torch.save(net.state_dict(), Path(folder.name) / f"seed{seed}_epoch{epoch}.pt")

# %%
# State dicts hold weights only. What they mean is said once: by an architecture, which any network
# of that shape gives.
zoo = read_zoo(folder.name, Architecture(net))
folder.cleanup()
zoo

# %%
# The files' names tell seed and epoch.
parts = zoo.metadata["model"].str.extract(r"seed(?P<seed>\d+)_epoch(?P<epoch>\d+)").astype(int)
zoo.metadata[["seed", "epoch"]] = parts
zoo.metadata["test_accuracy"] = zoo.accuracy(digits.X_test, digits.y_test)

# %%
# On the left, accuracy by epoch. On the right, how often networks of different seeds predict the
# same class after the last epoch: they make different mistakes.
last = zoo[zoo.metadata["epoch"] == 7]
outputs = last.forward(digits.X_test)
agreement = [
    [metrics.agreement(outputs[[i]], outputs[[j]]) for j in range(len(last))]
    for i in range(len(last))
]
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for seed, rows in zoo.metadata.sort_values("epoch").groupby("seed"):
    left.plot(rows["epoch"] + 1, rows["test_accuracy"], label=f"seed {seed}")
left.set(xlabel="epoch", ylabel="test accuracy")
left.legend(frameon=False)
image = right.imshow(agreement, vmin=0.9, vmax=1)
right.set(xlabel="seed", ylabel="seed", title="agreement after the last epoch")
fig.colorbar(image, ax=right)
plt.show()
