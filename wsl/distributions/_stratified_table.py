"""``Strata``: a real table's rows in groups, so many drawn from each, without replacement.

How many rows of each group a property value asks for is decided in ``_quotas``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..exceptions import InvalidInputError


@dataclass(frozen=True, eq=False)
class Strata:
    """Rows of a table, those of a group together.

    Parameters
    ----------
    X : ndarray ``(n_rows, n_features)``
    y : ndarray ``(n_rows,)``
    sizes : ndarray ``(n_groups,)`` of int
        How many rows each group has, in the order in which the rows stand.
    names : sequence of str, or ndarray ``(n_groups,)``
        What an error calls each group.
    """

    X: np.ndarray
    y: np.ndarray
    sizes: np.ndarray
    names: Sequence[object] | np.ndarray

    @classmethod
    def of(
        cls, X: np.ndarray, y: np.ndarray, groups: np.ndarray, names: Sequence[object] | np.ndarray
    ) -> "Strata":
        """Return the strata of rows whose group is an index into ``names``."""
        order = groups.argsort(kind="stable")
        return cls(X[order], y[order], np.bincount(groups, minlength=len(names)), names)

    def __len__(self) -> int:
        return len(self.X)

    def draw(self, counts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw ``counts[g]`` different rows of each group g, and put them in random order.

        Returns
        -------
        X : ndarray ``(n_samples, n_features)``
        y : ndarray ``(n_samples,)``
        groups : ndarray ``(n_samples,)`` of int

        Raises
        ------
        InvalidInputError
            If a group has fewer rows.
        """
        for group in np.flatnonzero(counts > self.sizes)[:1]:
            raise InvalidInputError(
                f"n_samples asks for {counts[group]} rows of {self.names[group]}, which has "
                f"{self.sizes[group]}: rows are drawn without replacement, so draw smaller "
                "training sets or give more rows"
            )
        whole = counts == self.sizes  # nothing to choose: a column of numbers has many such groups
        starts = self._starts()
        chosen = [
            starts[group] + rng.choice(self.sizes[group], counts[group], replace=False)
            for group in np.flatnonzero(~whole & (counts > 0)).tolist()
        ]
        rows = np.concatenate([*chosen, np.flatnonzero(np.repeat(whole, self.sizes))])
        rows = rows[rng.permutation(len(rows))]
        groups = np.searchsorted(starts, rows, side="right") - 1
        return self.X[rows], self.y[rows], groups

    def split(self, fraction: float, rng: np.random.Generator) -> tuple["Strata", "Strata"]:
        """Split at random into two without a common row, ``fraction`` of each group's rows first.

        What does not divide evenly is rounded at random, up as often as makes the fraction right.
        """
        orders = [
            start + rng.permutation(size)
            for start, size in zip(self._starts().tolist(), self.sizes.tolist(), strict=True)
        ]
        cuts = np.floor(fraction * self.sizes + rng.random(len(self.sizes))).astype(int)
        pairs = zip(orders, cuts.tolist(), strict=True)
        firsts, seconds = zip(*((order[:cut], order[cut:]) for order, cut in pairs), strict=True)
        return self._take(firsts, cuts), self._take(seconds, self.sizes - cuts)

    def _starts(self) -> np.ndarray:
        return np.cumsum(self.sizes) - self.sizes

    def _take(self, parts: Sequence[np.ndarray], sizes: np.ndarray) -> "Strata":
        rows = np.concatenate(parts)
        return Strata(self.X[rows], self.y[rows], sizes, self.names)
