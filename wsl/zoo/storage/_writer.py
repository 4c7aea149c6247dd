"""``ZooWriter``: a zoo written piece by piece, which a killed run takes up again.

What stands in the files lives in ``_rows`` and ``_manifest``.
"""

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
    """Write a zoo of known size into a folder, rows at a time and in any order.

    The weights go to their places in a file laid out beforehand, and a journal beside it keeps
    which rows are there. A run that is killed at any moment leaves both, and the same call made
    again goes on from there; a zoo counts as stored only after ``finish``.

    Parameters
    ----------
    claim : FolderClaim
        The folder.
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
        append_entry(self.path, entry)
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
        self.claim.clear()
        return self.path

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
        return True

    def _begin(self) -> None:
        self._file = self.claim.new_weights_file()
        prepare_rows(self._file, self._shape)
        write_journal(self._file, [{"file": self._file.name, **self._identity()}])

    def _resume(self) -> None:
        """Take up the rows that the journal tells and the file holds; forget all others."""
        head, entries = read_journal(self.path)
        if {key: head.get(key) for key in self._identity()} != self._identity():
            raise ZooFileError(
                f"{self.path} holds the beginning of another zoo; give another folder, or remove "
                f"{JOURNAL} from it"
            )
        self._file = contained(self.path, head.get("file"), self.path / JOURNAL)
        prepare_rows(self._file, self._shape)
        kept = [entry for entry in entries if self._keep(entry)]
        write_journal(self._file, [head, *kept])

    def _keep(self, entry: dict[str, Any]) -> bool:
        start, stop = entry["start"], entry["stop"]
        if rows_digest(self._file, self._shape, start, stop) != entry["sha256"]:
            return False
        self._pieces[start, stop] = table_from_json(entry["table"], stop - start)
        return True
