"""DeepSets estimators: a property of a model, predicted from its weights."""

from numbers import Integral
from typing import ClassVar

import numpy as np
import torch

from ..._sklearn_compat import Interval
from ..._validation import check_hidden_layer_sizes, owned_tensor
from ...architectures import Architecture
from ._base import TRAINING_CONSTRAINTS, MetaClassifier, MetaRegressor
from ._deepsets_network import DeepSets
from ._unit_sets import cut_layers, row_as_element, standardization


class _DeepSetsParameters:
    """The constructor of both estimators and the network that it describes."""

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [Architecture, None],
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        architecture=None,
        *,
        latent_dim=8,
        hidden_layer_sizes=64,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _network(self, rows: np.ndarray, n_outputs: int, generator: torch.Generator) -> DeepSets:
        layers = (
            row_as_element(rows.shape[1])
            if self.architecture is None
            else cut_layers(self.architecture)
        )
        shift, scale = standardization(rows, layers)
        return DeepSets(
            layers,
            n_outputs,
            owned_tensor(shift),
            owned_tensor(scale),
            latent_dim=self.latent_dim,
            hidden_layer_sizes=check_hidden_layer_sizes(self.hidden_layer_sizes, n_min=1),
            dropout=self.dropout,
            generator=generator,
        )


class DeepSetsClassifier(_DeepSetsParameters, MetaClassifier):
    """Classify models by their weights, read layer by layer as sets of units.

    The meta-classifier of the white-box attack of Ganju et al. [1]_. Permuting the hidden units of
    a model does not change its prediction if the architecture is a plain chain of layers.

    Parameters
    ----------
    architecture : Architecture, default=None
        The network that a row of weights belongs to. If None, the row is a set with one element.
    latent_dim : int, default=8
        Dimensions of the representation of a unit.
    hidden_layer_sizes : int or sequence of int, default=64
        Widths of the hidden layers that compute the representation of a unit.
    dropout : float, default=0.0
        Fraction of a model's representation that is dropped in each training step. The published
        attack uses 0.5; on small populations of models no dropout works better.
    epochs : int, default=20
        Passes over the models.
    batch_size : int, default=32
        Models per step. With a few hundred models or fewer, 16 works better, as it gives more
        steps.
    learning_rate : float, default=1e-2
        The highest learning rate of the one-cycle schedule, with Adam.
    weight_decay : float, default=1e-4
        L2 penalty of Adam on the network's weights.
    device : str or torch.device, default="auto"
        Device of the training; ``"auto"`` is cuda, then mps, then cpu. Predictions run on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the initial weights and of the order of the batches.
    verbose : int, default=0
        If above 0, print one line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The values of the property.
    net_ : skorch.NeuralNet
        The trained network, with its ``history``.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if X had any.

    Raises
    ------
    InvalidInputError
        If X has another number of columns than the architecture has weights, or y holds a single
        class.

    See Also
    --------
    DeepSetsRegressor : The same for continuous targets.
    ProbeClassifier : Reads the responses of models to learned inputs instead of their weights.
    DistributionInferenceAttack : Uses this network with ``strategy="deepsets"``.

    Notes
    -----
    X may be a float32 memory map larger than memory: it is read in batches. Up to 256 MiB are
    copied to the device during ``fit``.

    References
    ----------
    .. [1] K. Ganju, Q. Wang, W. Yang, C. Gunter and N. Borisov, "Property Inference Attacks on
       Fully Connected Neural Networks using Permutation Invariant Representations", CCS 2018,
       section 4.3.
    .. [2] V. Hartmann, L. Meynent, M. Peyrard, D. Dimitriadis, S. Tople and R. West, "Distribution
       Inference Risks: Identifying and Mitigating Sources of Leakage", SaTML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, DeepSetsClassifier
    >>> architecture = Architecture.mlp(2, [4], 1)
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 100)
    >>> X = rng.normal(size=(200, architecture.n_weights)) + y[:, None]
    >>> classifier = DeepSetsClassifier(architecture, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.95
    True
    """


class DeepSetsRegressor(_DeepSetsParameters, MetaRegressor):
    """Predict continuous targets of models from their weights, read as sets of units.

    The counterpart of :class:`DeepSetsClassifier` for one or several continuous targets; the loss
    is the squared error of the standardised targets.

    Parameters
    ----------
    architecture : Architecture, default=None
        The network that a row of weights belongs to. If None, the row is a set with one element.
    latent_dim : int, default=8
        Dimensions of the representation of a unit.
    hidden_layer_sizes : int or sequence of int, default=64
        Widths of the hidden layers that compute the representation of a unit.
    dropout : float, default=0.0
        Fraction of a model's representation that is dropped in each training step. The published
        attack uses 0.5; on small populations of models no dropout works better.
    epochs : int, default=20
        Passes over the models.
    batch_size : int, default=32
        Models per step. With a few hundred models or fewer, 16 works better, as it gives more
        steps.
    learning_rate : float, default=1e-2
        The highest learning rate of the one-cycle schedule, with Adam.
    weight_decay : float, default=1e-4
        L2 penalty of Adam on the network's weights.
    device : str or torch.device, default="auto"
        Device of the training; ``"auto"`` is cuda, then mps, then cpu. Predictions run on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the initial weights and of the order of the batches.
    verbose : int, default=0
        If above 0, print one line per epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained network, with its ``history``.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if X had any.

    Raises
    ------
    InvalidInputError
        If X has another number of columns than the architecture has weights.

    See Also
    --------
    DeepSetsClassifier : The same for classes, with references.
    ProbeRegressor : Reads the responses of models to learned inputs instead of their weights.
    DistributionInferenceRegressor : Uses this network with ``strategy="deepsets"``.

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
