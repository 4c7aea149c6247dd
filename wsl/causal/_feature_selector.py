"""``CausalFeatureSelector``: causes of the outcome as a transformer for any Pipeline.

The rule itself, which the learners share, lives in ``_choice``.
"""

from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn_compat import StrOptions, fit_context
from .._validation import check_environments
from ._column_selection import ColumnRule, warn_of_search


class CausalFeatureSelector(SelectorMixin, BaseEstimator):
    r"""Keep the columns that cause the outcome, by a graph or by invariance.

    Parameters
    ----------
    method : {"invariant", "graph"}, default="invariant"
        "graph" reads the causes off ``graph``; "invariant" knows no graph and searches columns
        given which y does not depend on the environment.
    graph : networkx.DiGraph, str, DataFrame, or a graph or model of dowhy, optional
        A causal graph of columns and outcome, nodes named as the columns are; columns without names
        are called x0, x1, ..., as scikit-learn does. Text is DOT or GML, never the name of a
        file. In an adjacency DataFrame, a number other than 0 in row a and column b is an edge
        from a to b. Nodes without data are marked ``observed="no"``, as in dowhy.
    outcome : str, optional
        The node that y holds.
    keep : {"auto", "parents", "markov_blanket", "predictor"}, default="auto"
        Of a graph, "parents" (auto) are the direct causes, and "markov_blanket" has the children
        and their other parents too, which predict best where nothing changes. By invariance,
        "predictor" (auto) is the set that predicts best of those that are accepted, or is rejected
        least where none is, and never empty; "parents" is what all accepted sets share, and may be.
    check_graph : bool, default=False
        Whether to test on the data, with dowhy's kernel test, that each node is independent of its
        non-descendants given its parents, and to warn of what is violated. It takes about .1 s a
        test, of which there are up to :math:`p^2` with p nodes, and needs y.
    invariance_test : {"linear", "additive", "kernel"}, default="linear"
        "linear": does one linear (numbers) or logistic (classes) regression serve all environments?
        "additive": the same on cubic splines. "kernel": dowhy's kernel test of y and environment
        given the columns, on 1000 rows at most; it assumes least, finds least, and takes up to a
        second for each of :math:`2^p` sets.
    alpha : float, default=0.05
        Level of the tests. "parents" by invariance holds a column that is no cause with at most
        this probability, whatever the number of sets; a right graph is warned of with at most this
        probability.

    Attributes
    ----------
    support_ : ndarray of bool ``(n_features_in_,)``
        Which columns are kept.
    tests_ : DataFrame or None
        The tests that were made, if any. Of sets of columns: ``columns``, ``p_value``,
        ``accepted``. Of the graph: ``node``, ``independent_of``, ``given``, ``p_value``,
        ``adjusted_p_value``, ``violated``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If the graph cannot be read, has a cycle or nodes that are no columns, lacks the outcome or
        has no cause of it; or ``keep`` does not go with ``method``.

    Warns
    -----
    CausalGraphWarning
        If the data contradict the graph.
    CausalFeaturesWarning
        If every set of columns is rejected, or no column is left.

    Notes
    -----
    Invariant causal prediction [1]_ wants environments that change the distribution of the columns
    but do not act on y. All subsets of up to ten columns are searched; of more columns, those of
    the ten that predict best together, chosen one after another. Without environments, or with
    one, there is nothing to test, and all columns are kept.

    References
    ----------
    .. [1] J. Peters, P. Buehlmann and N. Meinshausen, "Causal inference by using invariant
       prediction: identification and confidence intervals", JRSS B 2016.

    Examples
    --------
    >>> from wsl import CausalFeatureSelector, EnvironmentMembershipFamily
    >>> family = EnvironmentMembershipFamily.linear_causal()  # x0 causes y, y causes x1
    >>> X, y, environments = family.sample(1, 2048, random_state=0)
    >>> CausalFeatureSelector().fit(X, y, environments=environments).get_support()
    array([ True, False])
    >>> graph = "digraph {x0 -> y; y -> x1}"
    >>> selector = CausalFeatureSelector("graph", graph=graph, outcome="y")
    >>> selector.fit(X).get_feature_names_out()
    array(['x0'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict] = {
        "method": [StrOptions({"graph", "invariant"})],
        **ColumnRule.CONSTRAINTS,
    }

    def __init__(
        self,
        method="invariant",
        *,
        graph=None,
        outcome=None,
        keep="auto",
        check_graph=False,
        invariance_test="linear",
        alpha=0.05,
    ):
        self.method = method
        self.graph = graph
        self.outcome = outcome
        self.keep = keep
        self.check_graph = check_graph
        self.invariance_test = invariance_test
        self.alpha = alpha

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, environments=None):
        """Choose columns of X ``(n_samples, n_features)``.

        Parameters
        ----------
        X : array ``(n_samples, n_features)``
        y : array ``(n_samples,)``, optional
            Floats are numbers, anything else is a class. A graph by itself needs none.
        environments : array ``(n_samples,)``, optional
            The environment of each sample.

        Returns
        -------
        CausalFeatureSelector
        """
        uses_graph = self.method == "graph"
        if y is None and uses_graph and not self.check_graph:
            X = validate_data(self, X)
        else:
            X, y = validate_data(self, X, y)
        if environments is not None:
            environments = check_environments(environments, len(X))
        rule = ColumnRule(**self.get_params(deep=False))
        names = getattr(self, "feature_names_in_", None)
        if uses_graph:
            columns = rule.resolve(X.shape[1], names)
            self.tests_ = rule.test_graph(X, y, names) if self.check_graph else None
        else:
            search = rule.search(X, y, environments)
            columns, self.tests_ = search.columns, search.tests
            warn_of_search([search])
        self.support_ = np.zeros(X.shape[1], dtype=bool)
        self.support_[list(columns)] = True
        return self

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.method == "invariant" or bool(self.check_graph)
        return tags
