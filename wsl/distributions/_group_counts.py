"""Numbers of rows per group for a property value: fractions, presence, or a column's mean."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import expit

from ..exceptions import InvalidInputError
from ._row_pool import check_enough

MAX_STEPS = 200
TOLERANCE = 1e-9


class GroupCounts(Protocol):
    """The number of rows of each group in a training set, for a property value."""

    def counts(
        self, value: Any, n_samples: int, sizes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return ``(n_groups,)`` of int that sum to ``n_samples``."""
        ...


@dataclass(frozen=True)
class Fractions:
    """The property is the fractions of the first groups; a remaining group has the rest.

    Parameters
    ----------
    n_groups : int
        Number of groups, a remaining one included.
    """

    n_groups: int

    def counts(
        self, value: Any, n_samples: int, sizes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return counts that differ from ``fraction * n_samples`` by less than one."""
        # .1 + .2 is slightly more than .3: a half is rounded up however it was computed
        ends = np.floor(np.cumsum(value) * n_samples + 0.5 + TOLERANCE)
        ends = np.minimum(np.append(ends, n_samples)[: self.n_groups], n_samples)
        ends[-1] = n_samples
        return np.diff(ends, prepend=0).astype(int)


@dataclass(frozen=True)
class Presence:
    """The property is whether the first of two groups occurs, at its fraction in the table."""

    fraction: float

    def counts(
        self, value: Any, n_samples: int, sizes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return counts with at least one row of the group, or none."""
        n_group = max(1, math.floor(self.fraction * n_samples + 0.5)) if value else 0
        return np.array([n_group, n_samples - n_group])


@dataclass(frozen=True, eq=False)
class Tilt:
    r"""The property is the mean of a column; the probability of a row depends on its value.

    Notes
    -----
    A row with the value v is drawn with the probability

    .. math:: \pi(v) = 1 / (1 + e^{-\alpha - \theta v}), \quad
              \sum \pi(v_i) = n, \quad \sum \pi(v_i) v_i = n\, \mathrm{mean},

    the maximum-entropy design among those that draw n different rows with this expected mean, up
    to the fixed size; for n small relative to the table it is an exponential tilt of the rows'
    weights. Counts are drawn systematically over the ascending values, so that the mean of each
    sample deviates by at most the column's range over n.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_groups,)
        The distinct values of the column, ascending; rows of equal value are a group.
    name : str
        Name of the column in errors.
    """

    values: np.ndarray
    name: str

    def counts(
        self, value: Any, n_samples: int, sizes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return counts with the mean ``value`` in expectation."""
        self._check(value, n_samples, sizes)
        ends = np.cumsum(tilted_counts(self.values, sizes, n_samples, value))
        ends[-1] = n_samples
        return np.diff(np.floor(ends + rng.random()), prepend=0).astype(int)

    def _check(self, value: float, n_samples: int, sizes: np.ndarray) -> None:
        check_enough(n_samples, int(sizes.sum()), "the table")
        lowest = extreme_mean(self.values, sizes, n_samples)
        highest = extreme_mean(self.values[::-1], sizes[::-1], n_samples)
        if not lowest < value < highest:
            raise InvalidInputError(
                f"`property_value` must be a mean of {self.name} that {n_samples} of the "
                f"{sizes.sum()} rows can have, between {lowest:.6g} and {highest:.6g}; got "
                f"{value!r}."
            )


def extreme_mean(values: np.ndarray, sizes: np.ndarray, n_samples: int) -> float:
    """Return the mean of the first ``n_samples`` rows, with groups in the given order."""
    counts = np.clip(n_samples - (np.cumsum(sizes) - sizes), 0, sizes)
    return float(values @ counts / n_samples)


def tilted_counts(values: np.ndarray, sizes: np.ndarray, n_samples: int, mean: float) -> np.ndarray:
    """Return the expected number of rows of each value, with sum ``n_samples`` and this mean.

    It is found by Newton's method with backtracking on the convex dual.
    """
    x = (values - mean) / np.ptp(values)

    def dual(point: np.ndarray) -> float:
        return float(sizes @ np.logaddexp(0, point[0] + point[1] * x) - n_samples * point[0])

    inclusion = n_samples / sizes.sum()
    point = np.array([np.log(inclusion / (1 - inclusion)), 0.0])
    for _ in range(MAX_STEPS):
        inclusion = expit(point[0] + point[1] * x)
        expected = sizes * inclusion
        gradient = np.array([expected.sum() - n_samples, expected @ x])
        if np.abs(gradient).max() <= TOLERANCE * n_samples:
            return expected
        variance = expected * (1 - inclusion)
        mixed = variance @ x
        hessian = np.array([[variance.sum(), mixed], [mixed, (variance * x) @ x]])
        point = _descend(dual, point, np.linalg.lstsq(hessian, gradient)[0], gradient)
    raise InvalidInputError(
        f"`property_value` must be further from the extreme means of {n_samples} rows; got "
        f"{mean!r}."
    )


def _descend(dual: Any, point: np.ndarray, step: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return the point after a step, halved until the decrease suffices (Armijo's rule)."""
    start, size = dual(point), 1.0
    bound, decrease = start + 1e-14 * abs(start), 1e-4 * float(step @ gradient)
    while size > TOLERANCE and dual(point - size * step) > bound - size * decrease:
        size /= 2
    return point - size * step
