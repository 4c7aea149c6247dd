"""Ctrl-C where a library would lose it, and where it would leave a module half loaded.

Python handles signals in the main thread alone; in other threads nothing is to be done here.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def interrupts_reach_caller() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of a block in which one was raised and swallowed.

    scikit-learn's ``MLPClassifier`` and skorch's nets stop training and return as if they were
    done.
    """
    raised = []
    handler = _handler()

    def noted(number: int, frame: FrameType | None) -> None:
        assert handler is not None
        try:
            handler(number, frame)
        except KeyboardInterrupt as interrupt:
            raised.append(interrupt)
            raise

    with _handling(noted if handler else None):
        yield
    if raised:
        raise raised[0]


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Handle Ctrl-C after the block: a module interrupted while it loads stays broken."""
    waiting: list[tuple[int, FrameType | None]] = []
    handler = _handler()
    with _handling((lambda *signal_: waiting.append(signal_)) if handler else None):
        yield
    if handler and waiting:
        handler(*waiting[0])


def _handler() -> Handler | None:
    """Return what handles Ctrl-C now; None if it is the system, or this is not the main thread."""
    handler = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    return handler if is_main and callable(handler) else None


@contextmanager
def _handling(handler: Handler | None) -> Iterator[None]:
    if handler is None:
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
