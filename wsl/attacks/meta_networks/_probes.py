"""Probe estimators: a property of a model, predicted from its responses to learned inputs."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..._sklearn_compat import Interval
from ..._validation import check_hidden_layer_sizes, owned_tensor
from ...architectures import Architecture
from ...features._query_responses import check_queries
from ._base import TRAINING_CONSTRAINTS, MetaClassifier, MetaRegressor
from ._probe_network import ProbeNetwork

SCALES = (0.5, 4.0)  # standard deviations of the first and the last random probe


class _ProbeParameters:
    """The constructor of both estimators and the network that it describes."""

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [Architecture, None],
        "probes": ["array-like", None],
        "n_probes": [Interval(Integral, 1, None, closed="left")],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        architecture=None,
        *,
        probes=None,
        n_probes=128,
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
        self.probes = probes
        self.n_probes = n_probes
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    net_: Any

    @property
    def probes_(self) -> np.ndarray:
        """The learned probes, an ndarray of shape (n_probes, n_inputs)."""
        return self.net_.module_.probes.detach().numpy()

    def _network(
        self, rows: np.ndarray, n_outputs: int, generator: torch.Generator
    ) -> ProbeNetwork:
        probes = self._initial_probes(generator)
        n_responses = rows.shape[1]
        if self.architecture is not None:
            n_responses = len(probes) * self.architecture.n_outputs
        return ProbeNetwork(
            self.architecture,
            probes,
            n_responses,
            n_outputs,
            hidden_layer_sizes=check_hidden_layer_sizes(self.hidden_layer_sizes, n_min=1),
            dropout=self.dropout,
            generator=generator,
        )

    def _initial_probes(self, generator: torch.Generator) -> Tensor:
        """Return the initial probes; random ones cover scales, as that of inputs is unknown."""
        if self.architecture is None or self.probes is not None:
            probes = check_queries(self.architecture, self.probes, "probes")
            return torch.empty(0, 0) if probes is None else owned_tensor(probes)
        scales = torch.as_tensor(np.geomspace(*SCALES, self.n_probes), dtype=torch.float32)
        shape = (self.n_probes, self.architecture.n_inputs)
        return scales[:, None] * torch.randn(shape, generator=generator)


class ProbeClassifier(_ProbeParameters, MetaClassifier):
    """Classify models by their responses to learned inputs.

    A white-box attack on any architecture that ``Architecture.forward`` runs, convolutions and
    batch normalisation included. It is invariant to all symmetries of the weights, as it only
    depends on the function that a model computes.

    Parameters
    ----------
    architecture : Architecture, default=None
        The network that a row of weights belongs to. If None, X holds recorded responses.
    probes : array-like of shape (n_probes, n_inputs), default=None
        Initial probes, such as real inputs of the models. If None, normal random inputs whose
        standard deviation grows from 0.5 to 4 over the probes.
    n_probes : int, default=128
        Number of random probes; not used if ``probes`` is given.
    hidden_layer_sizes : int or sequence of int, default=64
        Widths of the hidden layers that read the responses, in parallel to a linear layer.
    dropout : float, default=0.0
        Fraction of a model's responses that is dropped in each training step.
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
    probes_ : ndarray of shape (n_probes, n_inputs)
        The learned probes; empty without an architecture.
    net_ : skorch.NeuralNet
        The trained network, with its ``history``.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if X had any.

    Raises
    ------
    InvalidInputError
        If X has another number of columns than the architecture has weights, if probes do not fit
        the architecture or are given without one, or if y holds a single class.

    See Also
    --------
    ProbeRegressor : The same for continuous targets.
    DeepSetsClassifier : Reads weights instead of responses.
    DistributionInferenceAttack : Uses this network with ``strategy="probes"``.

    Notes
    -----
    With few models probes usually need fewer of them than :class:`DeepSetsClassifier`. They show
    what a model computes, not how it was trained. X may be a float32 memory map larger than
    memory: it is read in batches. Up to 256 MiB are copied to the device during ``fit``.

    References
    ----------
    .. [1] J. Kahana, E. Horwitz, I. Shuval and Y. Hoshen, "Deep Linear Probe Generators for Weight
       Space Learning", ICLR 2025. Their probes are generated by a deep linear network; here they
       are free parameters.
    .. [2] V. Herrmann, F. Faccio and J. Schmidhuber, "Learning Useful Representations of Recurrent
       Neural Network Weight Matrices", ICML 2024, section 3.

    Examples
    --------
    Models close to ``relu(x)`` or to ``relu(-x)``, with hidden units in any order:

    >>> import numpy as np
    >>> from wsl import Architecture, ProbeClassifier
    >>> architecture = Architecture.mlp(1, [2], 1)
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 100)
    >>> X = 0.1 * rng.normal(size=(200, architecture.n_weights))
    >>> X[:, 0] += 2 * y - 1
    >>> X[:, 4] += 1
    >>> classifier = ProbeClassifier(architecture, random_state=0).fit(X, y)
    >>> classifier.score(architecture.permute(X, random_state=0), y) > 0.95
    True
    """


class ProbeRegressor(_ProbeParameters, MetaRegressor):
    """Predict continuous targets of models from their responses to learned inputs.

    The counterpart of :class:`ProbeClassifier` for one or several continuous targets; the loss is
    the squared error of the standardised targets.

    Parameters
    ----------
    architecture : Architecture, default=None
        The network that a row of weights belongs to. If None, X holds recorded responses.
    probes : array-like of shape (n_probes, n_inputs), default=None
        Initial probes, such as real inputs of the models. If None, normal random inputs whose
        standard deviation grows from 0.5 to 4 over the probes.
    n_probes : int, default=128
        Number of random probes; not used if ``probes`` is given.
    hidden_layer_sizes : int or sequence of int, default=64
        Widths of the hidden layers that read the responses, in parallel to a linear layer.
    dropout : float, default=0.0
        Fraction of a model's responses that is dropped in each training step.
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
    probes_ : ndarray of shape (n_probes, n_inputs)
        The learned probes; empty without an architecture.
    net_ : skorch.NeuralNet
        The trained network, with its ``history``.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if X had any.

    Raises
    ------
    InvalidInputError
        If X has another number of columns than the architecture has weights, or if probes do not
        fit the architecture or are given without one.

    See Also
    --------
    ProbeClassifier : The same for classes, with notes and references.
    DeepSetsRegressor : Reads weights instead of responses.
    DistributionInferenceRegressor : Uses this network with ``strategy="probes"``.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, ProbeRegressor
    >>> architecture = Architecture.mlp(2, [4], 1)
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(size=200)
    >>> X = 0.3 * rng.normal(size=(200, architecture.n_weights))
    >>> X[:, -1] += 4 * y
    >>> ProbeRegressor(architecture, random_state=0).fit(X, y).score(X, y) > 0.8
    True
    """
