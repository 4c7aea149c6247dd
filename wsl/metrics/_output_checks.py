"""What the metrics share: checks of shapes and values, and reading in batches of bounded bytes.

No metric lives here.
"""

from collections.abc import Iterator

import numpy as np

from .._batches import row_slices
from ..exceptions import InvalidInputError


def check_outputs(outputs, name: str) -> np.ndarray:
    """Return outputs as an array ``(n_models, n_queries, n_outputs)``, all finite."""
    return check_array(outputs, name, 3)


def check_array(values, name: str, n_axes: int) -> np.ndarray:
    """Return values as an array of so many axes that is not empty, all finite."""
    values = np.asarray(values)
    if values.ndim != n_axes or values.size == 0:
        axes = ("n_models", "n_queries", "n_outputs") if n_axes == 3 else ("n_models", "n_weights")
        raise InvalidInputError(f"{name} has shape {values.shape}; wanted ({', '.join(axes)})")
    if not all(np.isfinite(batch).all() for batch in in_batches(values)):
        raise InvalidInputError(f"{name} holds values that are not finite")
    return values


def check_pair(first, second, name: str, other: str, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two such arrays of one shape."""
    first, second = check_array(first, name, n_axes), check_array(second, other, n_axes)
    if first.shape != second.shape:
        raise InvalidInputError(f"{other} has shape {second.shape}, but {name} has {first.shape}")
    return first, second


def n_ordered_pairs(n_models: int) -> int:
    """Return how many pairs of different models there are; at least 2 models are needed."""
    if n_models < 2:
        raise InvalidInputError(
            f"got {n_models} model; wanted at least 2 to compare with each other"
        )
    return n_models * (n_models - 1)


def in_batches(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield models ``(n_batch, ...)`` whose float64 copies are of bounded bytes."""
    return (values[part] for part in row_slices(len(values), 8 * values[0].size))
