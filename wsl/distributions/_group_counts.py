"""How many rows of each group make a property true: shares, presence, or a tilted column's mean.

The rows themselves are drawn in ``_strata``.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import expit

from ..exceptions import InvalidInputError

MAX_STEPS = 200
TOLERANCE = 1e-9


class Quota(Protocol):
    """From a property value to how many rows of each group a training set holds."""

    def counts(
        self, value: Any, n_samples: int, sizes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return ``(n_groups,)`` of int that sum to ``n_samples``."""
        ...


@dataclass(frozen=True)
class Shares:
    """The property is the shares of the first groups; the last one, if any is left, has the rest.

    Parameters
    ----------
    n_groups : int
    """

    n_groups: int

    def counts(
        self, value: Any, n_samples: int, sizes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return counts that differ from ``share * n_samples`` by less than one."""
        # .1 + .2 is a little more than .3: a half is to be rounded up whichever way it came about
        ends = np.floor(np.cumsum(value) * n_samples + 0.5 + TOLERANCE)
        ends = np.minimum(np.append(ends, n_samples)[: self.n_groups], n_samples)
        ends[-1] = n_samples
        return np.diff(ends, prepend=0).astype(int)


@dataclass(frozen=True)
class Presence:
    """The property is whether the first of two groups is there, with its share in the table."""

    share: float

    def counts(
        self, value: Any, n_samples: int, sizes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return counts with one row of the group at least, or none."""
        n_group = max(1, math.floor(self.share * n_samples + 0.5)) if value else 0
        return np.array([n_group, n_samples - n_group])


@dataclass(frozen=True, eq=False)
class Tilt:
    r"""The property is the mean of a column; rows are the likelier drawn the higher their value.

    Notes
    -----
    A row with the value v is in the sample with the probability

    .. math:: \pi(v) = 1 / (1 + e^{-\alpha - \theta v}), \quad
              \sum \pi(v_i) = n, \quad \sum \pi(v_i) v_i = n\, \mathrm{mean}:

    of all ways to draw n different rows that have the mean in expectation, that of the greatest
    entropy, up to the fixed size; for n small against the table it is an exponential tilt of the
    rows' weights. Counts are drawn systematically over the ascending values, so that each sample's
    own mean is off by at most the column's range over n.

    Parameters
    ----------
    values : ndarray ``(n_groups,)`` float64
        The column's different values, ascending; rows of equal value are a group.
    name : str
        What an error calls the column.
    """

    values: np.ndarray
    name: str

    def counts(
        self, value: Any, n_samples: int, sizes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return counts whose expectations have the mean ``value``."""
        self._check(value, n_samples, sizes)
        ends = np.cumsum(tilted_counts(self.values, sizes, n_samples, value))
        ends[-1] = n_samples
        return np.diff(np.floor(ends + rng.random()), prepend=0).astype(int)

    def _check(self, value: float, n_samples: int, sizes: np.ndarray) -> None:
        if n_samples > sizes.sum():
            raise InvalidInputError(
                f"n_samples={n_samples} rows are more than the {sizes.sum()} of the table; rows "
                "are drawn without replacement"
            )
        lowest = extreme_mean(self.values, sizes, n_samples)
        highest = extreme_mean(self.values[::-1], sizes[::-1], n_samples)
        if not lowest < value < highest:
            raise InvalidInputError(
                f"property_value={value!r} cannot be the mean of {self.name}: any {n_samples} of "
                f"the {sizes.sum()} rows have a mean between {lowest:.6g} and {highest:.6g}"
            )


def extreme_mean(values: np.ndarray, sizes: np.ndarray, n_samples: int) -> float:
    """Return the mean of the first ``n_samples`` rows, groups taken in the order given."""
    taken = np.clip(n_samples - (np.cumsum(sizes) - sizes), 0, sizes)
    return float(values @ taken / n_samples)


def tilted_counts(values: np.ndarray, sizes: np.ndarray, n_samples: int, mean: float) -> np.ndarray:
    """Return the expected number of rows of each value, summing to ``n_samples``, of that mean.

    Newton's method on the convex dual, with steps halved until it falls.
    """
    x = (values - mean) / np.ptp(values)

    def dual(point: np.ndarray) -> float:
        return float(sizes @ np.logaddexp(0, point[0] + point[1] * x) - n_samples * point[0])

    share = n_samples / sizes.sum()
    point = np.array([np.log(share / (1 - share)), 0.0])
    for _ in range(MAX_STEPS):
        inclusion = expit(point[0] + point[1] * x)
        expected = sizes * inclusion
        gradient = np.array([expected.sum() - n_samples, expected @ x])
        if np.abs(gradient).max() <= TOLERANCE * n_samples:
            return expected
        spread = expected * (1 - inclusion)
        slope = spread @ x
        curvature = np.array([[spread.sum(), slope], [slope, (spread * x) @ x]])
        point = _descend(dual, point, np.linalg.lstsq(curvature, gradient)[0], gradient)
    raise InvalidInputError(
        f"property_value={mean!r} lies too near to what the table can give to {n_samples} rows"
    )


def _descend(dual: Any, point: np.ndarray, step: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return the point after a step, halved until it gains enough, or as much as rounding shows."""
    start, size = dual(point), 1.0
    bound, wanted = start + 1e-14 * abs(start), 1e-4 * float(step @ gradient)
    while size > TOLERANCE and dual(point - size * step) > bound - size * wanted:
        size /= 2
    return point - size * step
