"""Locks of files: one process at a time, and a note of which it is.

The operating system frees the lock of a process that ends, however it ends. The note stays then,
and tells the next process what was left unfinished.
"""

import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from weakref import WeakSet

from .exceptions import FolderInUseError, ZooFileError

WAIT = 10.0
_POLL = 0.05
_LONGEST_NOTE = 2**16

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: IO[bytes]) -> bool:
        """Lock a byte beyond the note, which others can then still read."""
        handle.seek(2 * _LONGEST_NOTE)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(handle: IO[bytes]) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


class Lock:
    """A lock that this process holds.

    Attributes
    ----------
    left : dict
        What a process that was killed had noted.
    """

    def __init__(self, file: Path, handle: IO[bytes], sign: Path | None):
        self.file, self._handle, self._sign = file, handle, sign
        self._process = os.getpid()
        self.left = _read_note(file)
        _held.add(self)
        self.note(**self.left)

    def note(self, **entries: Any) -> None:
        """Note who holds the lock and what it is about to do; on disk when this returns."""
        self._handle.seek(0)
        self._handle.write(json.dumps({**entries, **_this_process()}).encode())
        self._handle.truncate()
        self._handle.flush()
        os.fsync(self._handle.fileno())

    def release(self) -> None:
        """Free the lock and remove its file; not in a child that was forked meanwhile."""
        _held.discard(self)
        if os.getpid() != self._process:
            return
        if os.name == "nt":  # a file in use cannot be removed, and then another process has it
            self._handle.close()
            with suppress(OSError):
                self.file.unlink(missing_ok=True)
        else:  # a process that waits for it notices that it is gone, and makes another
            self.file.unlink(missing_ok=True)
            self._handle.close()
        if self._sign is not None:
            self._sign.unlink(missing_ok=True)


_held: WeakSet[Lock] = WeakSet()


def _leave_to_parent() -> None:
    """Close a forked child's handles: the lock is its parent's and ends with it."""
    for lock in list(_held):
        lock._handle.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


@contextmanager
def locked(
    file: Path, wait: float | None, on_wait: Callable[[str], object] | None = None
) -> Iterator[Lock]:
    """Hold a lock during the block.

    Parameters
    ----------
    file : Path
        Made for the time of the block, in a folder that is there.
    wait : float, optional
        Seconds to wait for another process; None waits until it ends.
    on_wait : callable, optional
        Called once with the name of that process, if there is one.

    Raises
    ------
    FolderInUseError
        If another process still holds the lock then; its message names the process.
    ZooFileError
        If the file cannot be opened.
    """
    end = None if wait is None else time.monotonic() + wait
    lock = _acquire(file)
    if lock is None and on_wait is not None:
        on_wait(_holder(file))
    while lock is None:
        if end is not None and time.monotonic() >= end:
            raise FolderInUseError(
                f"{file.parent} is in use by {_holder(file)}, which writes into it; wait until it "
                "is done, or give another folder."
            )
        time.sleep(_POLL)
        lock = _acquire(file)
    try:
        yield lock
    finally:
        lock.release()


def _acquire(file: Path) -> Lock | None:
    """Return the lock; None while another process holds it."""
    try:
        handle = open(file, "r+b", opener=_open)  # noqa: SIM115
    except OSError as error:
        raise ZooFileError(f"{file} cannot be written: {error.strerror}") from error
    sign = None
    try:
        held = _try_lock(handle)
    except OSError:  # the file system has no locks
        sign = file.with_name(f"{file.name}.held")
        held = _try_sign(sign)
    if held and _is_at(handle, file):
        return Lock(file, handle, sign)
    handle.close()
    if held and sign is not None:
        sign.unlink(missing_ok=True)
    return None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _is_at(handle: IO[bytes], file: Path) -> bool:
    """Tell whether a file that was opened was not removed since, by the holder before."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.stat(file))
    except FileNotFoundError:
        return False


def _try_sign(sign: Path) -> bool:
    """Make a file that stands for the lock; remove that of a process that is dead."""
    try:
        with sign.open("xb") as handle:
            handle.write(json.dumps(_this_process()).encode())
        return True
    except FileExistsError:
        holder = _read_note(sign)
    if _is_dead(holder):
        aside = sign.with_name(f"{sign.name}.{secrets.token_hex(8)}")
        with suppress(FileNotFoundError):
            sign.rename(aside)
            if _read_note(aside) == holder:
                aside.unlink()
            else:  # another process was faster, and this is its own
                aside.rename(sign)
    return False


def _this_process() -> dict[str, Any]:
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _read_note(file: Path) -> dict[str, Any]:
    """Return what a lock's file says; nothing if it is being written, or is none of ours."""
    try:
        with file.open("rb") as handle:
            note = json.loads(handle.read(_LONGEST_NOTE))
    except (OSError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def _holder(file: Path) -> str:
    note = _read_note(file)
    if not {"pid", "host", "since"} <= note.keys():
        return "another process"
    return f"process {note['pid']} on {note['host']} (since {note['since']})"


def _is_dead(holder: dict[str, Any]) -> bool:
    """Tell whether a process was of this machine and is no more."""
    if holder.get("host") != socket.gethostname() or os.name == "nt":
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except (KeyError, OSError, OverflowError, TypeError):
        return False
    return False
