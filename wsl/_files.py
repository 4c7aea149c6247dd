"""Files written whole or not at all, and names that may not lead out of a folder.

What is written or read is for the caller.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .exceptions import ZooFileError


@contextmanager
def replacing(path: str | os.PathLike, temporary: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place if the block ends well.

    Its name is drawn unless ``temporary`` gives it. When this returns, the new file outlives a
    power cut too.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if temporary is None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{path.suffix}")
    # unlike mkstemp's 0600, the mode is what the user's umask leaves
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str, temporary: Path | None = None) -> Path:
    """Write a text file whole and return its path; until then, what stood there stays."""
    with replacing(path, temporary) as draft:
        draft.write_text(text, encoding="utf-8")
    return Path(path)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def contained(folder: Path, name: object, named_by: object) -> Path:
    """Return the file ``name`` in ``folder``; ZooFileError if it would lie anywhere else.

    ``named_by`` says where the name comes from: it is not trusted.
    """
    inside = isinstance(name, str) and name not in ("", "..") and not set(name) & set("/\\\0")
    if not inside or Path(str(name)).name != name:
        raise ZooFileError(f"{named_by} names {name!r}, a file outside its folder")
    return refuse_escape(folder / str(name), folder)


def refuse_escape(path: Path, folder: Path) -> Path:
    """Return ``path``, which lies in ``folder``; ZooFileError if links lead it out of there."""
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # a link to itself
        raise ZooFileError(f"{path} cannot be read: {error}") from error
    if not inside:
        raise ZooFileError(f"{path} is a link that leads outside {folder}")
    return path
