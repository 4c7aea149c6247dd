"""What estimators that are a meta-network share: checks, targets, training, prediction.

Their networks and parameters live with each of them; the training loop lives in ``_training``.
"""

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from ..._device import resolve_device
from ..._random import resolve_random_state, scoped_torch_seed
from ..._sklearn_compat import Interval, fit_context
from ..._validation import check_n_columns
from ...exceptions import InvalidInputError
from ._deepsets_network import MetaNetwork
from ._meta_training import MetaTrainingConfig, outputs, train

TRAINING_CONSTRAINTS: dict[str, Any] = {
    "hidden": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 2, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "device": [str, torch.device],
    "random_state": ["random_state", np.random.Generator],
    "verbose": ["verbose"],
}


class MetaNetworkEstimator(BaseEstimator):
    """An estimator of rows of weights that is a network; the constructor is the subclass's."""

    @abstractmethod
    def _network(self, rows: np.ndarray, n_outputs: int) -> MetaNetwork:
        """Return the network for ``rows (n_models, n_weights)``, not trained."""

    def _check_columns(self, rows: np.ndarray) -> None:
        if self.architecture is not None:
            check_n_columns(rows, self.architecture.n_weights, "X")

    def _train(self, rows, targets, n_outputs: int, loss: type[nn.Module]) -> None:
        """Train on ``rows (n_models, n_weights)``, ``targets (n_models, ...)``; sets ``net_``."""
        device = resolve_device(self.device)
        rng = resolve_random_state(self.random_state)
        settings = MetaTrainingConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            verbose=int(self.verbose),
        )
        with scoped_torch_seed(rng, device):
            network = self._network(rows, n_outputs)
            wanted = torch.as_tensor(targets).to(device)
            self.net_ = train(network, rows, wanted, loss, settings, rng)

    def _outputs(self, X) -> np.ndarray:
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float32)
        return outputs(self.net_, rows)


class MetaClassifier(ClassifierMixin, MetaNetworkEstimator):
    """A meta-network whose outputs are the scores of classes."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train on models ``X (n_models, n_weights)`` with the property ``y (n_models,)``."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        self._check_columns(X)
        self.classes_, labels = classes_of(y)
        self._train(X, labels, len(self.classes_), nn.CrossEntropyLoss)
        return self

    def predict_proba(self, X):
        """Return probabilities ``(n_models, n_classes)``, columns as in ``classes_``."""
        return softmax(self._outputs(X), axis=1)

    def predict(self, X):
        """Return the likeliest class of each model, ``(n_models,)``."""
        scores = self._outputs(X)
        return self.classes_[scores.argmax(axis=1)]


class MetaRegressor(RegressorMixin, MetaNetworkEstimator):
    """A meta-network whose outputs are the standardised targets."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train on shadow models.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``
        y : array-like ``(n_models,)`` or ``(n_models, n_targets)``
        """
        X, y = validate_data(
            self, X, y, dtype=np.float32, y_numeric=True, multi_output=True, ensure_min_samples=2
        )
        self._check_columns(X)
        targets = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
        self._target_shape = y.shape[1:]
        self._target_mean = targets.mean(axis=0)
        deviation = targets.std(axis=0)
        self._target_scale = np.where(deviation > 0, deviation, 1.0)
        standardized = (targets - self._target_mean) / self._target_scale
        self._train(X, standardized.astype(np.float32), targets.shape[1], nn.MSELoss)
        return self

    def predict(self, X):
        """Return the property of each model, ``(n_models,)`` or ``(n_models, n_targets)``."""
        targets = self._outputs(X) * self._target_scale + self._target_mean
        return targets.reshape(len(targets), *self._target_shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def classes_of(y) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes and the place of each label among them; InvalidInputError if one class."""
    check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise InvalidInputError(
            f"y holds one class, {classes[0]!r}; wanted models of two classes or more"
        )
    return classes, labels
