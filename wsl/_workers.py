"""Work spread over joblib's workers, none of which outlives the process that it works for."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import joblib

from ._interrupts import termination_unwinds

_SECONDS = 0.5


def run_jobs(
    jobs: Iterable[Any], n_jobs: int | None, ordered: bool = True, batch_size: int | str = "auto"
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
    """
    order = "generator" if ordered else "generator_unordered"
    parallel = joblib.Parallel(n_jobs=n_jobs, batch_size=batch_size, return_as=order)
    here = os.getpid()
    results = parallel(
        joblib.delayed(_work)(here, function, *arguments, **options)
        for function, arguments, options in jobs
    )
    return _with_termination(results)


def _with_termination(results: Iterable[Any]) -> Iterator[Any]:
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
