"""``DeepSetsClassifier`` and ``DeepSetsRegressor``: a property of a model, read from its weights.

The network lives in ``_network``, what it shares with other meta-networks in ``_meta``.
"""

from numbers import Integral
from typing import ClassVar

import numpy as np

from ..._sklearn_compat import Interval
from ..._validation import owned_tensor
from ...architectures import Architecture
from ._base import TRAINING_CONSTRAINTS, MetaClassifier, MetaRegressor
from ._base import classes_of as classes_of
from ._deepsets_network import DeepSets
from ._unit_sets import cut_layers, row_as_element, standardization


class _DeepSetsParameters:
    """The constructor of both estimators, and the network that it describes."""

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

    def _network(self, rows: np.ndarray, n_outputs: int) -> DeepSets:
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
            hidden=self.hidden,
            dropout=self.dropout,
        )


class DeepSetsClassifier(_DeepSetsParameters, MetaClassifier):
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


class DeepSetsRegressor(_DeepSetsParameters, MetaRegressor):
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
