"""``QueryResponses``: the outputs of models on a fixed set of inputs."""

from typing import ClassVar

import numpy as np
from scipy.special import expit, softmax

from .._batches import map_rows
from .._diverged import refuse_overflow
from .._queries import check_query_array
from .._sklearn_compat import StrOptions, fit_context
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._base import RowFeatures


class QueryResponses(RowFeatures):
    """The outputs of every model on the same queries.

    This is the black-box view of a model: two rows that compute the same function, such as a row
    and ``architecture.permute`` of it, have the same responses.

    Parameters
    ----------
    architecture : Architecture, default=None
        What a row of weights means. Without one, ``X`` holds features already and passes through,
        so that recorded responses of models of any kind can be used in the same pipeline.
    queries : array-like of shape (n_queries, n_inputs), default=None
        The inputs on which every model is run, flat or in the shape of the architecture's inputs;
        needed with an architecture.
    output : {"logits", "proba", "label"}, default="logits"
        What is observed of a model: its raw outputs, probabilities (softmax, or sigmoid of a single
        output), or the predicted class alone (argmax, or the sign of a single output). Raw outputs
        are the default, as they hold the most information.

    Attributes
    ----------
    queries_ : ndarray of shape (n_queries, n_inputs), float32, or None
        The checked queries; None without an architecture.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of ``X``, where it had string names.

    Raises
    ------
    InvalidInputError
        From ``fit``: one of architecture and queries is missing, or their columns do not fit the
        architecture; also from ``transform``: ``X`` has another number of columns than the
        architecture has weights.

    See Also
    --------
    BehaviorFeatures : A few features of the responses, relative to those of other models.
    DistributionInferenceAttack : Attacks that observe the responses of models.

    References
    ----------
    .. [1] V. Hartmann, L. Meynent, M. Peyrard, D. Dimitriadis, S. Tople and R. West, "Distribution
       Inference Risks: Identifying and Mitigating Sources of Leakage", SaTML 2023, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, QueryResponses
    >>> architecture = Architecture.mlp(4, [8], 3)
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(10, architecture.n_weights))
    >>> responses = QueryResponses(architecture, rng.normal(size=(5, 4))).fit_transform(rows)
    >>> responses.shape
    (10, 15)
    """

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [Architecture, None],
        "queries": ["array-like", None],
        "output": [StrOptions({"logits", "proba", "label"})],
    }

    def __init__(self, architecture=None, queries=None, *, output="logits"):
        self.architecture = architecture
        self.queries = queries
        self.output = output

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the models and the queries; nothing is learned from the models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        QueryResponses
            The fitted transformer itself.
        """
        self._fit_rows(X)
        self.queries_ = check_queries(self.architecture, self.queries)
        return self

    def transform(self, X):
        """Return the responses of the models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models, n_queries * n_outputs), float32
            The outputs of a query follow each other; ``n_outputs`` is 1 for labels. Without an
            architecture, ``X`` itself.
        """
        rows = self._fitted_rows(X)
        if self.architecture is None or self.queries_ is None:
            return rows
        n_values = len(self.queries_) * self._resolved.n_outputs
        return map_rows(self._responses, rows, 4 * (rows.shape[1] + n_values))

    def get_feature_names_out(self, input_features=None):
        """Return the names of the responses, such as ``query3_output0``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must be the names of the columns of ``X``, if given.

        Returns
        -------
        ndarray of str
            One name per response; without an architecture, the names of the columns of ``X``.
        """
        names = self._input_names(input_features)
        if self.architecture is None or self.queries_ is None:
            return names
        outputs = ["label"]
        if self.output != "label":
            outputs = [f"output{i}" for i in range(self._resolved.n_outputs)]
        queries = range(len(self.queries_))
        return np.asarray([f"query{q}_{name}" for q in queries for name in outputs], dtype=object)

    @property
    def _resolved(self) -> Architecture:
        """The architecture with the ``input_shape`` of the queries."""
        assert self.architecture is not None
        return self.architecture.for_inputs(self.queries_)

    def _responses(self, rows: np.ndarray) -> np.ndarray:
        assert self.architecture is not None
        outputs = self.architecture.forward(rows, self.queries_)
        refuse_overflow(bool(np.isfinite(outputs).all()))
        responses = observed_outputs(outputs, self.output)
        return responses.reshape(len(rows), -1).astype(np.float32, copy=False)


def check_queries(
    architecture: Architecture | None, queries, name: str = "queries"
) -> np.ndarray | None:
    """Return queries as float32 ``(n_queries, n_inputs)``; None without an architecture."""
    if architecture is None:
        if queries is not None:
            raise InvalidInputError(
                f"`{name}` needs an `architecture` that runs on them; got architecture=None."
            )
        return None
    if queries is None:
        raise InvalidInputError(
            f"`{name}` must be an array of inputs of the models, {architecture.n_inputs} columns; "
            "got None."
        )
    return check_query_array(queries, architecture, name)


def observed_outputs(logits: np.ndarray, output: str) -> np.ndarray:
    """Return what is observed of logits ``(n_models, n_queries, n_outputs)``."""
    single = logits.shape[-1] == 1
    if output == "proba":
        return expit(logits) if single else softmax(logits, axis=-1)
    if output == "label":
        return logits > 0 if single else logits.argmax(-1)
    return logits
