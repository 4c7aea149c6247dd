"""``ZooWriter``: a zoo written piece by piece, which a killed run takes up again.

What stands in the files lives in ``_rows`` and ``_manifest``.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..._digest import text_digest
from ..._files import contained, sync, write_text
from ..._validation import check_length, check_n_columns
from ...architectures import Architecture
from ...exceptions import InvalidInputError, ZooFileError
from ._manifest import MANIFEST, read_manifest, table_from_json, table_to_json, write_manifest
from ._weights_file import prepare_rows, rows_digest, unreadable, write_rows

JOURNAL = "zoo.partial.jsonl"


class ZooWriter:
    """Write a zoo of known size into a folder, rows at a time and in any order.

    The weights go to their places in a file laid out beforehand, and a journal beside it keeps
    which rows are there. A run that is killed at any moment leaves both, and the same call made
    again goes on from there; a zoo counts as stored only after ``finish``.

    Parameters
    ----------
    path : str or Path
        The folder; made if it is not there.
    architecture : Architecture
    n_rows : int
        Models of the whole zoo.
    fingerprint : str
        Names what decides the rows. A folder written under another one is refused.

    Attributes
    ----------
    finished : bool
        True if the folder already holds the whole zoo of this fingerprint: there is nothing left
        to write, and ``ModelZoo.load`` reads it.
    done : list of tuple of int
        Ranges ``(start, stop)`` of rows that are on disk and of the right checksum, in order.

    Raises
    ------
    ZooFileError
        If the folder holds another zoo or the beginning of one, or cannot be read.
    """

    def __init__(self, path: str | Path, architecture: Architecture, n_rows: int, fingerprint: str):
        self.path = make_folder(Path(path))
        self.architecture = architecture
        self.n_rows = n_rows
        self.fingerprint = fingerprint
        self._pieces: dict[tuple[int, int], pd.DataFrame] = {}
        self.finished = self._is_finished()
        if self.finished:
            return
        if self._journal.exists():
            self._resume()
        else:
            self._begin()

    @property
    def done(self) -> list[tuple[int, int]]:
        """Ranges of rows that are on disk, in order and merged."""
        if self.finished:
            return self._whole
        merged: list[tuple[int, int]] = []
        for start, stop in sorted(self._pieces):
            if merged and merged[-1][1] == start:
                start = merged.pop()[0]
            merged.append((start, stop))
        return merged

    def write(self, start: int, weights: np.ndarray, table: pd.DataFrame) -> None:
        """Write rows from ``start`` on, with what is known of each; on disk when it returns.

        Raises
        ------
        InvalidInputError
            If rows are there already, lie outside the zoo, or do not fit table or architecture.
        """
        stop = start + len(weights)
        check_n_columns(weights, self.architecture.n_weights)
        check_length(table, len(weights), "table", "weights")
        self._check_place(start, stop)
        columns = table_to_json(table)
        first = next(iter(self._pieces.values()), table)
        if list(map(str, first.columns)) != list(columns):
            raise InvalidInputError(
                f"table has the columns {list(columns)}, those before had {list(first.columns)}"
            )
        if start == stop:
            return
        digest = write_rows(self._file, start, weights)
        entry = {"start": start, "stop": stop, "sha256": digest, "table": columns}
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(_to_line(entry))
            journal.flush()
            os.fsync(journal.fileno())
        self._pieces[start, stop] = table_from_json(columns, stop - start)

    def finish(self) -> Path:
        """Make what was written the zoo of the folder, and return the folder.

        Raises
        ------
        InvalidInputError
            If rows are missing.
        """
        if self.finished:
            return self.path
        if self.done != self._whole:
            raise InvalidInputError(f"of {self.n_rows} rows, only {self.done} are written")
        tables = [table for _, table in sorted(self._pieces.items())]
        whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        write_manifest(self._file, self.architecture, table_to_json(whole), self.fingerprint)
        self.finished = True
        sweep(self.path)
        return self.path

    @property
    def _journal(self) -> Path:
        return self.path / JOURNAL

    @property
    def _whole(self) -> list[tuple[int, int]]:
        return [(0, self.n_rows)] if self.n_rows else []

    @property
    def _shape(self) -> tuple[int, int]:
        return self.n_rows, self.architecture.n_weights

    def _check_place(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.n_rows:
            raise InvalidInputError(f"rows {start}:{stop} lie outside a zoo of {self.n_rows} rows")
        for first, last in self.done:
            if start < last and first < stop:
                raise InvalidInputError(f"rows {start}:{stop}: {first}:{last} are written already")

    def _identity(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "shape": list(self._shape)}

    def _is_finished(self) -> bool:
        """Tell whether the folder holds this zoo; another one is an error."""
        if not (self.path / MANIFEST).exists():
            return False
        if read_manifest(self.path).get("fingerprint") != self.fingerprint:
            raise ZooFileError(
                f"{self.path} holds a finished zoo of other models; give another folder, or "
                "remove it"
            )
        sweep(self.path)  # killed after the manifest was written and before this
        return True

    def _begin(self) -> None:
        self._file = new_weights_file(self.path)
        prepare_rows(self._file, self._shape)
        write_text(self._journal, _to_line({"file": self._file.name, **self._identity()}))

    def _resume(self) -> None:
        """Take up the rows that the journal tells and the file holds; forget all others."""
        head, entries = _read_journal(self._journal)
        if {key: head.get(key) for key in self._identity()} != self._identity():
            raise ZooFileError(
                f"{self.path} holds the beginning of another zoo; give another folder, or remove "
                f"{JOURNAL} from it"
            )
        self._file = contained(self.path, head.get("file"), self._journal)
        prepare_rows(self._file, self._shape)
        kept = [entry for entry in entries if self._keep(entry)]
        write_text(self._journal, "".join(map(_to_line, [head, *kept])))

    def _keep(self, entry: dict[str, Any]) -> bool:
        start, stop = entry["start"], entry["stop"]
        if rows_digest(self._file, self._shape, start, stop) != entry["sha256"]:
            return False
        self._pieces[start, stop] = table_from_json(entry["table"], stop - start)
        return True


def make_folder(path: Path) -> Path:
    """Return a folder that is there; ZooFileError if a file is in its place."""
    if path.exists() and not path.is_dir():
        raise ZooFileError(f"{path} is a file; wanted a folder to write the zoo into")
    path.mkdir(parents=True, exist_ok=True)
    return path


def new_weights_file(path: Path) -> Path:
    """Return a name for weights that no zoo in the folder has."""
    return path / f"weights-{secrets.token_hex(8)}.safetensors"


def sweep(path: Path) -> None:
    """Remove what a finished zoo does not need: journal, older weights, what kills left."""
    named = read_manifest(path)["weights"]
    for pattern in (JOURNAL, f".{JOURNAL}.*", f".{MANIFEST}.*", "weights-*.safetensors"):
        for stale in path.glob(pattern):
            if stale.name != named:
                stale.unlink(missing_ok=True)
    sync(path)


def _to_line(entry: dict[str, Any]) -> str:
    text = json.dumps(entry, separators=(",", ":"))
    return f"{text_digest(text)} {text}\n"


def _from_lines(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the entries that are whole; a line torn by a power cut is not."""
    for line in lines:
        digest, _, text = line.partition(b" ")
        if hashlib.sha256(text).hexdigest().encode() == digest:
            yield json.loads(text)


def _read_journal(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the head of a journal and its entries."""
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise unreadable(file, error) from error
    entries = list(_from_lines(lines[:1])) + list(_from_lines(lines[1:]))
    if not entries or "fingerprint" not in entries[0]:
        raise ZooFileError(f"{file} is damaged: its first line is not what a zoo begins with")
    return entries[0], entries[1:]
