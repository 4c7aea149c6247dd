"""Other defences that a practitioner would try, as learners that train many models at once.

Each has the method ``fit_zoo`` that ``wsl.audit`` calls, and uses no causal knowledge. Labels are 0
and 1.
"""

import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor, nn

from wsl import (
    Architecture,
    CausalMitigatedClassifier,
    CausalMitigatedRegressor,
    ModelZoo,
    train_zoo,
)

Datasets = Callable[[int], tuple[Any, ...]]
SMOOTHING = 0.3
NOISE = 0.1


def add_noise(zoo: ModelZoo, seed: Any, fraction: float = NOISE) -> ModelZoo:
    """Add Gaussian noise, by a fraction of the standard deviation of each model's weights."""
    rng = np.random.default_rng(seed)
    scale = fraction * zoo.weights.std(axis=1, keepdims=True)
    return ModelZoo(
        zoo.weights + scale * rng.normal(size=zoo.weights.shape), zoo.architecture, zoo.metadata
    )


class NoisyRegressor(CausalMitigatedRegressor):
    """The mitigated estimator with noise on its weights."""

    def fit_zoo(self, datasets: Datasets, n_models: int, *, n_jobs: int | None = None) -> ModelZoo:
        return add_noise(super().fit_zoo(datasets, n_models, n_jobs=n_jobs), self.random_state)


class NoisyClassifier(CausalMitigatedClassifier):
    """The mitigated estimator with noise on its weights."""

    def fit_zoo(self, datasets: Datasets, n_models: int, *, n_jobs: int | None = None) -> ModelZoo:
        return add_noise(super().fit_zoo(datasets, n_models, n_jobs=n_jobs), self.random_state)


def smooth_labels(outputs: Tensor, targets: Tensor, members: Tensor, loss: Any) -> Tensor:
    """Return the term that smoothed labels add to the binary loss, for a smoothing of 1.

    With z the logit, the loss against y (1 - s) + s / 2 is the loss against y plus s (y - 1/2) z.
    """
    added = (outputs * (targets - 0.5))[..., 0]
    return (members * added).sum(-1).mean(0)


def as_one_environment(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return a training set of one environment, for a penalty that ignores environments."""
    return X, y, np.zeros(len(y), dtype=int)


class _Perceptron(ClassifierMixin, BaseEstimator):
    def __init__(
        self, hidden_layer_sizes=(32,), *, epochs=30, batch_size=128, learning_rate=1e-2,
        weight_decay=1e-4, random_state=None,
    ):  # fmt: skip
        self.hidden_layer_sizes = hidden_layer_sizes
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state


class SmoothedClassifier(_Perceptron):
    """A perceptron on smoothed labels."""

    def fit_zoo(self, datasets: Datasets, n_models: int, *, n_jobs: int | None = None) -> ModelZoo:
        architecture = Architecture.mlp(datasets(0)[0].shape[1], self.hidden_layer_sizes, 1)
        return train_zoo(
            architecture, lambda model: as_one_environment(*datasets(model)[:2]),
            n_models=n_models, loss="binary", epochs=self.epochs, batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay, penalty=smooth_labels, penalty_weight=SMOOTHING,
            random_state=self.random_state, n_jobs=n_jobs, device="cpu",
        )  # fmt: skip


class PrivateClassifier(_Perceptron):
    """A perceptron trained by DP-SGD with opacus, one model at a time per worker.

    Gradients are clipped at 1, and noise gives epsilon 3 at delta 1e-4 for the presence of a row.
    """

    epsilon, delta = 3.0, 1e-4

    def fit_zoo(self, datasets: Datasets, n_models: int, *, n_jobs: int | None = None) -> ModelZoo:
        architecture = Architecture.mlp(datasets(0)[0].shape[1], self.hidden_layer_sizes, 1)
        start = train_zoo(
            architecture, datasets(0)[:2], n_models=n_models, loss="binary", epochs=1,
            learning_rate=1e-12, random_state=self.random_state, device="cpu",
        )  # fmt: skip
        seeds = np.random.default_rng(self.random_state).integers(2**31, size=n_models)
        modules = joblib.Parallel(n_jobs=n_jobs)(
            joblib.delayed(self._train)(architecture.module(row).train(), *datasets(i)[:2], int(s))
            for i, (row, s) in enumerate(zip(start.weights, seeds, strict=True))
        )
        return ModelZoo(architecture.flatten(modules), architecture)

    def _train(self, module: nn.Module, X: np.ndarray, y: np.ndarray, seed: int) -> nn.Module:
        from opacus import PrivacyEngine

        generator = torch.Generator().manual_seed(seed)
        data = torch.utils.data.TensorDataset(
            torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
        )
        loader = torch.utils.data.DataLoader(data, self.batch_size, generator=generator)
        optimizer = torch.optim.Adam(module.parameters(), lr=self.learning_rate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its noise is not cryptographically secure
            private, optimizer, loader = PrivacyEngine(accountant="rdp").make_private_with_epsilon(
                module=module, optimizer=optimizer, data_loader=loader, epochs=self.epochs,
                target_epsilon=self.epsilon, target_delta=self.delta, max_grad_norm=1.0,
                noise_generator=generator,
            )  # fmt: skip
            loss = nn.BCEWithLogitsLoss()
            for _ in range(self.epochs):
                for inputs, labels in loader:
                    if not len(inputs):
                        continue
                    optimizer.zero_grad()
                    loss(private(inputs)[:, 0], labels).backward()
                    optimizer.step()
        return module  # opacus trains the weights of the wrapped module
