"""``ProbeClassifier`` and ``ProbeRegressor``: a property of a model, read from learned probes.

The network lives in ``_probe_network``, what it shares with other meta-networks in ``_meta``.
"""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..._sklearn_compat import Interval
from ..._validation import owned_tensor
from ...architectures import Architecture
from ...features._query_responses import check_queries
from ._base import TRAINING_CONSTRAINTS, MetaClassifier, MetaRegressor
from ._probe_network import ProbeNetwork

SCALES = (0.5, 4.0)  # of probes that start at random, from one end to the other


class _ProbeParameters:
    """The constructor of both estimators, and the network that it describes."""

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
        self.probes = probes
        self.n_probes = n_probes
        self.hidden = hidden
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
        """The learned probes, ``(n_probes, n_inputs)``."""
        return self.net_.module_.probes.detach().numpy()

    def _network(self, rows: np.ndarray, n_outputs: int) -> ProbeNetwork:
        probes = self._first_probes()
        n_answers = rows.shape[1]
        if self.architecture is not None:
            n_answers = len(probes) * self.architecture.n_outputs
        return ProbeNetwork(
            self.architecture,
            probes,
            n_answers,
            n_outputs,
            hidden=self.hidden,
            dropout=self.dropout,
        )

    def _first_probes(self) -> Tensor:
        """Return where the probes start; the scale of a model's inputs is not known to us."""
        if self.architecture is None or self.probes is not None:
            given = check_queries(self.architecture, self.probes)
            return torch.empty(0, 0) if given is None else owned_tensor(given)
        scales = torch.as_tensor(np.geomspace(*SCALES, self.n_probes), dtype=torch.float32)
        return scales[:, None] * torch.randn(self.n_probes, self.architecture.n_inputs)


class ProbeClassifier(_ProbeParameters, MetaClassifier):
    """A classifier of models that reads what they answer to inputs that it learns.

    A white-box attack on any architecture that ``Architecture.forward`` runs, convolutions and
    batch normalisation included. It is blind to whatever changes a row of weights without changing
    what the model computes, and so knows all symmetries of the weights without being told one.

    Parameters
    ----------
    architecture : Architecture, optional
        What a row of weights means. Without one, X holds answers as they stand.
    probes : array-like ``(n_probes, n_inputs)``, optional
        Where the probes start: inputs of the kind that the models see, if there are any. By
        default normal numbers whose standard deviation goes from 0.5 to 4 over the probes.
    n_probes : int, default=128
        How many probes start at random.
    hidden : int, default=64
        Width of the hidden layer that reads the answers, beside a linear reading of them.
    dropout : float, default=0.0
        Share of a model's answers left out at each training step.
    epochs, batch_size : int, default=20 and 32
        Passes over the shadow models, and how many stand in one step. Steps of 16 pay with a few
        hundred models or fewer.
    learning_rate : float, default=1e-2
        The highest rate of one cycle of Adam, for the probes as for the network.
    weight_decay : float, default=1e-4
    device : str or torch.device, default="auto"
        Where it is trained: cuda, then mps, then cpu. Predictions are made on the CPU.
    random_state : int, RandomState, Generator or None, default=None
    verbose : int, default=0
        Above 0, one line an epoch.

    Attributes
    ----------
    classes_ : ndarray ``(n_classes,)``
    probes_ : ndarray ``(n_probes, n_inputs)``
        The probes as they were learned; empty without an architecture.
    net_ : skorch.NeuralNet
        The trained network, with its ``history``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If X has another number of columns than the architecture has weights, the probes another
        number of features than it takes, or probes were given without it, or
        y holds one class.

    Notes
    -----
    Accuracy on unseen models with 64 and 1024 shadow models, beside :class:`DeepSetsClassifier`:
    for random networks 2% of a standard deviation apart .93 and .98, beside .72 and .98; for an
    environment's membership in linear causal data .98 and .99, beside .96 and .99. The mean
    absolute error of the shift of the inputs was .051 and .027, as that of DeepSets. Probes show
    what a model does, not how it was trained: for the accuracy of 150 CNNs they served only where
    they started at real inputs, and then no better than DeepSets.

    X may be a float32 memory map larger than memory: it is read in batches. Up to 256 MiB are
    copied to the device for the time of ``fit``.

    References
    ----------
    J. Kahana, E. Horwitz, I. Shuval and Y. Hoshen, "Deep Linear Probe Generators for Weight Space
    Learning", ICLR 2025. Their probes come out of a deep linear generator; here they are free.

    V. Herrmann, F. Faccio and J. Schmidhuber, "Learning Useful Representations of Recurrent Neural
    Network Weight Matrices", ICML 2024, section 3: probing as against reading the weights.

    Examples
    --------
    Models close to ``relu(x)`` or to ``relu(-x)``, their hidden units in any order.

    >>> import numpy as np
    >>> from wsl import Architecture, ProbeClassifier
    >>> architecture = Architecture.mlp(1, [2], 1)
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 100)
    >>> X = 0.1 * rng.normal(size=(200, architecture.n_weights))
    >>> X[:, 0] += 2 * y - 1
    >>> X[:, 4] += 1
    >>> attack = ProbeClassifier(architecture, random_state=0).fit(X, y)
    >>> attack.score(architecture.permute(X, random_state=0), y) > 0.95
    True
    """


class ProbeRegressor(_ProbeParameters, MetaRegressor):
    """A regressor of models that reads what they answer to inputs that it learns.

    Notes and references are those of :class:`ProbeClassifier`; the loss is the squared error of
    the standardised targets, of which there may be several.

    Parameters
    ----------
    architecture : Architecture, optional
        What a row of weights means. Without one, X holds answers as they stand.
    probes : array-like ``(n_probes, n_inputs)``, optional
        Where the probes start: inputs of the kind that the models see, if there are any. By
        default normal numbers whose standard deviation goes from 0.5 to 4 over the probes.
    n_probes : int, default=128
        How many probes start at random.
    hidden : int, default=64
        Width of the hidden layer that reads the answers, beside a linear reading of them.
    dropout : float, default=0.0
        Share of a model's answers left out at each training step.
    epochs, batch_size : int, default=20 and 32
        Passes over the shadow models, and how many stand in one step. Steps of 16 pay with a few
        hundred models or fewer.
    learning_rate : float, default=1e-2
        The highest rate of one cycle of Adam, for the probes as for the network.
    weight_decay : float, default=1e-4
    device : str or torch.device, default="auto"
        Where it is trained: cuda, then mps, then cpu. Predictions are made on the CPU.
    random_state : int, RandomState, Generator or None, default=None
    verbose : int, default=0
        Above 0, one line an epoch.

    Attributes
    ----------
    probes_ : ndarray ``(n_probes, n_inputs)``
        The probes as they were learned; empty without an architecture.
    net_ : skorch.NeuralNet
        The trained network, with its ``history``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If X has another number of columns than the architecture has weights, the probes another
        number of features than it takes, or probes were given without it.

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
