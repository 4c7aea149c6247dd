"""Base classes of estimators that are meta-networks: checks, targets, training, prediction."""

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..._device import resolve_device
from ..._diverged import check_finite, fitted_models
from ..._estimator_input import checked_data
from ..._random import resolve_random_state, torch_generator
from ..._sklearn_compat import DocumentedEstimator, Interval, fit_context
from ..._torch_defaults import torch_defaults
from ..._validation import check_n_columns
from ...exceptions import InvalidInputError
from ._deepsets_network import MetaNetwork
from ._meta_training import MetaTrainingConfig, outputs, train

TRAINING_CONSTRAINTS: dict[str, Any] = {
    "hidden_layer_sizes": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 2, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "device": [str, torch.device],
    "random_state": ["random_state", np.random.Generator],
    "verbose": ["verbose"],
}


class MetaNetworkEstimator(DocumentedEstimator):
    """An estimator of rows of weights that is a network; subclasses define the constructor."""

    @abstractmethod
    def _network(self, rows: np.ndarray, n_outputs: int, generator: torch.Generator) -> MetaNetwork:
        """Return the untrained network for ``rows (n_models, n_weights)``."""

    def _check_columns(self, rows: np.ndarray) -> None:
        if self.architecture is not None:
            check_n_columns(rows, self.architecture.n_weights, "X")

    def _check_models(self, rows: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the models of ``fit`` and their targets without diverged models; warn of these.

        One of them would ruin the batch normalisation of the others.
        """
        self._check_columns(rows)
        fitted = fitted_models(rows)
        return rows[fitted], y[fitted]

    @torch_defaults()
    def _train(self, rows, targets, n_outputs: int, loss: type[nn.Module]) -> None:
        """Train on ``rows (n_models, n_weights)``, ``targets (n_models, ...)``; sets ``net_``."""
        device = resolve_device(self.device)
        rng = resolve_random_state(self.random_state)
        config = MetaTrainingConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            verbose=int(self.verbose),
        )
        network = self._network(rows, n_outputs, torch_generator(rng))
        targets = torch.as_tensor(targets).to(device)
        self.net_ = train(network, rows, targets, loss, config, rng)

    def _outputs(self, X) -> np.ndarray:
        check_is_fitted(self, "net_")
        rows = checked_data(self, X, reset=False)
        return check_finite(outputs(self.net_, rows))


class MetaClassifier(ClassifierMixin, MetaNetworkEstimator):
    """A meta-network whose outputs are class scores."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train on models of known property.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.
        y : array-like of shape (n_models,)
            The property of each model, at least two different values.

        Returns
        -------
        object
            The fitted estimator itself.

        Raises
        ------
        InvalidInputError
            If X has another number of columns than the architecture has weights, or y holds a
            single class.
        """
        X, y = checked_data(self, X, y)
        X, y = self._check_models(X, y)
        classes, labels = encode_classes(y)
        self._train(X, labels, len(classes), nn.CrossEntropyLoss)
        self.classes_ = classes
        return self

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models, n_classes)
            Probabilities, columns in the order of ``classes_``.
        """
        return softmax(self._outputs(X), axis=1)

    def predict(self, X):
        """Predict the most probable class of each model.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models,)
            The predicted classes.
        """
        scores = self._outputs(X)
        return self.classes_[scores.argmax(axis=1)]


class MetaRegressor(RegressorMixin, MetaNetworkEstimator):
    """A meta-network whose outputs are standardised targets."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train on models of known targets.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.
        y : array-like of shape (n_models,) or (n_models, n_targets)
            The targets of each model.

        Returns
        -------
        object
            The fitted estimator itself.

        Raises
        ------
        InvalidInputError
            If X has another number of columns than the architecture has weights.
        """
        X, y = checked_data(self, X, y, y_numeric=True, multi_output=True, ensure_min_samples=2)
        X, y = self._check_models(X, y)
        targets = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
        mean, deviation = targets.mean(axis=0), targets.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
        standardized = (targets - mean) / scale
        self._train(X, standardized.astype(np.float32), targets.shape[1], nn.MSELoss)
        self._target_shape, self._target_mean, self._target_scale = y.shape[1:], mean, scale
        return self

    def predict(self, X):
        """Predict the targets of models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models,) or (n_models, n_targets)
            The predicted targets.
        """
        targets = self._outputs(X) * self._target_scale + self._target_mean
        return targets.reshape(len(targets), *self._target_shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def encode_classes(y) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes and the class index of each label; raise if there is one class only."""
    check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise InvalidInputError(
            f"y must contain at least two classes; got one class, {classes[0]!r}."
        )
    return classes, labels
