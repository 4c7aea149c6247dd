"""What a command has done so far: its steps, what it saved, and how it ends."""

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..exceptions import WslWarning

FROM_CACHE = "run the same command again: models that are trained are found in its cache"


@dataclass
class Session:
    """One run of a command.

    Attributes
    ----------
    n_steps : int
        Number of steps; each is announced on a terminal, none elsewhere.
    out : Path or None
        The folder that the command writes to.
    saved : list of str
        What it has written there.
    resume : str
        What to do after an interrupt.
    """

    n_steps: int = 0
    out: Path | None = None
    saved: list[str] = field(default_factory=list)
    resume: str = "run the same command again to compute everything"
    _step: int = 0
    _start: float = field(default_factory=time.perf_counter)

    def step(self, text: str) -> None:
        """Announce the next step on a terminal."""
        self._step += 1
        if sys.stderr.isatty():
            print(f"[{self._step}/{self.n_steps}] {text}", file=sys.stderr)

    @property
    def seconds(self) -> float:
        """Seconds since the command began."""
        return time.perf_counter() - self._start

    def interrupted(self) -> str:
        """Return what an interrupt left behind, in one line."""
        if self.out is None:
            return "interrupted"
        saved = ", ".join(self.saved) or "nothing"
        return f"interrupted; saved in {self.out}: {saved}; {self.resume}"


@contextmanager
def notes() -> Iterator[None]:
    """Show each warning of wsl as one line, and each only once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    for text in dict.fromkeys(str(w.message) for w in caught if _is_ours(w)):
        print(f"note: {text}", file=sys.stderr)
    for warning in caught:
        if not _is_ours(warning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def _is_ours(warning: warnings.WarningMessage) -> bool:
    return issubclass(warning.category, WslWarning)
