"""Progress bars: the meaning of ``progress=``."""

import sys
from typing import Any

from tqdm.auto import tqdm

from .exceptions import InvalidInputError


def progress_bar(progress: bool | str, **options: Any) -> Any:
    """Return a tqdm bar that shows if ``progress`` is True, or "auto" on a terminal or notebook."""
    return tqdm(disable=not shows_progress(progress), **options)


def shows_progress(progress: bool | str) -> bool:
    """Return whether bars are drawn; raise InvalidInputError unless True, False or "auto"."""
    if isinstance(progress, str) and progress == "auto":
        return sys.stderr.isatty() or "ipykernel" in sys.modules
    if not isinstance(progress, bool):
        raise InvalidInputError(f"`progress` must be True, False or 'auto'; got {progress!r}.")
    return progress
