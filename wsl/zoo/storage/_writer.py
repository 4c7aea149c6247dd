"""``ZooWriter``: a zoo written piece by piece, so that an interrupted run can be resumed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..._files import contained
from ..._validation import check_length, check_n_columns
from ...architectures import Architecture
from ...exceptions import InvalidInputError, ZooFileError
from ._claim import FolderClaim
from ._journal import JOURNAL, append_entry, read_journal, write_journal
from ._manifest import MANIFEST, read_manifest, table_from_json, table_to_json, write_manifest
from ._weights_file import prepare_rows, rows_digest, write_rows


class ZooWriter:
    """Write a zoo of known size into a folder, some rows at a time and in any order.

    Rows are written to their positions in a file that is allocated first, and a journal beside it
    records which rows are there. A run that is killed at any moment leaves both, and the same call
    resumes it. The folder holds a zoo only after ``finish``.

    Parameters
    ----------
    claim : FolderClaim
        The right to write into the folder.
    architecture : Architecture
        The architecture of all models.
    n_rows : int
        Rows of the whole zoo.
    fingerprint : str
        A digest of what decides the rows. A folder with another fingerprint is refused.

    Attributes
    ----------
    finished : bool
        True if the folder already holds the whole zoo of this fingerprint.
    done : list of tuple of int
        Ranges ``(start, stop)`` of rows that are on disk and have the recorded checksum, in order.

    Raises
    ------
    ZooFileError
        If the folder holds another zoo, complete or not, or cannot be read.
    """

    def __init__(
        self, claim: FolderClaim, architecture: Architecture, n_rows: int, fingerprint: str
    ):
        self.claim, self.path = claim, claim.path
        self.architecture = architecture
        self.n_rows = n_rows
        self.fingerprint = fingerprint
        self._pieces: dict[tuple[int, int], pd.DataFrame] = {}
        self.finished = self._is_finished()
        if self.finished:
            return
        if (self.path / JOURNAL).exists():
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
        """Write rows from ``start`` on, with their metadata; all is on disk when it returns.

        Raises
        ------
        InvalidInputError
            If rows are written already, are outside the zoo, or do not fit table or architecture.
        """
        stop = start + len(weights)
        check_n_columns(weights, self.architecture.n_weights)
        check_length(table, len(weights), "table", "weights")
        self._check_range(start, stop)
        columns = table_to_json(table)
        first = next(iter(self._pieces.values()), table)
        if list(map(str, first.columns)) != list(columns):
            raise InvalidInputError(
                f"`table` must have the columns {list(first.columns)}, as before; got "
                f"{list(columns)}."
            )
        if start == stop:
            return
        digest = write_rows(self._file, start, weights)
        entry = {"start": start, "stop": stop, "sha256": digest, "table": columns}
        append_entry(self.path, entry)
        self._pieces[start, stop] = table_from_json(columns, stop - start)

    def finish(self) -> Path:
        """Make the written rows the zoo of the folder, and return the folder.

        Raises
        ------
        InvalidInputError
            If rows are missing.
        """
        if self.finished:
            return self.path
        if self.done != self._whole:
            raise InvalidInputError(
                f"All {self.n_rows} rows must be written before finish; got {self.done}."
            )
        tables = [table for _, table in sorted(self._pieces.items())]
        whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        write_manifest(self._file, self.architecture, table_to_json(whole), self.fingerprint)
        self.finished = True
        self.claim.clear()
        return self.path

    @property
    def _whole(self) -> list[tuple[int, int]]:
        return [(0, self.n_rows)] if self.n_rows else []

    @property
    def _shape(self) -> tuple[int, int]:
        return self.n_rows, self.architecture.n_weights

    def _check_range(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.n_rows:
            raise InvalidInputError(f"Rows {start}:{stop} are outside a zoo of {self.n_rows} rows.")
        for first, last in self.done:
            if start < last and first < stop:
                raise InvalidInputError(
                    f"Rows {start}:{stop} overlap {first}:{last}, which are written already."
                )

    def _identity(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "shape": list(self._shape)}

    def _is_finished(self) -> bool:
        """Return whether the folder holds this zoo; raise ZooFileError for another one."""
        if not (self.path / MANIFEST).exists():
            return False
        if read_manifest(self.path).get("fingerprint") != self.fingerprint:
            raise ZooFileError(
                f"{self.path} holds a finished zoo of other models; pass another folder, or remove "
                "this one."
            )
        return True

    def _begin(self) -> None:
        self._file = self.claim.new_weights_file()
        prepare_rows(self._file, self._shape)
        write_journal(self._file, [{"file": self._file.name, **self._identity()}])

    def _resume(self) -> None:
        """Keep the rows that the journal names and the file holds; forget all others."""
        head, entries = read_journal(self.path)
        if {key: head.get(key) for key in self._identity()} != self._identity():
            raise ZooFileError(
                f"{self.path} holds an unfinished zoo of other models; pass another folder, or "
                f"remove {JOURNAL} from this one."
            )
        self._file = contained(self.path, head.get("file"), self.path / JOURNAL)
        prepare_rows(self._file, self._shape)
        try:
            valid = [entry for entry in entries if self._resume_rows(entry)]
        except ValueError as error:
            raise ZooFileError(f"{self.path / JOURNAL} is damaged: {error}") from error
        write_journal(self._file, [head, *valid])

    def _resume_rows(self, entry: dict[str, Any]) -> bool:
        """Keep the rows of a journal entry; return False if the file does not hold them."""
        start, stop = entry["start"], entry["stop"]
        self._check_range(start, stop)
        if rows_digest(self._file, self._shape, start, stop) != entry["sha256"]:
            return False
        self._pieces[start, stop] = table_from_json(entry["table"], stop - start)
        return True
