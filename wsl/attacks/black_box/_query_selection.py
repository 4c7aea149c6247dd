"""Selecting queries whose responses are informative of the property and not redundant."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from ..._scaling import standardized
from ..._validation import check_length
from ...architectures import Architecture
from ...exceptions import InvalidInputError
from ...features import QueryResponses
from ...features._query_responses import check_queries
from ._responses import ResponseFormat

CONSTANT = 1e-9  # deviation of responses, relative to the largest, that is rounding error


def select_queries(responses: Any, y: Any, n_selected: int, *, numeric: bool = False) -> np.ndarray:
    r"""Select the queries whose responses best separate shadow models by their property.

    Parameters
    ----------
    responses : array-like of shape (n_models, n_queries) or (n_models, n_queries, n_outputs)
        Responses of shadow models to candidate queries.
    y : array-like of shape (n_models,) or (n_models, n_properties)
        Property of each shadow model's training distribution.
    n_selected : int
        Number of queries to select.
    numeric : bool, default=False
        Whether the property is continuous. By default y holds classes.

    Returns
    -------
    ndarray of int of shape (n_selected,)
        Indices of the selected queries, in the order of selection.

    Raises
    ------
    InvalidInputError
        If there are fewer than ``n_selected`` queries, or y and responses differ in length.

    See Also
    --------
    DistributionInferenceAttack : Selects queries with ``n_selected_queries``.
    wsl.QueryResponses : Computes responses of models to queries.

    Notes
    -----
    With :math:`R_q^2` the fraction of the variance of the responses to query q that the property
    explains (between classes, or as squared correlation with a continuous property), queries are
    selected greedily by the largest

    .. math:: \frac{R_q^2}{1 - R_q^2} \, \Bigl(1 - \max_{s \in S} r_{qs}^2\Bigr),

    where S are those selected before and r is the correlation of responses: maximal relevance,
    minimal redundancy [1]_. If a query has several outputs, the one with the largest
    :math:`R_q^2` counts.

    References
    ----------
    .. [1] H. Peng, F. Long and C. Ding, "Feature selection based on mutual information: criteria
       of max-dependency, max-relevance, and min-redundancy", IEEE TPAMI 2005.

    Examples
    --------
    The first query reveals the property, the second is a noisy copy of it, the third adds to it:

    >>> import numpy as np
    >>> from wsl.attacks import select_queries
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 100)
    >>> first, other = y + 0.5 * rng.normal(size=200), y + rng.normal(size=200)
    >>> copy = first + 0.1 * rng.normal(size=200)
    >>> responses = np.c_[first, copy, other, rng.normal(size=200)]
    >>> select_queries(responses, y, 2).tolist()
    [0, 2]
    """
    outputs = np.asarray(responses, dtype=np.float64)
    outputs = outputs.reshape(*outputs.shape[:2], -1)
    check_length(y, len(outputs), "y", "responses")
    n_queries = outputs.shape[1]
    if not 1 <= n_selected <= n_queries:
        raise InvalidInputError(
            f"`n_selected_queries` must be between 1 and {n_queries}, the number of queries; got "
            f"{n_selected}."
        )
    standard = standardized(outputs.reshape(len(outputs), -1), CONSTANT)
    explained = np.square(_directions(y, numeric).T @ standard).sum(axis=0) / len(outputs)
    explained = np.minimum(explained, 1).reshape(n_queries, -1)
    best = explained.argmax(axis=1)
    columns = standard.reshape(outputs.shape)[:, np.arange(n_queries), best]
    r2 = explained.max(axis=1)
    return _select_greedily(columns, r2 / np.maximum(1 - r2, 1e-6), n_selected)


def _directions(y: Any, numeric: bool) -> np.ndarray:
    """Return an orthonormal basis, ``(n_models, n_directions)``, of the centred property."""
    values = np.asarray(y)
    if numeric:
        values = values.reshape(len(values), -1).astype(np.float64)
    else:
        classes, labels = np.unique(values, return_inverse=True)
        values = np.eye(len(classes))[labels][:, 1:]
    centred = values - values.mean(axis=0)
    U, s, _ = np.linalg.svd(centred, full_matrices=False)
    return U[:, s > 1e-9 * max(s[0], 1e-300)]


def _select_greedily(columns: np.ndarray, relevance: np.ndarray, n_selected: int) -> np.ndarray:
    """Select standardised columns ``(n_models, n_queries)`` one after another."""
    redundancy = np.zeros(len(relevance))
    selected = np.empty(n_selected, dtype=int)
    is_left = np.ones(len(relevance), dtype=bool)
    for step in range(n_selected):
        score = np.where(is_left, relevance * (1 - redundancy), -1.0)
        selected[step] = query = int(score.argmax())
        is_left[query] = False
        correlation = columns.T @ columns[:, query] / len(columns)
        redundancy = np.maximum(redundancy, np.minimum(np.square(correlation), 1))
    return selected


class SelectedQueryResponses(TransformerMixin, BaseEstimator):
    """Responses to the queries that best separate the models passed to ``fit``.

    ``fit`` runs the models on all queries, ``transform`` on those in ``selected_`` only. Without an
    architecture X holds the responses to all queries, in ``transform`` too.
    """

    def __init__(
        self,
        architecture: Architecture | None,
        queries: Any,
        output: str,
        n_selected: int,
        response_format: ResponseFormat,
        numeric: bool,
    ):
        self.architecture = architecture
        self.queries = queries
        self.output = output
        self.n_selected = n_selected
        self.response_format = response_format
        self.numeric = numeric

    def fit(self, X, y):
        """Select the queries."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X, y):
        """Select the queries and return the models' responses to them."""
        all_queries = QueryResponses(self.architecture, self.queries, output=self.output)
        responses = all_queries.fit_transform(X) if self.architecture is not None else X
        by_query = self.response_format.contrasts(responses).reshape(
            len(X), self.response_format.n_queries, -1
        )
        self.selected_ = np.sort(select_queries(by_query, y, self.n_selected, numeric=self.numeric))
        if self.architecture is not None:
            queries = check_queries(self.architecture, self.queries)
            assert queries is not None
            self.responses_ = QueryResponses(
                self.architecture, queries[self.selected_], output=self.output
            ).fit(X[:1])
        return responses.reshape(by_query.shape)[:, self.selected_].reshape(len(X), -1)

    def transform(self, X):
        """Return responses to the selected queries, ``(n_models, n_selected * n_outputs)``."""
        if self.architecture is not None:
            return self.responses_.transform(X)
        by_query = X.reshape(len(X), self.response_format.n_queries, -1)
        return by_query[:, self.selected_].reshape(len(X), -1)
