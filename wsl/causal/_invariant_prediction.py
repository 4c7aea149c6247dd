"""Invariant causal prediction: sets of columns given which y no longer depends on the environment.

The tests of one set live in ``_invariance_tests``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ._invariance_tests import Design, make_test

MAX_SEARCHED = 10  # columns of which every subset is looked at

Columns = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class InvariantSearch:
    """What a search found.

    Attributes
    ----------
    columns : tuple of int
        What is kept.
    tests : DataFrame
        The sets that were tested, in that order: ``columns`` (tuple of int), ``p_value``,
        ``accepted``.
    """

    columns: Columns
    tests: pd.DataFrame

    @property
    def any_accepted(self) -> bool:
        """Whether a set was accepted; True where there was nothing to test."""
        return not len(self.tests) or bool(self.tests["accepted"].any())


def find_invariant(
    X: np.ndarray,
    y: np.ndarray,
    environments: np.ndarray | None,
    *,
    keep: str = "predictor",
    test: str = "linear",
    alpha: float = 0.05,
) -> InvariantSearch:
    r"""Search the sets S of columns for which y given S is alike in every environment.

    Parameters
    ----------
    X : ndarray ``(n_samples, n_features)``
    y : ndarray ``(n_samples,)``
        Floats are numbers, anything else is a class.
    environments : ndarray ``(n_samples,)`` or None
        With none, or one, there is nothing to test, and all columns are kept.
    keep : {"predictor", "parents"}, default="predictor"
        "parents" is the intersection of all accepted sets. "predictor" is, of the accepted sets
        that are not empty, the one that predicts best by the Bayesian information criterion; if
        none is accepted, the one that is rejected least.
    test : {"linear", "additive", "kernel"}, default="linear"
        "linear": one least-squares or logistic regression serves all environments; "additive": the
        same on cubic splines of the columns; "kernel": dowhy's kernel test, on 1000 rows at most.
    alpha : float, default=0.05
        The chance that the set of all parents is rejected.

    Returns
    -------
    InvariantSearch

    Notes
    -----
    If no environment acts on y itself, y given its parents is alike everywhere, and

    .. math:: \hat S = \bigcap \{S : H_{0,S} \text{ not rejected}\}

    holds nothing but parents with probability :math:`1 - \alpha` at least, however many sets are
    tested: it is wrong only where the parents' own set is rejected (theorem 1 of [1]_). It is
    often empty: where y itself is distributed alike everywhere, the empty set is accepted.

    Above ten columns the search is greedy: the ten that predict best together, chosen one after
    another, are searched in full, and the error level holds if the parents are among them.

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
        candidates = tuple(sorted(design.choose_greedily(MAX_SEARCHED)))
    subsets = [
        subset for size in range(len(candidates) + 1) for subset in combinations(candidates, size)
    ]
    search = _search_parents if keep == "parents" else _search_predictor
    return search(subsets, design.criterion, p_value, alpha)


def _search_parents(
    subsets: list[Columns],
    criterion: Callable[[Columns], float],
    p_value: Callable[[Columns], float],
    alpha: float,
) -> InvariantSearch:
    """Intersect accepted sets, small ones first, until nothing is left of them."""
    tested: list[tuple[Columns, float, bool]] = []
    parents: set[int] | None = None
    for subset in subsets:
        if parents is not None and parents <= set(subset):
            continue  # accepted or not, it takes nothing away
        p = p_value(subset)
        tested.append((subset, p, p > alpha))
        if p > alpha:
            parents = set(subset) if parents is None else parents & set(subset)
        if parents == set():
            break
    return InvariantSearch(tuple(sorted(parents or ())), _table(tested))


def _search_predictor(
    subsets: list[Columns],
    criterion: Callable[[Columns], float],
    p_value: Callable[[Columns], float],
    alpha: float,
) -> InvariantSearch:
    """Test sets, the best predictors first, until one is accepted; a constant predicts nothing."""
    tested: list[tuple[Columns, float, bool]] = []
    for subset in sorted(filter(None, subsets), key=criterion):
        p = p_value(subset)
        tested.append((subset, p, p > alpha))
        if p > alpha:
            return InvariantSearch(subset, _table(tested))
    least_rejected = max(tested, key=lambda entry: entry[1])
    return InvariantSearch(least_rejected[0], _table(tested))


def _table(tested: list[tuple[Columns, float, bool]]) -> pd.DataFrame:
    table = pd.DataFrame(tested, columns=["columns", "p_value", "accepted"])
    return table.astype({"p_value": float, "accepted": bool})
