"""Files: written completely or not at all, opened only if regular, named within their folder."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from .exceptions import WslError, ZooFileError

_FILE_TYPES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def open_regular(
    path: str | os.PathLike,
    max_bytes: int | None = None,
    *,
    error: type[WslError] = ZooFileError,
) -> Iterator[BufferedReader]:
    """Open a file for reading, if it is a regular file of at most ``max_bytes``.

    Anything else would block, never end or fill the memory: a named pipe, a device, a folder, a
    file larger than what the caller is prepared for. An ``error`` that says what is wrong is raised
    for it, and for a file that cannot be opened or read.
    """
    path = Path(path)
    try:
        _check_regular(path, path.stat(), max_bytes, error)
        # O_NONBLOCK: a pipe may replace the file meanwhile
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as cause:  # ValueError: a name with a null character
        raise unreadable(path, cause, error) from cause
    with os.fdopen(descriptor, "rb") as handle:
        try:
            _check_regular(path, os.fstat(descriptor), max_bytes, error)
            yield handle
        except OSError as cause:
            raise unreadable(path, cause, error) from cause


def read_bytes(
    path: str | os.PathLike, max_bytes: int, *, error: type[WslError] = ZooFileError
) -> bytes:
    """Return the contents of a regular file of at most ``max_bytes``; see ``open_regular``."""
    with open_regular(path, max_bytes, error=error) as handle:
        # a read allocates as much as it is asked for, so no more than the file has is
        size = os.fstat(handle.fileno()).st_size
        data = handle.read(size + 1)
    if len(data) > size:
        raise error(f"{path} must not grow while it is read; it had {size} bytes.")
    return data


def unreadable(
    path: str | os.PathLike, cause: Exception, error: type[WslError] = ZooFileError
) -> WslError:
    """Return the error of a file that cannot be read; an error of wsl stays as it is."""
    if isinstance(cause, WslError):
        return cause
    return error(f"{path} cannot be read: {getattr(cause, 'strerror', None) or cause}.")


def _check_regular(
    path: Path, status: os.stat_result, max_bytes: int | None, error: type[WslError]
) -> None:
    if not stat.S_ISREG(status.st_mode):
        file_type = _FILE_TYPES.get(stat.S_IFMT(status.st_mode), "something else")
        raise error(f"{path} must be a regular file to be read; got {file_type}.")
    if max_bytes is not None and status.st_size > max_bytes:
        raise error(f"{path} must have at most {max_bytes} bytes; got {status.st_size}.")


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
        with naming_file(path):
            yield temporary
            sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming_file(path: str | os.PathLike) -> Iterator[None]:
    """Add the file to an error of the system that does not name one, as on a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None or isinstance(error, WslError):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


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
