"""A real table with its rows in groups, from each of which a number of rows is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._row_pool import check_enough
from ._table_rows import take_rows


@dataclass(frozen=True, eq=False)
class StratifiedTable:
    """Rows of a table, sorted by group.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_rows, n_features)
        The rows.
    y : ndarray of shape (n_rows,)
        Their outcomes.
    sizes : ndarray of int of shape (n_groups,)
        Number of rows of each group, in the order of the rows.
    names : sequence of object of length n_groups
        Names of the groups in errors.
    """

    X: Any
    y: np.ndarray
    sizes: np.ndarray
    names: Sequence[object] | np.ndarray

    @classmethod
    def of(
        cls, X: Any, y: np.ndarray, groups: np.ndarray, names: Sequence[object] | np.ndarray
    ) -> "StratifiedTable":
        """Return the table of rows whose group is an index into ``names``."""
        order = groups.argsort(kind="stable")
        return cls(take_rows(X, order), y[order], np.bincount(groups, minlength=len(names)), names)

    def __len__(self) -> int:
        return len(self.X)

    def draw(
        self, counts: np.ndarray, rng: np.random.Generator
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        """Draw ``counts[g]`` different rows of each group g, in random order.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            The rows.
        y : ndarray of shape (n_samples,)
            Their outcomes.
        groups : ndarray of int of shape (n_samples,)
            Their groups.

        Raises
        ------
        InvalidInputError
            If a group has fewer rows.
        """
        for group in np.flatnonzero(counts > self.sizes)[:1]:
            check_enough(counts[group], self.sizes[group], self.names[group])
        whole = counts == self.sizes  # all rows: a column of numbers has many such groups
        starts = self._starts()
        drawn = [
            starts[group] + rng.choice(self.sizes[group], counts[group], replace=False)
            for group in np.flatnonzero(~whole & (counts > 0)).tolist()
        ]
        rows = np.concatenate([*drawn, np.flatnonzero(np.repeat(whole, self.sizes))])
        rows = rows[rng.permutation(len(rows))]
        groups = np.searchsorted(starts, rows, side="right") - 1
        return take_rows(self.X, rows), self.y[rows], groups

    def split(
        self, fraction: float, rng: np.random.Generator
    ) -> tuple["StratifiedTable", "StratifiedTable"]:
        """Split at random into two tables without a common row, ``fraction`` of each group first.

        Fractional rows are rounded at random, so that the fraction is right in expectation.
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

    def _take(self, parts: Sequence[np.ndarray], sizes: np.ndarray) -> "StratifiedTable":
        rows = np.concatenate(parts)
        return StratifiedTable(take_rows(self.X, rows), self.y[rows], sizes, self.names)
