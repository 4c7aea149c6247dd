"""The journal of a zoo that is being written, which records the rows that are on disk.

Each line is a checksum and an entry as JSON; the first entry identifies the zoo.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..._decode_json import Fields, ListOf, decode_json
from ..._digest import bytes_digest, text_digest
from ..._files import naming_file, read_bytes, write_text
from ...exceptions import ZooFileError
from ._manifest import MAX_BYTES, TABLE
from ._weights_file import draft_of

JOURNAL = "zoo.partial.jsonl"
_HEAD = Fields({"file": str, "fingerprint": str, "shape": ListOf(int)})
_ENTRY = Fields({"start": int, "stop": int, "sha256": str, "table": TABLE})


def write_journal(weights_file: Path, entries: list[dict[str, Any]]) -> None:
    """Write the whole journal of a file of weights, beside it."""
    text = "".join(map(_to_line, entries))
    write_text(weights_file.parent / JOURNAL, text, draft_of(weights_file, JOURNAL))


def append_entry(path: Path, entry: dict[str, Any]) -> None:
    """Add an entry to the journal in a folder; on disk when this returns."""
    file = path / JOURNAL
    with naming_file(file), file.open("a", encoding="utf-8") as journal:
        journal.write(_to_line(entry))
        journal.flush()
        os.fsync(journal.fileno())


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the first entry of the journal in a folder, and the others."""
    file = path / JOURNAL
    first, *rest = read_bytes(file, MAX_BYTES).split(b"\n")
    heads = list(_complete_lines([first]))
    if not heads:
        raise ZooFileError(f"{file} is damaged: its first line is not that of a journal.")
    entries = [decode_json(text, f"An entry of {file}", _ENTRY) for text in _complete_lines(rest)]
    return decode_json(heads[0], f"The first line of {file}", _HEAD), entries


def begun_weights(path: Path) -> set[str]:
    """Return the name of the unfinished weights in a folder, as a set, empty if there are none."""
    try:
        return {str(read_journal(path)[0].get("file"))}
    except ZooFileError:  # there is no journal, or another program's
        return set()


def _to_line(entry: dict[str, Any]) -> str:
    text = json.dumps(entry, separators=(",", ":"))
    return f"{text_digest(text)} {text}\n"


def _complete_lines(lines: list[bytes]) -> Iterator[bytes]:
    """Yield the text of lines that have their checksum; a power cut may leave others."""
    for line in lines:
        digest, _, text = line.partition(b" ")
        if bytes_digest(text).encode() == digest:
            yield text
