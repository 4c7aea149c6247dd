"""The exclusive right to write a zoo into a folder, where only files of wsl are removed.

A file in the folder may be the user's, whatever its name. A claim removes weights that a manifest
or journal named and that are no longer needed, and weights that were recorded in the folder's lock
before they were started, which a killed process may leave behind.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ... import _locks
from ..._files import sync
from ...exceptions import ZooFileError
from ._journal import JOURNAL, begun_weights
from ._manifest import MANIFEST, read_manifest
from ._weights_file import draft_of

LOCK = ".zoo.lock"
_WEIGHTS = re.compile(r"weights-[0-9a-f]{16}\.safetensors")


class FolderClaim:
    """The right to write into a folder; made by ``claimed``."""

    def __init__(self, path: Path, lock: _locks.Lock):
        self.path, self._lock = path, lock
        left = lock.left.get("weights")
        self._new: set[str] = set()
        self._stale = {str(name) for name in left} if isinstance(left, list) else set()

    def new_weights_file(self) -> Path:
        """Return a path for weights that no file in the folder has, and record it in the lock."""
        file = self.path / f"weights-{secrets.token_hex(8)}.safetensors"
        self._new.add(file.name)
        with suppress(ZooFileError):  # the weights of a damaged manifest are kept
            self._stale |= self._named()
        self._lock.note(weights=sorted(self._new | self._stale))
        return file

    def clear(self) -> None:
        """Remove files of wsl that neither the zoo in the folder nor an unfinished one needs."""
        journaled = begun_weights(self.path)
        try:
            named, begun = self._named(), self._new | self._stale | journaled
        except ZooFileError:  # which weights belong to a damaged manifest is unknown
            named, begun = set(), self._new
        if named and journaled:
            (self.path / JOURNAL).unlink(missing_ok=True)
        for name in filter(_WEIGHTS.fullmatch, begun):
            file = self.path / name
            for target in (MANIFEST, JOURNAL):
                draft_of(file, target).unlink(missing_ok=True)
            if name not in (named or journaled):
                file.unlink(missing_ok=True)
        sync(self.path)

    def _named(self) -> set[str]:
        """Return the weights of the zoo in the folder, if there is one."""
        exists = (self.path / MANIFEST).exists()
        return {str(read_manifest(self.path)["weights"])} if exists else set()


@contextmanager
def claimed(path: Path) -> Iterator[FolderClaim]:
    """Create a folder and claim it during the block; files that are not needed are removed.

    Raises
    ------
    ZooFileError
        If the path is a file.
    FolderInUseError
        If another process still writes into the folder after some seconds.
    """
    if path.exists() and not path.is_dir():
        raise ZooFileError(f"{path} must be a folder to write the zoo into; got a file.")
    path.mkdir(parents=True, exist_ok=True)
    with _locks.locked(path / LOCK, _locks.WAIT) as lock:
        claim = FolderClaim(path, lock)
        try:
            claim.clear()
            yield claim
        finally:
            claim.clear()
