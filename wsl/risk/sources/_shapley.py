"""Shapley values, and the limit of a curve as training sets grow."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np


def subsets(names: Sequence[str]) -> list[frozenset[str]]:
    """Return all subsets, the empty one first."""
    return [
        frozenset(subset) for size in range(len(names) + 1) for subset in combinations(names, size)
    ]


def shapley_values(names: Sequence[str], worths: Mapping[frozenset[str], Any]) -> dict[str, Any]:
    r"""Return the mean increase of worth by adding each name, over all orders of adding them.

    Parameters
    ----------
    names : sequence of str
    worths : dict from frozenset of str to float or ndarray
        Worth of every subset of ``names``.

    Returns
    -------
    dict from name to float or ndarray

    Notes
    -----
    With k names and the worth v(S) of a subset S [1]_,

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|!\,(k - |S| - 1)!}{k!}\,
              \big(v(S \cup \{i\}) - v(S)\big).

    They add up to the worth of all names minus that of none.

    References
    ----------
    .. [1] Shapley, "A value for n-person games", Contributions to the Theory of Games II, 1953.
    """
    k = len(names)
    values = {}
    for name in names:
        others = subsets([other for other in names if other != name])
        values[name] = sum(
            factorial(len(subset)) * factorial(k - len(subset) - 1) / factorial(k)
            * (worths[subset | {name}] - worths[subset])
            for subset in others
        )  # fmt: skip
    return values


def limit_weights(multipliers: Sequence[int], rate: float) -> np.ndarray:
    r"""Return the weights ``(n_sizes,)`` of values at k times the rows in their limit.

    The limit is the intercept a of :math:`a + b\, k^{-\mathrm{rate}}`, fitted by least squares.
    """
    x = np.asarray(multipliers, dtype=float) ** -rate
    return np.linalg.pinv(np.stack([np.ones_like(x), x], axis=1))[0]
