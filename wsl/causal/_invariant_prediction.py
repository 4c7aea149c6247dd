"""Invariant causal prediction: sets of columns given which y is independent of environments."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ._invariance_tests import Design, make_test

MAX_SEARCHED = 10  # columns of which every subset is searched

Columns = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class InvariantSearch:
    """The result of a search.

    Attributes
    ----------
    columns : tuple of int
        The selected columns.
    tests : DataFrame
        The tested sets in order: ``columns`` (tuple of int), ``p_value``, ``accepted``.
    """

    columns: Columns
    tests: pd.DataFrame

    @property
    def any_accepted(self) -> bool:
        """Whether a set was accepted; True if nothing was tested."""
        return not len(self.tests) or bool(self.tests["accepted"].any())


def find_invariant(
    X: np.ndarray,
    y: np.ndarray,
    environments: np.ndarray | None,
    *,
    keep: str = "predictor",
    test: str = "linear",
    significance_level: float = 0.05,
) -> InvariantSearch:
    r"""Search the sets S of columns for which y given S has the same distribution everywhere.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Columns.
    y : ndarray of shape (n_samples,)
        Outcome: floats are continuous, any other type is a class.
    environments : ndarray of shape (n_samples,) or None
        With none, or one, nothing can be tested, and all columns are selected.
    keep : {"predictor", "parents"}, default="predictor"
        "parents" is the intersection of all accepted sets. "predictor" is the best predictor, by
        the Bayesian information criterion, among the accepted sets that are not empty; if none is
        accepted, the set that is rejected least.
    test : {"linear", "additive", "kernel"}, default="linear"
        "linear": one least-squares or logistic regression fits all environments; "additive": the
        same on cubic splines of the columns; "kernel": dowhy's kernel test on at most 1000 rows.
    significance_level : float, default=0.05
        Probability :math:`\alpha` of rejecting the set of all parents.

    Returns
    -------
    InvariantSearch
        The selected columns and the tests.

    Notes
    -----
    If no environment acts on y itself, y given its parents has the same distribution everywhere,
    and

    .. math:: \hat S = \bigcap \{S : H_{0,S} \text{ not rejected}\}

    contains only parents with probability at least :math:`1 - \alpha`, for any number of tested
    sets: it is wrong only if the set of parents is rejected (theorem 1 of [1]_). It is often empty:
    if y has the same distribution everywhere, the empty set is accepted.

    With more than ten columns the search is greedy: the ten that predict best together, selected
    one after another, are searched in full, and the error level holds if the parents are among
    them.

    References
    ----------
    .. [1] J. Peters, P. Buehlmann and N. Meinshausen, "Causal inference by using invariant
       prediction: identification and confidence intervals", JRSS B 2016.
    """
    n_features = X.shape[1]
    labels, environment = np.unique(
        np.zeros(len(X)) if environments is None else environments, return_inverse=True
    )
    if len(labels) < 2:
        return InvariantSearch(tuple(range(n_features)), _table([]))
    design = Design.of(X, y, environment, additive=test != "linear")
    p_value = make_test(test, design)
    candidates = tuple(range(n_features))
    if n_features > MAX_SEARCHED:
        candidates = tuple(sorted(design.select_greedily(MAX_SEARCHED)))
    subsets = [
        subset for size in range(len(candidates) + 1) for subset in combinations(candidates, size)
    ]
    search = _search_parents if keep == "parents" else _search_predictor
    return search(subsets, design.criterion, p_value, significance_level)


def _search_parents(
    subsets: list[Columns],
    criterion: Callable[[Columns], float],
    p_value: Callable[[Columns], float],
    significance_level: float,
) -> InvariantSearch:
    """Intersect accepted sets, small ones first, until the intersection is empty."""
    tested: list[tuple[Columns, float, bool]] = []
    parents: set[int] | None = None
    for subset in subsets:
        if parents is not None and parents <= set(subset):
            continue  # its acceptance would not change the intersection
        p = p_value(subset)
        tested.append((subset, p, p > significance_level))
        if p > significance_level:
            parents = set(subset) if parents is None else parents & set(subset)
        if parents == set():
            break
    return InvariantSearch(tuple(sorted(parents or ())), _table(tested))


def _search_predictor(
    subsets: list[Columns],
    criterion: Callable[[Columns], float],
    p_value: Callable[[Columns], float],
    significance_level: float,
) -> InvariantSearch:
    """Test non-empty sets, the best predictors first, until one is accepted."""
    tested: list[tuple[Columns, float, bool]] = []
    for subset in sorted(filter(None, subsets), key=criterion):
        p = p_value(subset)
        tested.append((subset, p, p > significance_level))
        if p > significance_level:
            return InvariantSearch(subset, _table(tested))
    least_rejected = max(tested, key=lambda entry: entry[1])
    return InvariantSearch(least_rejected[0], _table(tested))


def _table(tested: list[tuple[Columns, float, bool]]) -> pd.DataFrame:
    table = pd.DataFrame(tested, columns=["columns", "p_value", "accepted"])
    return table.astype({"p_value": float, "accepted": bool})
