"""Work spread over joblib's workers, none of which outlives the process that it works for."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import joblib

from ._interrupts import termination_unwinds

_SECONDS = 0.5
START_SECONDS = 4.0  # of a worker process, which imports torch and scikit-learn
N_TIMED = 3


def run_jobs(
    jobs: Iterable[Any],
    n_jobs: int | None,
    ordered: bool = True,
    batch_size: int | str = "auto",
    n_total: int | None = None,
) -> Iterator[Any]:
    """Run jobs made by ``joblib.delayed`` and return their results, each as soon as it is there.

    Parameters
    ----------
    jobs : iterable
    n_jobs : int, optional
        Workers; by default what ``joblib.parallel_config`` says, or one.
    ordered : bool
        Whether results come in the order of the jobs, and not of completion.
    batch_size : int or "auto"
        Jobs that a worker is sent at once.
    n_total : int, optional
        Number of jobs, all of about the same length. Where it is given, the first of them run in
        this process, and the others too unless worker processes would save more time than they
        take to start.
    """
    jobs = iter(jobs)
    if n_total is not None and _starts_processes(n_jobs):
        seconds = []
        for function, arguments, options in islice(jobs, N_TIMED):
            start = time.perf_counter()
            yield function(*arguments, **options)
            seconds.append(time.perf_counter() - start)
        left = (n_total - len(seconds)) * min(seconds, default=0.0)
        if left * (1 - 1 / joblib.effective_n_jobs(n_jobs)) < START_SECONDS:
            n_jobs = 1
    yield from _run(jobs, n_jobs, ordered, batch_size)


def _starts_processes(n_jobs: int | None) -> bool:
    """Return whether jobs would run in worker processes of this machine."""
    backend, _ = joblib.parallel.get_active_backend()
    return joblib.effective_n_jobs(n_jobs) > 1 and type(backend).__name__ == "LokyBackend"


def _run(
    jobs: Iterable[Any], n_jobs: int | None, ordered: bool, batch_size: int | str
) -> Iterator[Any]:
    order = "generator" if ordered else "generator_unordered"
    parallel = joblib.Parallel(n_jobs=n_jobs, batch_size=batch_size, return_as=order)
    here = os.getpid()
    results = parallel(
        joblib.delayed(_work)(here, function, *arguments, **options)
        for function, arguments, options in jobs
    )
    with termination_unwinds():
        yield from results


def _work(employer: int, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid == employer:
        _end_with(employer)
    return function(*arguments, **options)


@lru_cache(maxsize=1)
def _end_with(parent: int) -> None:
    """End this worker soon after its parent is killed; idle, it would notice after minutes only.

    Windows leaves an orphan its parent's number, so nothing happens there.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
