"""``DeepSetsClassifier`` and ``DeepSetsRegressor``: a property of a model, read from its weights.

The network lives in ``_network``, its training in ``_training``.
"""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from .._device import resolve_device
from .._random import resolve_random_state, scoped_torch_seed
from .._sklearn_compat import Interval, fit_context
from .._validation import check_n_columns, owned_tensor
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._layers import cut_layers, row_as_element, standardization
from ._network import DeepSets
from ._training import TrainingSettings, outputs, train


class _BaseDeepSets(BaseEstimator):
    """Parameters, checks and training that both estimators share."""

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [Architecture, None],
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
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

    def __init__(
        self,
        architecture=None,
        *,
        latent_dim=8,
        hidden=64,
        dropout=0.0,
        epochs=20,
        batch_size=32,
        learning_rate=1e-2,
        weight_decay=1e-4,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.architecture = architecture
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _check_columns(self, rows: np.ndarray) -> None:
        if self.architecture is not None:
            check_n_columns(rows, self.architecture.n_weights, "X")

    def _train(self, rows, targets, n_outputs: int, loss: type[nn.Module]) -> None:
        """Train on ``rows (n_models, n_weights)``, ``targets (n_models, ...)``; sets ``net_``."""
        device = resolve_device(self.device)
        rng = resolve_random_state(self.random_state)
        layers = (
            row_as_element(rows.shape[1])
            if self.architecture is None
            else cut_layers(self.architecture)
        )
        shift, scale = standardization(rows, layers)
        settings = TrainingSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            verbose=int(self.verbose),
        )
        with scoped_torch_seed(rng, device):
            network = DeepSets(
                layers,
                n_outputs,
                owned_tensor(shift),
                owned_tensor(scale),
                latent_dim=self.latent_dim,
                hidden=self.hidden,
                dropout=self.dropout,
            )
            wanted = torch.as_tensor(targets).to(device)
            self.net_ = train(network, rows, wanted, loss, settings, rng)

    def _outputs(self, X) -> np.ndarray:
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float32)
        return outputs(self.net_, rows)


class DeepSetsClassifier(ClassifierMixin, _BaseDeepSets):
    """A classifier of models that reads their weights layer by layer as sets of units.

    The meta-classifier of the white-box attack: reordering the hidden units of a model changes
    nothing of what it says, where the architecture is a plain chain of layers.

    Parameters
    ----------
    architecture : Architecture, optional
        What a row of weights means. Without one, the row is one set with one element.
    latent_dim : int, default=8
        Numbers that stand for a unit of a layer.
    hidden : int, default=64
        Width of the hidden layer that computes them.
    dropout : float, default=0.0
        Share of a model's representation left out at each training step. The published attack
        uses 0.5; here it cost up to eight points of accuracy and gained less than one.
    epochs, batch_size : int, default=20 and 32
        Passes over the shadow models, and how many stand in one step. Steps of 16 pay with a few
        hundred models or fewer.
    learning_rate : float, default=1e-2
        The highest rate of one cycle of Adam.
    weight_decay : float, default=1e-4
    device : str or torch.device, default="auto"
        Where it is trained: cuda, then mps, then cpu. Predictions are made on the CPU.
    random_state : int, RandomState, Generator or None, default=None
    verbose : int, default=0
        Above 0, one line an epoch.

    Attributes
    ----------
    classes_ : ndarray ``(n_classes,)``
    net_ : skorch.NeuralNet
        The trained network, with its ``history``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If X has another number of columns than the architecture has weights, or y holds one class.

    Notes
    -----
    X may be a float32 memory map larger than memory: it is read in batches. Up to 256 MiB are
    copied to the device for the time of ``fit``.

    References
    ----------
    K. Ganju, Q. Wang, W. Yang, C. Gunter and N. Borisov, "Property Inference Attacks on Fully
    Connected Neural Networks using Permutation Invariant Representations", CCS 2018, section 4.3.

    V. Hartmann, L. Meynent, M. Peyrard, D. Dimitriadis, S. Tople and R. West, "Distribution
    Inference Risks: Identifying and Mitigating Sources of Leakage", SaTML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, DeepSetsClassifier
    >>> architecture = Architecture.mlp(2, [4], 1)
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 100)
    >>> X = rng.normal(size=(200, architecture.n_weights)) + y[:, None]
    >>> attack = DeepSetsClassifier(architecture, random_state=0).fit(X, y)
    >>> attack.score(X, y) > 0.95
    True
    """

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


class DeepSetsRegressor(RegressorMixin, _BaseDeepSets):
    """A regressor of models that reads their weights layer by layer as sets of units.

    Parameters and references are those of :class:`DeepSetsClassifier`; the loss is the squared
    error of the standardised targets, of which there may be several.

    Parameters
    ----------
    architecture : Architecture, optional
        What a row of weights means. Without one, the row is one set with one element.
    latent_dim : int, default=8
        Numbers that stand for a unit of a layer.
    hidden : int, default=64
        Width of the hidden layer that computes them.
    dropout : float, default=0.0
        Share of a model's representation left out at each training step.
    epochs, batch_size : int, default=20 and 32
        Passes over the shadow models, and how many stand in one step.
    learning_rate : float, default=1e-2
        The highest rate of one cycle of Adam.
    weight_decay : float, default=1e-4
    device : str or torch.device, default="auto"
        Where it is trained: cuda, then mps, then cpu. Predictions are made on the CPU.
    random_state : int, RandomState, Generator or None, default=None
    verbose : int, default=0
        Above 0, one line an epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained network, with its ``history``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If X has another number of columns than the architecture has weights.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, DeepSetsRegressor
    >>> architecture = Architecture.mlp(2, [4], 1)
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(size=200)
    >>> X = rng.normal(size=(200, architecture.n_weights)) + 4 * y[:, None]
    >>> DeepSetsRegressor(architecture, random_state=0).fit(X, y).score(X, y) > 0.8
    True
    """

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
