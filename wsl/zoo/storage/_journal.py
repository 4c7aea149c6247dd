"""The journal of a zoo that is being written, which records the rows that are on disk.

Each line is a checksum and an entry as JSON; the first entry identifies the zoo.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..._digest import text_digest
from ..._files import write_text
from ...exceptions import ZooFileError
from ._weights_file import draft_of, unreadable

JOURNAL = "zoo.partial.jsonl"


def write_journal(weights_file: Path, entries: list[dict[str, Any]]) -> None:
    """Write the whole journal of a file of weights, beside it."""
    text = "".join(map(_to_line, entries))
    write_text(weights_file.parent / JOURNAL, text, draft_of(weights_file, JOURNAL))


def append_entry(path: Path, entry: dict[str, Any]) -> None:
    """Add an entry to the journal in a folder; on disk when this returns."""
    with (path / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write(_to_line(entry))
        journal.flush()
        os.fsync(journal.fileno())


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the first entry of the journal in a folder, and the others."""
    file = path / JOURNAL
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise unreadable(file, error) from error
    entries = list(_from_lines(lines[:1])) + list(_from_lines(lines[1:]))
    if not entries or "fingerprint" not in entries[0]:
        raise ZooFileError(f"{file} is damaged: its first line is not that of a journal.")
    return entries[0], entries[1:]


def begun_weights(path: Path) -> set[str]:
    """Return the name of the unfinished weights in a folder, as a set, empty if there are none."""
    try:
        return {str(read_journal(path)[0].get("file"))}
    except ZooFileError:  # there is no journal, or another program's
        return set()


def _to_line(entry: dict[str, Any]) -> str:
    text = json.dumps(entry, separators=(",", ":"))
    return f"{text_digest(text)} {text}\n"


def _from_lines(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the complete entries; a power cut may leave an incomplete line."""
    for line in lines:
        digest, _, text = line.partition(b" ")
        if hashlib.sha256(text).hexdigest().encode() == digest:
            yield json.loads(text)
