"""The manifest of a stored zoo: the name of its weights file, the architecture, the metadata.

It is JSON with a checksum of its own, and reading it runs no code.
"""

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from ..._digest import text_digest
from ..._files import contained, write_text
from ..._validation import check_length
from ...architectures import Architecture
from ...exceptions import InvalidInputError, UnsupportedModuleError, ZooFileError
from ._weights_file import draft_of, file_digest, unreadable

FORMAT = "wsl-zoo"
VERSION = 2
MANIFEST = "zoo.json"
_ENTRIES = {"format", "version", "weights", "sha256", "architecture", "metadata"}


def write_manifest(
    weights_file: Path,
    architecture: Architecture,
    table: dict[str, Any],
    fingerprint: str | None = None,
) -> Path:
    """Make ``weights_file`` the weights of the zoo in its folder; return the folder.

    ``table`` is what ``table_to_json`` returns. A new zoo replaces an old one when this has written
    the manifest.
    """
    path = weights_file.parent
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "weights": weights_file.name,
        "sha256": file_digest(weights_file),
        "fingerprint": fingerprint,
        "architecture": _architecture_spec(architecture),
        "metadata": table,
    }
    manifest["checksum"] = _checksum(manifest)
    text = json.dumps(manifest, indent=1)
    write_text(path / MANIFEST, text, draft_of(weights_file, MANIFEST))
    return path


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the checked contents of the manifest in a folder; raise ZooFileError if invalid."""
    file = contained(path, MANIFEST, path)
    try:
        manifest = json.loads(file.read_bytes())
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, RecursionError) as error:
        raise ZooFileError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ZooFileError(f"{file} is not the manifest of a stored zoo.")
    if manifest.get("version") not in (1, VERSION):
        raise ZooFileError(
            f"{file} must have a format version from 1 to {VERSION}, which this release reads; got "
            f"{manifest.get('version')!r}."
        )
    if _ENTRIES - set(manifest):
        lacking = sorted(_ENTRIES - set(manifest))
        raise ZooFileError(f"{file} is not the manifest of a stored zoo: it lacks {lacking}.")
    if manifest["version"] > 1 and manifest.get("checksum") != _checksum(manifest):
        raise ZooFileError(f"{file} is damaged: its checksum differs from that of its contents.")
    return manifest


def table_to_json(table: pd.DataFrame) -> dict[str, Any]:
    """Return the columns with their types; numbers keep their exact values.

    Raises InvalidInputError, naming the column, if it holds values that JSON cannot represent.
    """
    names = table.columns.map(str)
    if not names.is_unique:
        repeated = names[names.duplicated()].tolist()
        raise InvalidInputError(
            f"`metadata` must have distinct column names; got two of {repeated}."
        )
    return {str(name): _column_to_json(name, column) for name, column in table.items()}


def _column_to_json(name: Hashable, column: pd.Series) -> dict[str, Any]:
    values = [_plain(value) for value in column.tolist()]
    for value in values:
        if not isinstance(value, (bool, int, float, str, type(None))):
            raise InvalidInputError(
                f"`metadata[{name!r}]` must hold numbers, booleans, text or None to be stored; got "
                f"a {type(value).__name__}."
            )
    return {"dtype": str(column.dtype), "values": values}


def _plain(value: Any) -> Any:
    """Return numpy's scalars as Python's, and ``pandas.NA`` as None."""
    if value is pd.NA:
        return None
    return value.item() if hasattr(value, "item") else value


def table_from_json(columns: dict[str, Any], n_rows: int) -> pd.DataFrame:
    """Return the DataFrame of ``n_rows`` rows that ``table_to_json`` has encoded."""
    series = {
        name: pd.Series(column["values"], dtype=column["dtype"]) for name, column in columns.items()
    }
    for name, column in series.items():
        check_length(column, n_rows, f"metadata[{name!r}]", "weights")
    return pd.DataFrame(series, index=range(n_rows))


def _architecture_spec(architecture: Architecture) -> dict[str, Any] | None:
    try:
        return architecture.to_spec()
    except UnsupportedModuleError:
        return None


def _checksum(manifest: dict[str, Any]) -> str:
    contents = {key: value for key, value in manifest.items() if key != "checksum"}
    text = json.dumps(contents, separators=(",", ":"))
    return text_digest(text)
