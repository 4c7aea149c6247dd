"""Chunks of models spread over workers, and what comes back of them: rows, or what went wrong.

What happens to one chunk lives in ``_chunk``; what becomes of the rows, in ``_gather``.
"""

import pickle
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from ...exceptions import WslError
from ._chunk import ChunkJob, TrainedRows, train_models
from ._datasets import Datasets
from ._model_table import ModelTable


def train_chunks(
    job: ChunkJob,
    models: ModelTable,
    chunks: Iterable[tuple[int, int]],
    datasets: Datasets,
    test: Datasets | None,
    n_jobs: int | None,
) -> Iterator[tuple[int, TrainedRows | Exception]]:
    """Yield each chunk's first place and its rows, or its error, in the order of completion.

    ``chunks`` are ranges of places in ``models``. What wsl itself refuses is raised. An error of
    the backend, as when a worker was killed, comes as the last result: no more chunks follow.
    """

    def tasks() -> Iterator[Any]:
        for start, stop in chunks:
            own = models.part(start, stop)
            indices = own.table["model"].tolist()
            own_test = None if test is None else test.part(indices)
            yield delayed(_try)(start, job, own, datasets.part(indices), own_test)

    with _answers_for_lost_tasks():
        # one chunk a batch: it is long enough, and is to be written as soon as it is ready
        parallel = Parallel(n_jobs=n_jobs, batch_size=1, return_as="generator_unordered")
        try:
            yield from parallel(tasks())
        except WslError:
            raise
        except Exception as error:
            yield 0, error


def _try(
    start: int, job: ChunkJob, models: ModelTable, datasets: Datasets, test: Datasets | None
) -> tuple[int, TrainedRows | Exception]:
    """Return the place of the first model and its chunk's rows, or what went wrong.

    What wsl itself refuses is the caller's to mend: it is raised, and ends the run.
    """
    try:
        return start, train_models(job, models, datasets, test)
    except WslError:
        raise
    except Exception as error:
        return start, _portable(error)


def _portable(error: Exception) -> Exception:
    """Return an error that gets through to another process, its traceback as a note."""
    text = "".join(traceback.format_exception(error))
    try:
        sent = pickle.loads(pickle.dumps(error))  # some pickle and cannot be read again
    except Exception:
        sent = RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note(f"Where it was raised:\n{text}")
    return sent


@contextmanager
def _answers_for_lost_tasks() -> Iterator[None]:
    """Give joblib an answer for a task on which Dask has given up.

    When workers died of a task again and again, joblib (1.6.0) notes the exception and never calls
    back: it waits for ever.
    """
    backend, _ = get_active_backend()
    if type(backend).__name__ != "DaskDistributedBackend":
        yield
        return
    submit = backend.submit

    def watched(func: Any, callback: Any = None) -> Any:
        def answer(job: Any) -> None:
            if job.exception() is not None:
                callback([(0, job.exception())])

        job = submit(func, callback)
        job.add_done_callback(answer)
        return job

    backend.submit = watched
    try:
        yield
    finally:
        del backend.submit
