"""Shapley values of switches, and the limit of a figure as training sets grow.

What is switched, and what the figures are, is for ``_sources``.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np


def subsets(names: Sequence[str]) -> list[frozenset[str]]:
    """Return all subsets, the empty one first."""
    return [frozenset(own) for size in range(len(names) + 1) for own in combinations(names, size)]


def shapley_values(names: Sequence[str], figures: Mapping[frozenset[str], Any]) -> dict[str, Any]:
    r"""Return what each switch adds, the mean over all orders of switching them on.

    Parameters
    ----------
    names : sequence of str
    figures : dict from the switches that are on to a number or array
        Of every subset of ``names``.

    Returns
    -------
    dict from name to what ``figures`` are

    Notes
    -----
    Of k switches, with the figure v(S) of those in S on,

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|!\,(k - |S| - 1)!}{k!}\,
              \big(v(S \cup \{i\}) - v(S)\big).

    They add up to the figure of all less that of none.

    References
    ----------
    Shapley, "A value for n-person games", Contributions to the Theory of Games II, 1953.
    """
    k = len(names)
    values = {}
    for name in names:
        rest = subsets([other for other in names if other != name])
        values[name] = sum(
            factorial(len(on)) * factorial(k - len(on) - 1) / factorial(k)
            * (figures[on | {name}] - figures[on])
            for on in rest
        )  # fmt: skip
    return values


def limit_weights(growth: Sequence[int], rate: float) -> np.ndarray:
    r"""Return the weights that take figures at k times the rows to their limit, ``(n_sizes,)``.

    The limit is the intercept a of :math:`a + b\, k^{-\mathrm{rate}}`, fitted by least squares.
    """
    x = np.asarray(growth, dtype=float) ** -rate
    return np.linalg.pinv(np.stack([np.ones_like(x), x], axis=1))[0]
