"""From chunks to a zoo: in memory or in a folder, resumed where a run was broken off.

Spreading chunks over workers lives in ``_spread``, the folder in ``_writer``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..._progress import progress_bar
from ...architectures import Architecture
from ...exceptions import TrainingFailedError
from .._zoo import ModelZoo
from ..storage._writer import ZooWriter
from ._chunk import ChunkJob
from ._datasets import Datasets
from ._fingerprint import fingerprint
from ._model_table import ModelTable
from ._parallel import train_chunks


class MemoryWriter:
    """A zoo gathered in memory, in the way in which ``ZooWriter`` writes one to disk."""

    def __init__(self, architecture: Architecture, n_rows: int):
        self.weights = np.empty((n_rows, architecture.n_weights), np.float32)
        self.done: list[tuple[int, int]] = []
        self._tables: dict[int, pd.DataFrame] = {}

    def write(self, start: int, weights: np.ndarray, table: pd.DataFrame) -> None:
        """Take rows from ``start`` on, with what is known of each."""
        self.weights[start : start + len(weights)] = weights
        self._tables[start] = table

    @property
    def metadata(self) -> pd.DataFrame:
        """What is known of all rows."""
        tables = [table for _, table in sorted(self._tables.items())]
        return pd.concat(tables, ignore_index=True)


def gather(
    job: ChunkJob,
    models: ModelTable,
    datasets: Datasets,
    test: Datasets | None,
    out: str | Path | None,
    *,
    chunk_size: int,
    n_jobs: int | None,
    progress: bool | str,
) -> ModelZoo:
    """Train all models, but for those that ``out`` holds, and return their zoo.

    Raises
    ------
    TrainingFailedError
        After the other chunks are trained, if some raised; at once, if a worker was killed.
    """
    architecture = job.recipe.architecture
    n_rows = len(models) * len(job.recipe.checkpoints)
    writer: MemoryWriter | ZooWriter
    if out is None:
        writer = MemoryWriter(architecture, n_rows)
    else:
        writer = ZooWriter(out, architecture, n_rows, fingerprint(job, models, datasets, test))
    with progress_bar(progress, total=len(models), desc="training models", unit="model") as bar:
        _train_missing(writer, job, models, datasets, test, chunk_size, n_jobs, bar)
    if isinstance(writer, MemoryWriter):
        return ModelZoo(writer.weights, architecture, writer.metadata)
    return ModelZoo.load(writer.finish(), architecture, mmap=True)


def _train_missing(
    writer: MemoryWriter | ZooWriter,
    job: ChunkJob,
    models: ModelTable,
    datasets: Datasets,
    test: Datasets | None,
    chunk_size: int,
    n_jobs: int | None,
    bar: Any,
) -> None:
    n_checkpoints = len(job.recipe.checkpoints)
    done = [(start // n_checkpoints, stop // n_checkpoints) for start, stop in writer.done]
    missing = np.ones(len(models), bool)

    def count(start: int, stop: int) -> None:
        missing[start:stop] = False
        bar.update(stop - start)

    for start, stop in done:
        count(start, stop)
    if not missing.any():
        return
    cause: Exception | None = None
    chunks = _cut(done, len(models), chunk_size)
    for start, result in train_chunks(job, models, chunks, datasets, test, n_jobs):
        if isinstance(result, Exception):
            cause = cause or result
            continue
        writer.write(start * n_checkpoints, result.weights, result.table)
        count(start, start + len(result.weights) // n_checkpoints)
    if missing.any():
        raise _failure(models.table["model"].to_numpy(), missing, cause) from cause


def _cut(done: list[tuple[int, int]], n_models: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges, a chunk each, of models that are not done; ``done`` is in order."""
    edges = [0, *(edge for ends in done for edge in ends), n_models]
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        for start in range(first, last, size):
            yield start, min(start + size, last)


def _failure(
    names: np.ndarray, missing: np.ndarray, cause: Exception | None
) -> TrainingFailedError:
    failed = names[missing]
    shown = f"{failed[:20].tolist()}{' and more' if len(failed) > 20 else ''}"
    reason = "" if cause is None else f"; {type(cause).__name__}: {cause}"
    return TrainingFailedError(
        f"{len(failed)} of {len(names)} models were not trained: models {shown}{reason}", failed
    )
