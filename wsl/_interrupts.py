"""Ctrl-C where a library would lose it, or leave a module half loaded; and SIGTERM with workers.

Python handles signals in the main thread alone; in other threads nothing is to be done here.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def interrupts_reach_caller() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of a block in which one was raised and swallowed.

    scikit-learn's ``MLPClassifier`` and skorch's nets stop training and return as if they were
    done. Others fail with an error of their own, of which the interrupt is the cause.
    """
    raised: list[KeyboardInterrupt] = []
    handler = signal.getsignal(signal.SIGINT)

    def noted(number: int, frame: FrameType | None) -> None:
        assert callable(handler)
        try:
            handler(number, frame)
        except KeyboardInterrupt as interrupt:
            raised.append(interrupt)
            raise

    try:
        with _handling(signal.SIGINT, noted if callable(handler) else None):
            yield
    except Exception as error:
        if raised:
            raise raised[0] from error
        raise
    if raised:
        raise raised[0]


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Handle Ctrl-C after the block: a module interrupted while it loads stays broken."""
    waiting: list[tuple[int, FrameType | None]] = []
    handler = signal.getsignal(signal.SIGINT)

    def wait(*received: Any) -> None:
        waiting.append(received)

    with _handling(signal.SIGINT, wait if callable(handler) else None):
        yield
    if callable(handler) and waiting:
        handler(*waiting[0])


@contextmanager
def termination_unwinds() -> Iterator[None]:
    """Raise SystemExit on SIGTERM, on which joblib ends its workers.

    By default the system ends this process alone. A handler of the user's own stays.
    """
    default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with _handling(signal.SIGTERM, _exit if default else None):
        yield


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def _handling(number: int, handler: Handler | None) -> Iterator[None]:
    """Handle a signal during the block, which a generator may leave in another thread."""
    if handler is None or not _in_main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        if _in_main_thread():
            signal.signal(number, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
