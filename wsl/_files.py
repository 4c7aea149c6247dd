"""Files that are written completely or not at all, and names that stay within a folder."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .exceptions import ZooFileError


@contextmanager
def replacing(path: str | os.PathLike, temporary: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` if the block ends without an error.

    Its name is random unless ``temporary`` is given. When this returns, the new file is on the disk
    and survives a power cut.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if temporary is None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{path.suffix}")
    # with the permissions of the user's umask, where mkstemp would allow the user alone
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str, temporary: Path | None = None) -> Path:
    """Write a text file and return its path; an earlier file stays until the new one is done."""
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
    """Return the file ``name`` in ``folder``; raise ZooFileError if it would be anywhere else.

    The name is not trusted; ``named_by`` is where it comes from, for the error message.
    """
    inside = isinstance(name, str) and name not in ("", "..") and not set(name) & set("/\\\0")
    if not inside or Path(str(name)).name != name:
        raise ZooFileError(f"{named_by} names {name!r}, a file outside its folder.")
    return refuse_escape(folder / str(name), folder)


def refuse_escape(path: Path, folder: Path) -> Path:
    """Return ``path`` in ``folder``; raise ZooFileError if links lead out of the folder."""
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # a link to itself
        raise ZooFileError(f"{path} cannot be read: {error}") from error
    if not inside:
        raise ZooFileError(f"{path} is a link that leads outside {folder}.")
    return path
