"""A folder claimed for writing a zoo: by one process at a time, which removes its own files only.

What lies in a folder may be the user's, whatever its name. A claim removes the weights that a
manifest or journal in the folder names and no longer needs, and those that were noted in the
folder's lock before they were begun, as a process that is killed leaves them.
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
        """Return a name for weights that no file in the folder has, and note it."""
        file = self.path / f"weights-{secrets.token_hex(8)}.safetensors"
        self._new.add(file.name)
        with suppress(ZooFileError):  # what a damaged manifest names stays
            self._stale |= self._named()
        self._lock.note(weights=sorted(self._new | self._stale))
        return file

    def clear(self) -> None:
        """Remove the files of wsl that the zoo in the folder does not need, or its beginning."""
        journaled = begun_weights(self.path)
        try:
            named, begun = self._named(), self._new | self._stale | journaled
        except ZooFileError:  # a damaged manifest: what belongs to it cannot be told
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
    """Make a folder and hold it for writing during the block; what is not needed is removed.

    Raises
    ------
    ZooFileError
        If a file is in the folder's place.
    FolderInUseError
        If another process writes into the folder, and goes on for some seconds.
    """
    if path.exists() and not path.is_dir():
        raise ZooFileError(f"{path} is a file; wanted a folder to write the zoo into")
    path.mkdir(parents=True, exist_ok=True)
    with _locks.locked(path / LOCK, _locks.WAIT) as lock:
        claim = FolderClaim(path, lock)
        try:
            claim.clear()
            yield claim
        finally:
            claim.clear()
