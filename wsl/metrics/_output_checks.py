"""Checks of arrays that the metrics share, and reading them in batches of bounded bytes."""

from collections.abc import Iterator

import numpy as np

from .._batches import row_slices
from ..exceptions import InvalidInputError


def check_outputs(outputs, name: str) -> np.ndarray:
    """Return outputs as a finite array ``(n_models, n_queries, n_outputs)``."""
    return check_array(outputs, name, 3)


def check_array(values, name: str, n_axes: int) -> np.ndarray:
    """Return values as a finite array with ``n_axes`` axes that is not empty."""
    values = np.asarray(values)
    if values.ndim != n_axes or values.size == 0:
        axes = ("n_models", "n_queries", "n_outputs") if n_axes == 3 else ("n_models", "n_weights")
        raise InvalidInputError(
            f"`{name}` must have shape ({', '.join(axes)}); got {values.shape}."
        )
    if values.dtype.kind not in "biuf":
        raise InvalidInputError(f"`{name}` must hold real numbers; got dtype {values.dtype}.")
    if not all(np.isfinite(batch).all() for batch in in_batches(values)):
        raise InvalidInputError(f"`{name}` must be finite; got NaN or infinity.")
    return values


def check_pair(first, second, name: str, other: str, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two such arrays of one shape."""
    first, second = check_array(first, name, n_axes), check_array(second, other, n_axes)
    if first.shape != second.shape:
        raise InvalidInputError(
            f"`{other}` must have the shape of `{name}`, {first.shape}; got {second.shape}."
        )
    return first, second


def n_ordered_pairs(n_models: int) -> int:
    """Return the number of ordered pairs of different models; at least 2 models are needed."""
    if n_models < 2:
        raise InvalidInputError(f"at least 2 models are needed to compare them; got {n_models}.")
    return n_models * (n_models - 1)


def in_batches(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield batches of models ``(n_batch, ...)`` whose float64 copies are of bounded bytes."""
    return (values[part] for part in row_slices(len(values), 8 * values[0].size))
