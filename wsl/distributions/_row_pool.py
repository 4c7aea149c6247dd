"""``Pool``: rows of a real table to draw training sets from, and helpers to join what was drawn.

Which rows go with which property value is decided by the families.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array

from ..exceptions import InvalidInputError


@dataclass(frozen=True, eq=False)
class Pool:
    """Rows that a sampler draws without replacement.

    Parameters
    ----------
    X : ndarray ``(n_rows, n_features)`` float32
    y : ndarray ``(n_rows,)``
    name : str
        What an error calls it.
    """

    X: np.ndarray
    y: np.ndarray
    name: str

    def __len__(self) -> int:
        return len(self.X)

    def __call__(self, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``n_samples`` different rows; InvalidInputError if the pool has fewer."""
        if n_samples > len(self):
            raise InvalidInputError(
                f"n_samples asks for {n_samples} rows of {self.name}, which has {len(self)}: rows "
                "are drawn without replacement, so draw smaller training sets or give more rows"
            )
        rows = rng.choice(len(self), n_samples, replace=False)
        return self.X[rows], self.y[rows]

    def split(self, fraction: float, rng: np.random.Generator) -> tuple["Pool", "Pool"]:
        """Split at random into two pools without a common row, ``fraction`` of them first."""
        order = rng.permutation(len(self))
        cut = round(fraction * len(self))
        first, second = order[:cut], order[cut:]
        return (
            Pool(self.X[first], self.y[first], self.name),
            Pool(self.X[second], self.y[second], self.name),
        )


def check_table(X: Any, y: Any, name: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Return ``X`` as float32 ``(n_rows, n_features)``, finite, and ``y`` with one entry a row."""
    try:
        rows = check_array(X, dtype=np.float32, input_name=f"{name}X")
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"{name}X: {error}") from error
    return rows, check_column(y, len(rows), f"{name}y")


def check_column(values: Any, n_rows: int, name: str) -> np.ndarray:
    """Return ``values`` as an array ``(n_rows,)``."""
    column = np.asarray(values)
    if column.shape != (n_rows,):
        raise InvalidInputError(
            f"{name} has shape {column.shape}; wanted one entry for each of {n_rows} rows"
        )
    return column


def check_fraction(fraction: float) -> None:
    """Raise InvalidInputError unless ``fraction`` leaves rows on both sides of a split."""
    if not 0 < fraction < 1:
        raise InvalidInputError(f"fraction={fraction!r}; wanted a number between 0 and 1")


def join_shuffled(
    parts: Sequence[Sequence[np.ndarray]], rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Concatenate parts ``(X, y, ...)`` row by row, and put the rows in random order."""
    columns = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    order = rng.permutation(len(columns[0]))
    return tuple(column[order] for column in columns)
