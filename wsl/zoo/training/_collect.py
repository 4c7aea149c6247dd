"""From trained chunks to a zoo: in memory, or in a folder where an interrupted run is resumed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..._progress import progress_bar
from ...architectures import Architecture
from ...exceptions import TrainingFailedError
from .._zoo import ModelZoo
from ..storage._claim import claimed
from ..storage._writer import ZooWriter
from ._chunk import ChunkJob
from ._datasets import Datasets
from ._fingerprint import fingerprint
from ._model_table import ModelTable
from ._parallel import train_chunks


class MemoryWriter:
    """Collect a zoo in memory, with the interface of ``ZooWriter``."""

    def __init__(self, architecture: Architecture, n_rows: int):
        self.weights = np.empty((n_rows, architecture.n_weights), np.float32)
        self.done: list[tuple[int, int]] = []
        self._tables: dict[int, pd.DataFrame] = {}

    def write(self, start: int, weights: np.ndarray, table: pd.DataFrame) -> None:
        """Copy rows to their positions from ``start`` on, with their metadata."""
        self.weights[start : start + len(weights)] = weights
        self._tables[start] = table

    @property
    def metadata(self) -> pd.DataFrame:
        """The metadata of all rows, in order."""
        tables = [table for _, table in sorted(self._tables.items())]
        return pd.concat(tables, ignore_index=True)


def collect(
    job: ChunkJob,
    models: ModelTable,
    datasets: Datasets,
    test_sets: Datasets | None,
    out: str | Path | None,
    *,
    chunk_size: int,
    n_jobs: int | None,
    progress: bool | str,
) -> ModelZoo:
    """Train all models that ``out`` does not hold yet, and return the zoo of all models.

    Raises
    ------
    TrainingFailedError
        If some chunks raised, after the other chunks are trained; if a worker was killed, at once.
    FolderInUseError
        If another process writes into ``out``.
    """
    architecture = job.config.architecture
    n_rows = len(models) * len(job.config.checkpoints)

    def train(writer: MemoryWriter | ZooWriter) -> None:
        with progress_bar(progress, total=len(models), desc="training models", unit="model") as bar:
            _train_missing(writer, job, models, datasets, test_sets, chunk_size, n_jobs, bar)

    if out is None:
        memory = MemoryWriter(architecture, n_rows)
        train(memory)
        return ModelZoo(memory.weights, architecture, memory.metadata)
    run = fingerprint(job, models, datasets, test_sets)
    with claimed(Path(out)) as claim:
        writer = ZooWriter(claim, architecture, n_rows, run)
        train(writer)
        return ModelZoo.load(writer.finish(), architecture, mmap=True)


def _train_missing(
    writer: MemoryWriter | ZooWriter,
    job: ChunkJob,
    models: ModelTable,
    datasets: Datasets,
    test_sets: Datasets | None,
    chunk_size: int,
    n_jobs: int | None,
    bar: Any,
) -> None:
    """Write the rows of the chunks that ``writer`` lacks; count models on the bar."""
    n_checkpoints = len(job.config.checkpoints)
    done = [(start // n_checkpoints, stop // n_checkpoints) for start, stop in writer.done]
    missing = np.ones(len(models), bool)

    def mark_done(start: int, stop: int) -> None:
        missing[start:stop] = False
        bar.update(stop - start)

    for start, stop in done:
        mark_done(start, stop)
    if not missing.any():
        return
    cause: Exception | None = None
    chunks = _missing_chunks(done, len(models), chunk_size)
    for start, result in train_chunks(job, models, chunks, datasets, test_sets, n_jobs):
        if isinstance(result, Exception):
            cause = cause or result
            continue
        writer.write(start * n_checkpoints, result.weights, result.table)
        mark_done(start, start + len(result.weights) // n_checkpoints)
    if missing.any():
        raise _failure(models.table["model"].to_numpy(), missing, cause) from cause


def _missing_chunks(
    done: list[tuple[int, int]], n_models: int, size: int
) -> Iterator[tuple[int, int]]:
    """Yield ranges of at most ``size`` models that are not done; ``done`` is in order."""
    edges = [0, *(edge for ends in done for edge in ends), n_models]
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        for start in range(first, last, size):
            yield start, min(start + size, last)


def _failure(
    models: np.ndarray, missing: np.ndarray, cause: Exception | None
) -> TrainingFailedError:
    """Return the error that names the missing models and the first cause."""
    failed = models[missing]
    shown = f"{failed[:20].tolist()}{' and more' if len(failed) > 20 else ''}"
    reason = "" if cause is None else f"; {type(cause).__name__}: {cause}"
    return TrainingFailedError(
        f"{len(failed)} of {len(models)} models were not trained: models {shown}{reason}", failed
    )
