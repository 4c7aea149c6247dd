"""Rows of a real table from which training sets are drawn without replacement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError
from ._table_rows import concatenate_rows, take_rows


@dataclass(frozen=True, eq=False)
class RowPool:
    """Rows from which a sampler draws without replacement.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_rows, n_features)
        The rows.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Their outcomes.
    name : str
        Name of the pool in errors.
    """

    X: Any
    y: np.ndarray
    name: str

    def __len__(self) -> int:
        return len(self.X)

    def __call__(self, n_samples: int, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
        """Draw ``n_samples`` different rows; raise InvalidInputError if the pool has fewer."""
        check_enough(n_samples, len(self), self.name)
        rows = rng.choice(len(self), n_samples, replace=False)
        return take_rows(self.X, rows), self.y[rows]

    def split(self, fraction: float, rng: np.random.Generator) -> tuple["RowPool", "RowPool"]:
        """Split at random into two pools without a common row, ``fraction`` of the rows first."""
        order = rng.permutation(len(self))
        cut = round(fraction * len(self))
        first, second = order[:cut], order[cut:]
        return (
            RowPool(take_rows(self.X, first), self.y[first], self.name),
            RowPool(take_rows(self.X, second), self.y[second], self.name),
        )


def check_enough(n_samples: int, n_rows: int, name: object) -> None:
    """Raise InvalidInputError if more rows are drawn than there are."""
    if n_samples > n_rows:
        raise InvalidInputError(
            f"`n_samples` must leave enough rows to draw without replacement: {n_samples} are "
            f"needed of {name}, which has {n_rows}. Draw smaller training sets or give more rows."
        )


def check_fraction(fraction: float) -> None:
    """Raise InvalidInputError unless ``fraction`` leaves rows on both sides of a split."""
    if not 0 < fraction < 1:
        raise InvalidInputError(f"`fraction` must be between 0 and 1; got {fraction!r}.")


def join_shuffled(parts: Sequence[Sequence[Any]], rng: np.random.Generator) -> tuple[Any, ...]:
    """Concatenate parts ``(X, y, ...)`` row by row, and shuffle the rows."""
    columns = [concatenate_rows(arrays) for arrays in zip(*parts, strict=True)]
    order = rng.permutation(len(columns[0]))
    return tuple(take_rows(column, order) for column in columns)
