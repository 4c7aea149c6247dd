"""The peer propinfer (extra ``benchmarks``), which trains models and attacks one after another."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier
from torch import nn

from benchmarks._hartmann import EXPERIMENTS

N_MODELS = 1024 + 2048  # targets and shadow models per setting of the paper
N_REPEATS = 100  # attacks of each kind per setting


def train_mlp(
    dataset: tuple[np.ndarray, np.ndarray],
    width: int,
    *,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
) -> Any:
    """Train a regressor of one hidden layer with propinfer."""
    from propinfer import MLP

    X, y = dataset
    hyperparameters = {
        "input_size": X.shape[1], "n_classes": 1, "layers": [width], "epochs": epochs,
        "learning_rate": learning_rate, "weight_decay": weight_decay, "batch_size": batch_size,
        "normalise": False,
    }  # fmt: skip
    return MLP("y", hyperparameters).fit(pd.DataFrame(X).add_prefix("x").assign(y=y))


def train_module(dataset: tuple[np.ndarray, np.ndarray], width: int, **options: Any) -> nn.Module:
    """Train a regressor with propinfer, and return its module."""
    return train_mlp(dataset, width, **options).model


def measure_propinfer(quick: bool) -> pd.DataFrame:
    """Time propinfer on a few models and attacks; extrapolate to the five experiments.

    If ``quick``, attacks have 64 shadow models instead of 1,024.
    """
    from propinfer.deepsets import DeepSets

    n_shadows = 64 if quick else 1024
    family = next(iter(EXPERIMENTS["a"](0))).family
    rng = np.random.default_rng(0)
    datasets = [family.sample(i % 2, 2048, i)[:2] for i in range(6)]
    models: list[Any] = []
    model_seconds = _seconds(
        lambda: models.extend(
            train_mlp(dataset, 32, epochs=20, learning_rate=1e-3, weight_decay=1e-4, batch_size=32)
            for dataset in datasets
        )
    ) / len(datasets)
    parameters = [models[i % len(models)].parameters() for i in range(n_shadows)]
    labels = rng.integers(2, size=n_shadows)
    deep_sets = DeepSets(parameters[0], latent_dim=8, epochs=20, lr=1e-3, wd=1e-4, n_classes=2)
    responses = rng.normal(size=(n_shadows, 1024)) + labels[:, None]
    perceptron = MLPClassifier((128, 64), max_iter=1024, early_stopping=True, random_state=0)
    n_settings = sum(1 for make in EXPERIMENTS.values() for _ in make(0))
    measured = {
        "model of experiment A": (model_seconds, N_MODELS),
        f"white-box attack, {n_shadows} shadows": (
            _seconds(lambda: deep_sets.fit(parameters, labels)), N_REPEATS,
        ),
        f"black-box attack, {n_shadows} shadows": (
            _seconds(lambda: perceptron.fit(responses, labels)), N_REPEATS,
        ),
    }  # fmt: skip
    return pd.DataFrame(
        {
            "propinfer": name,
            "seconds": seconds,
            "needed": n_settings * times,
            "hours in all": seconds * n_settings * times / 3600,
        }
        for name, (seconds, times) in measured.items()
    )


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
