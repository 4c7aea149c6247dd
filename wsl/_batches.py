"""Rows in batches of bounded bytes, for arrays that may be larger than memory."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

BATCH_BYTES = 32 * 2**20
CACHE_BYTES = 256 * 2**20  # the largest converted copy of rows that is kept


def row_slices(n_rows: int, row_bytes: int) -> Iterator[slice]:
    """Cut ``n_rows`` into slices of at most ``BATCH_BYTES``, and of at least one row.

    ``row_bytes`` is the memory that one row takes, with its intermediate results.
    """
    size = max(1, BATCH_BYTES // row_bytes)
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def map_rows(
    function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, row_bytes: int | None = None
) -> np.ndarray:
    """Return ``function(rows)``, computed batch by batch.

    ``function`` takes ``(n_batch, n_weights)`` and returns an array with one entry per row, whose
    other axes and dtype do not depend on the batch. Only one batch is in memory beside the result.
    """
    joined = None
    for part in row_slices(len(rows), row_bytes or rows[:1].nbytes):
        values = function(rows[part])
        if len(values) == len(rows):
            return values
        if joined is None:
            joined = np.empty((len(rows), *values.shape[1:]), values.dtype)
        joined[part] = values
    assert joined is not None
    return joined


def column_moments(batches: Callable[[], Iterable[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of the columns, each ``(n_columns,)`` float64.

    Each call of ``batches`` yields all rows, ``(n_batch, n_columns)`` at a time. Deviations are
    computed in a second pass, as a difference of moments would lose small variances.
    """
    mean = _column_mean(batches())
    return mean, _column_mean(np.square(batch - mean) for batch in batches())


def _column_mean(batches: Iterable[np.ndarray]) -> np.ndarray:
    total, n_rows = np.float64(0.0), 0
    for batch in batches:
        total = total + batch.sum(axis=0, dtype=np.float64)
        n_rows += len(batch)
    return np.asarray(total / n_rows)
