"""``QueryResponses``: what models answer to a fixed set of inputs, one row of answers a model.

What is learned from the answers lives in ``wsl.attacks``.
"""

from typing import ClassVar

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from .._batches import map_rows
from .._sklearn_compat import StrOptions, fit_context
from .._validation import check_n_columns
from ..architectures import Architecture
from ..exceptions import InvalidInputError


class QueryResponses(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """The outputs of every model on the same queries.

    It is the black-box view of a model: two rows that compute the same function, such as a row and
    ``architecture.permute`` of it, have the same responses.

    Parameters
    ----------
    architecture : Architecture, optional
        What a row of weights means. Without one, X already holds features and passes through,
        so that responses recorded from models of any kind can stand in the same pipeline.
    queries : array-like ``(n_queries, n_inputs)`` or ``(n_queries, *input_shape)``, optional
        The inputs on which every model is run; needed with an architecture.
    output : {"logits", "proba", "label"}, default="logits"
        What of a model is seen: its outputs as they are, the probabilities (softmax, or sigmoid of
        a single output), or the decided class alone (argmax, or the sign of a single output).

    Attributes
    ----------
    queries_ : ndarray ``(n_queries, n_inputs)`` float32, or None without an architecture
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If one of architecture and queries is missing, the queries have another number of features
        than the architecture takes, or X another number of columns than it has weights.

    References
    ----------
    V. Hartmann, L. Meynent, M. Peyrard, D. Dimitriadis, S. Tople and R. West, "Distribution
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
        """Check X ``(n_models, n_weights)`` and the queries; nothing is learned from X."""
        self._check_rows(X, reset=True)
        self.queries_ = check_queries(self.architecture, self.queries)
        return self

    def transform(self, X):
        """Return the responses of the models.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``

        Returns
        -------
        ndarray ``(n_models, n_queries * n_outputs)`` float32, ``(n_models, n_queries)`` for labels
            A query's outputs stand together. Without an architecture, X as float32.
        """
        check_is_fitted(self)
        rows = self._check_rows(X, reset=False)
        if self.architecture is None or self.queries_ is None:
            return rows
        n_numbers = len(self.queries_) * self.architecture.n_outputs
        return map_rows(self._responses, rows, 4 * (rows.shape[1] + n_numbers))

    def get_feature_names_out(self, input_features=None):
        """Return ``query3_output0`` and the like; the names of X without an architecture."""
        check_is_fitted(self)
        names = super().get_feature_names_out(input_features)
        if self.queries_ is None:
            return names
        seen = ["label"]
        if self.output != "label":
            seen = [f"output{i}" for i in range(self.architecture.n_outputs)]
        queries = range(len(self.queries_))
        return np.asarray([f"query{q}_{s}" for q in queries for s in seen], dtype=object)

    def _responses(self, rows: np.ndarray) -> np.ndarray:
        responses = _as_seen(self.architecture.forward(rows, self.queries_), self.output)
        return responses.reshape(len(rows), -1).astype(np.float32, copy=False)

    def _check_rows(self, X, reset: bool) -> np.ndarray:
        rows = validate_data(self, X, reset=reset, dtype=np.float32)
        if self.architecture is not None:
            check_n_columns(rows, self.architecture.n_weights, "X")
        return rows

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def check_queries(architecture: Architecture | None, queries) -> np.ndarray | None:
    """Return the queries as float32 rows ``(n_queries, n_inputs)`` that the architecture takes."""
    if architecture is None:
        if queries is not None:
            raise InvalidInputError("queries were given without architecture=, which runs on them")
        return None
    if queries is None:
        raise InvalidInputError(
            f"queries=None; wanted an array (n_queries, {architecture.n_inputs}) of inputs for "
            "the models of the architecture"
        )
    try:
        rows = check_array(queries, dtype=np.float32, allow_nd=True, input_name="queries")
    except ValueError as error:
        raise InvalidInputError(f"queries: {error}") from error
    rows = rows.reshape(len(rows), -1)
    if rows.shape[1] != architecture.n_inputs:
        raise InvalidInputError(
            f"queries has {rows.shape[1]} features, but the architecture takes "
            f"{architecture.n_inputs}"
        )
    return rows


def _as_seen(logits: np.ndarray, output: str) -> np.ndarray:
    """Turn logits ``(n_models, n_queries, n_outputs)`` into what the observer sees."""
    single = logits.shape[-1] == 1
    if output == "proba":
        return expit(logits) if single else softmax(logits, axis=-1)
    if output == "label":
        return logits > 0 if single else logits.argmax(-1)
    return logits
