"""The selector of causal columns, a transformer for any Pipeline."""

from typing import ClassVar

import numpy as np
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from .._estimator_input import checked_data
from .._frames import check_column_names, is_frame
from .._sklearn_compat import DocumentedEstimator, StrOptions, fit_context
from .._validation import check_environments, refuse_masked
from ._column_selection import ColumnRule, warn_of_search


class CausalFeatureSelector(SelectorMixin, DocumentedEstimator):
    r"""Select the columns that cause the outcome, by a causal graph or by invariance.

    Parameters
    ----------
    method : {"invariant", "graph"}, default="invariant"
        "graph" takes the causes from ``graph``; "invariant" needs no graph and searches columns
        given which y does not depend on the environment.
    graph : object, default=None
        Causal graph over columns and outcome, for method "graph": a directed networkx graph; text
        in DOT, dagitty or GML (never a file name); a list of pairs (cause, effect); a dict of
        successors; a graph or model of pydot or dowhy; or an adjacency DataFrame or array, in
        which a nonzero entry in row a and column b is an edge from a to b. Nodes are named like
        the columns; columns without names are x0, x1, ..., as in scikit-learn, and an int node is
        the position of a column. The last row and column of an adjacency array belong to the
        outcome unless ``outcome`` is an int. Mark nodes without data as ``observed="no"``, or as
        latent in dagitty.
    outcome : str or int, default=None
        Name of the node that y belongs to; required for method "graph".
    keep : {"auto", "parents", "markov_blanket", "predictor"}, default="auto"
        For a graph, "parents" (auto) are the direct causes; "markov_blanket" adds the children
        and their other parents, which predict best if nothing changes. By invariance,
        "predictor" (auto) is the best predictor among the accepted sets, or the set rejected least
        if none is accepted, and never empty; "parents" is the intersection of all accepted sets,
        which may be empty.
    check_graph : bool, default=False
        Whether to test on the data, with dowhy's kernel test, that each node is independent of its
        non-descendants given its parents, and to warn of violations. It makes up to :math:`p^2`
        tests for p nodes, and needs y.
    invariance_test : {"linear", "additive", "kernel"}, default="linear"
        "linear" tests whether one linear (continuous y) or logistic (classes) regression fits all
        environments; "additive" does so with cubic splines of the columns; "kernel" is dowhy's
        kernel test of y and environment given the columns, on at most 1000 rows: it has the fewest
        assumptions and the least power, and is slow for more than a few columns.
    significance_level : float, default=0.05
        Level of the tests. "parents" by invariance contains a column that is not a cause with at
        most this probability, for any number of sets; a correct graph leads to a warning with at
        most this probability.

    Attributes
    ----------
    support_ : ndarray of bool of shape (n_features,)
        Mask of the selected columns.
    tests_ : DataFrame or None
        The tests, if any. Of sets of columns: ``columns``, ``p_value``, ``accepted``. Of the
        graph: ``node``, ``independent_of``, ``given``, ``p_value``, ``adjusted_p_value``,
        ``violated``.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if X had any.

    Raises
    ------
    InvalidInputError
        If the graph cannot be read, has a cycle or nodes that are not columns, or lacks the outcome
        or a cause of it; or if ``keep`` does not fit ``method``.

    Warns
    -----
    CausalGraphWarning
        If the data contradict the graph.
    CausalFeaturesWarning
        If every set of columns is rejected, or no column is selected.

    See Also
    --------
    CausalMitigatedClassifier : Takes a selector as ``causal_features``.
    CausalMitigatedRegressor : The same for continuous targets.
    sklearn.feature_selection.SelectFromModel : Selects columns by importance, not by cause.

    Notes
    -----
    Invariant causal prediction [1]_ needs environments that change the distribution of the columns
    but do not act on y. All subsets of up to ten columns are searched; with more columns, those of
    the ten that predict best together, selected greedily.

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

    __metadata_request__fit: ClassVar[dict] = {"environments": True}
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
        significance_level=0.05,
    ):
        self.method = method
        self.graph = graph
        self.outcome = outcome
        self.keep = keep
        self.check_graph = check_graph
        self.invariance_test = invariance_test
        self.significance_level = significance_level

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, environments=None):
        """Select columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,), default=None
            Outcome: floats are continuous, any other type is a class. Not needed for a causal
            graph that is not tested.
        environments : array-like of shape (n_samples,), default=None
            Label of the environment of each sample, of any one type. Without environments, or with
            one, method "invariant" keeps all columns. Requested by default in metadata routing.

        Returns
        -------
        CausalFeatureSelector
            The fitted selector.

        Raises
        ------
        InvalidInputError
            If the graph cannot be used for X, or environments do not fit X.
        """
        uses_graph = self.method == "graph"
        if y is None and uses_graph and not self.check_graph:
            X = checked_data(self, X, dtype=None)
        else:
            X, y = checked_data(self, X, y, dtype=None)
        if environments is not None:
            environments = check_environments(environments, len(X))
        rule = self._column_rule()
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

    def transform(self, X):
        """Return the selected columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; columns may be of any type.

        Returns
        -------
        ndarray of shape (n_samples, n_selected_features)
            The columns in ``support_``, in their order.

        Raises
        ------
        InvalidInputError
            If X is a masked array with masked values, or a frame with equal column names.
        """
        refuse_masked(X, "X")
        if is_frame(X):
            check_column_names(X, "`X`")
        return super().transform(X)

    def _column_rule(self) -> ColumnRule:
        """Return the validated settings as the rule that learners apply."""
        self._validate_params()
        return ColumnRule(**self.get_params(deep=False))

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.method == "invariant" or bool(self.check_graph)
        return tags
