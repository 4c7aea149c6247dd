"""The manifest of a stored zoo: the name of its weights file, the architecture, the metadata.

It is JSON with a checksum of its own, and reading it runs no code.
"""

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from ..._decode_json import Fields, ListOf, MapOf, check_schema, read_json
from ..._digest import text_digest
from ..._files import contained, write_text
from ..._validation import check_length
from ...architectures import Architecture
from ...architectures._identity import function_to_json
from ...exceptions import InvalidInputError, UnsupportedModuleError, ZooFileError
from ._weights_file import draft_of, file_digest

FORMAT = "wsl-zoo"
VERSION = 2
MANIFEST = "zoo.json"
MAX_BYTES = 2**30  # of a manifest or journal; a row of metadata takes some 200 bytes
TABLE = MapOf(Fields({"dtype": str, "values": list}))
_FUNCTION = Fields(
    {"names": ListOf(str), "shapes": ListOf(ListOf(int)), "constants": str}
    | {"input_shape": (type(None), ListOf(int)), "outputs": (type(None), ListOf(float))}
)
_SCHEMA = Fields(
    {"format": str, "version": int, "weights": str, "sha256": str, "metadata": TABLE}
    | {"architecture": (dict, type(None))},
    optional={
        "fingerprint": (str, type(None)),
        "checksum": str,
        "function": (type(None), _FUNCTION),
    },
)
_LONGEST_DTYPE = 100
_PLAIN = (bool, int, float, str, type(None))


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
    path, spec = weights_file.parent, _architecture_spec(architecture)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "weights": weights_file.name,
        "sha256": file_digest(weights_file),
        "fingerprint": fingerprint,
        "architecture": spec,
        "function": None if spec else _function(architecture),
        "metadata": table,
    }
    manifest["checksum"] = _checksum(manifest)
    text = json.dumps(manifest, indent=1)
    write_text(path / MANIFEST, text, draft_of(weights_file, MANIFEST))
    return path


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the checked contents of the manifest in a folder; raise ZooFileError if invalid."""
    file = contained(path, MANIFEST, path)
    manifest = read_json(file, max_bytes=MAX_BYTES)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ZooFileError(f"{file} is not the manifest of a stored zoo.")
    if manifest.get("version") not in (1, VERSION):
        raise ZooFileError(
            f"{file} must have a format version from 1 to {VERSION}, which this release reads; got "
            f"{manifest.get('version')!r}."
        )
    try:
        check_schema(manifest, _SCHEMA)
    except ValueError as error:
        raise ZooFileError(f"{file} is not the manifest of a stored zoo: {error}.") from error
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
        if not isinstance(value, _PLAIN):
            raise InvalidInputError(
                f"`metadata[{name!r}]` must hold numbers, booleans, text or None to be stored; got "
                f"a {type(value).__name__}."
            )
    for text in (str(name), *(value for value in values if isinstance(value, str))):
        if not text.isascii() and _has_surrogates(text):
            raise InvalidInputError(
                f"`metadata[{name!a}]` must hold valid Unicode text to be stored; got {text!a}."
            )
    return {"dtype": str(column.dtype), "values": values}


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _plain(value: Any) -> Any:
    """Return numpy's scalars as Python's, and ``pandas.NA`` as None."""
    if value is pd.NA:
        return None
    return value.item() if hasattr(value, "item") else value


def table_from_json(columns: dict[str, Any], n_rows: int) -> pd.DataFrame:
    """Return the DataFrame of ``n_rows`` rows that ``table_to_json`` has encoded.

    Raises ValueError if a column has other than ``n_rows`` values, or values of another type than
    it says.
    """
    series = {}
    for name, column in columns.items():
        check_length(column["values"], n_rows, f"metadata[{name!r}]", "weights")
        series[name] = _column_from_json(name, column)
    return pd.DataFrame(series, index=range(n_rows))


def _column_from_json(name: str, column: dict[str, Any]) -> pd.Series:
    """Return a column; raise ValueError unless encoding it again gives the same values."""
    where = f"`metadata[{name!r}]`"
    text, values = column["dtype"], column["values"]
    strange = [value for value in values if not isinstance(value, _PLAIN)]
    if strange:
        raise ValueError(f"{where} must hold numbers, booleans, text or null; got {strange[0]!r}")
    try:
        series = pd.Series(values, dtype=_column_dtype(text))
        same = json.dumps(_column_to_json(name, series)["values"]) == json.dumps(values)
    except (ValueError, TypeError, OverflowError, ImportError, AttributeError) as error:
        raise ValueError(f"{where} cannot be read as a column of {text[:50]!r}: {error}") from error
    if not same:
        raise ValueError(f"{where} must hold values of its type, {text[:50]!r}")
    return series


def _column_dtype(text: str) -> Any:
    """Return the type of a column of numbers, booleans or text; raise ValueError for others."""
    dtype = pd.api.types.pandas_dtype(text[:_LONGEST_DTYPE])
    if text == "str" and dtype.kind == "U":  # before pandas 3, the type of text is object
        return object
    if dtype.kind not in "biufO":
        raise ValueError("it is not a type of numbers, booleans or text")
    return dtype


def _architecture_spec(architecture: Architecture) -> dict[str, Any] | None:
    try:
        return architecture.to_spec()
    except UnsupportedModuleError:
        return None


def _function(architecture: Architecture) -> dict[str, Any]:
    return function_to_json(architecture.template, architecture.layout, architecture.input_shape)


def _checksum(manifest: dict[str, Any]) -> str:
    contents = {key: value for key, value in manifest.items() if key != "checksum"}
    text = json.dumps(contents, separators=(",", ":"))
    return text_digest(text)
