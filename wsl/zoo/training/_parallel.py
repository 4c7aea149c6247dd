"""Chunks of models distributed over workers, each of which returns rows or an error."""

import pickle
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from joblib import delayed
from joblib.parallel import get_active_backend

from ..._workers import run_jobs
from ...exceptions import WslError
from ._chunk import ChunkJob, TrainedRows, train_models
from ._datasets import Datasets
from ._model_table import ModelTable


def train_chunks(
    job: ChunkJob,
    models: ModelTable,
    chunks: Iterable[tuple[int, int]],
    datasets: Datasets,
    test_sets: Datasets | None,
    n_jobs: int | None,
) -> Iterator[tuple[int, TrainedRows | Exception]]:
    """Yield the index of each chunk's first model and its rows or error, as chunks complete.

    ``chunks`` are ranges of rows of ``models``. Errors of wsl are raised. An error of the backend,
    as when a worker was killed, comes as the last result, and no further chunks are trained.
    """

    def tasks() -> Iterator[Any]:
        for start, stop in chunks:
            part = models.part(start, stop)
            indices = part.table["model"].tolist()
            part_tests = None if test_sets is None else test_sets.part(indices)
            yield delayed(_try)(start, job, part, datasets.part(indices), part_tests)

    with _errors_of_lost_tasks():
        # one chunk per batch: it takes long enough, and is written as soon as it is ready
        try:
            yield from run_jobs(tasks(), n_jobs, ordered=False, batch_size=1)
        except WslError:
            raise
        except Exception as error:
            yield 0, error


def _try(
    start: int, job: ChunkJob, models: ModelTable, datasets: Datasets, test_sets: Datasets | None
) -> tuple[int, TrainedRows | Exception]:
    """Return the index of the first model and its chunk's rows, or the error.

    An error of wsl is the caller's to correct: it is raised, and ends the run.
    """
    try:
        return start, train_models(job, models, datasets, test_sets)
    except WslError:
        raise
    except Exception as error:
        return start, _portable(error)


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent to another process, with its traceback as a note."""
    text = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))  # some errors pickle but do not unpickle
    except Exception:
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(f"Where it was raised:\n{text}")
    return copy


@contextmanager
def _errors_of_lost_tasks() -> Iterator[None]:
    """Report to joblib the error of a task that Dask no longer runs.

    If a task kills its workers repeatedly, Dask gives it up with an error. joblib (1.6.0) sees that
    error but never calls back, so that it would wait for ever.
    """
    backend, _ = get_active_backend()
    if type(backend).__name__ != "DaskDistributedBackend":
        yield
        return
    submit = backend.submit

    def watched(func: Any, callback: Any = None) -> Any:
        def report(job: Any) -> None:
            if job.exception() is not None:
                callback([(0, job.exception())])

        job = submit(func, callback)
        job.add_done_callback(report)
        return job

    backend.submit = watched
    try:
        yield
    finally:
        del backend.submit
