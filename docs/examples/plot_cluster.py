"""
A zoo trained on a cluster
==========================

:func:`wsl.train_zoo` spreads its work with joblib, so a Dask cluster takes the place of local
processes without another line. The cluster here is a local one;
``Client("scheduler-address:8786")`` connects to one of many machines. Install it with
``pip install "weight-space-learning[cluster]"``.
"""

import tempfile

import joblib
import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client, LocalCluster

from wsl import Architecture, ModelZoo, train_zoo
from wsl.datasets import load_digits_zoo

digits = load_digits_zoo(n_models=64, epochs=15)
learning_rates = np.geomspace(1e-4, 1e-1, 128)

# %%
# Each finished chunk of models is written into a folder. If the run is interrupted, the same call
# trains only what is missing. A model's weights do not depend on where it was trained.
folder = tempfile.TemporaryDirectory()
cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
with cluster, Client(cluster), joblib.parallel_config(backend="dask"):
    train_zoo(
        Architecture.mlp(64, [16], 10),
        (digits.X_train, digits.y_train),
        n_models=len(learning_rates),
        learning_rate=learning_rates,
        epochs=10,
        batch_size=64,
        test_set=(digits.X_test, digits.y_test),
        chunk_size=16,
        out=folder.name,
        random_state=0,
    )
zoo = ModelZoo.load(folder.name)
folder.cleanup()

# %%
# One zoo answers a question that a single model cannot: how accuracy depends on the learning rate.
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
ax.semilogx(zoo.metadata["learning_rate"], zoo.metadata["test_accuracy"], ".")
ax.set(xlabel="learning rate", ylabel="test accuracy after 10 epochs")
plt.show()
