"""The one decoder of JSON from files, which bounds its size and depth and checks its structure.

Every reader of JSON calls ``read_json(path, schema, max_bytes=...)``, or ``decode_json(text, name,
schema)`` for text that it has already. Both raise an error, ZooFileError by default, whose message
has the file and the reason, for anything that is not valid JSON of the schema: text that is not
UTF-8, duplicate keys, nesting beyond ``MAX_DEPTH``, lone surrogates, a missing, unknown or wrongly
typed field. No other exception leaves them.

A schema is a type (``int`` excludes bool, ``float`` includes int, ``object`` is anything), a tuple
of alternatives, or one of ``Fields``, ``ListOf`` and ``MapOf``:

>>> point = Fields({"x": float, "y": float}, optional={"name": (str, type(None))})
>>> decode_json('{"x": 1, "y": 2.5}', "point.json", point)
{'x': 1, 'y': 2.5}
>>> decode_json('[{"x": 1, "y": "2"}]', "points.json", ListOf(point))
Traceback (most recent call last):
wsl.exceptions.ZooFileError: points.json is not valid: `[0].y` must be a number; got '2'.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ._files import read_bytes
from .exceptions import WslError, ZooFileError

MAX_BYTES = 2**26
MAX_DEPTH = 100

_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
    type(None): "null",
    object: "anything",
}
# possessive quantifiers: no backtracking, whatever the text
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Fields:
    """An object with these fields; others are refused unless ``extra`` is True."""

    required: Mapping[str, Any]
    optional: Mapping[str, Any] = field(default_factory=dict)
    extra: bool = False


@dataclass(frozen=True)
class ListOf:
    """A list whose entries all match a schema."""

    each: Any


@dataclass(frozen=True)
class MapOf:
    """An object with any names, whose values all match a schema."""

    each: Any


def read_json(
    path: str | os.PathLike,
    schema: Any = object,
    *,
    max_bytes: int = MAX_BYTES,
    surrogates: bool = False,
    error: type[WslError] = ZooFileError,
) -> Any:
    """Return the value of a JSON file of at most ``max_bytes``; see ``decode_json``."""
    data = read_bytes(path, max_bytes, error=error)
    return decode_json(data, path, schema, surrogates=surrogates, error=error)


def decode_json(
    text: str | bytes,
    name: object,
    schema: Any = object,
    *,
    surrogates: bool = False,
    error: type[WslError] = ZooFileError,
) -> Any:
    """Return the value of JSON text, checked against a schema.

    ``name`` is the file, or the part of one, for the error message. Escapes of lone surrogates are
    refused, as no file can be named by them, unless ``surrogates`` is True.
    """
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        if _is_deeper(decoded, MAX_DEPTH):
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
        value = json.loads(decoded, object_pairs_hook=_object)
        if not surrogates and (isinstance(text, str) or _SURROGATE.search(decoded)):
            _check_text(value)
    except UnicodeDecodeError as cause:
        raise error(f"{name} is not UTF-8 text: {cause}.") from cause
    except (ValueError, RecursionError) as cause:
        raise error(f"{name} is not valid JSON: {cause}.") from cause
    try:
        check_schema(value, schema)
    except ValueError as cause:
        raise error(f"{name} is not valid: {cause}.") from cause
    return value


def check_schema(value: Any, schema: Any, where: str = "") -> None:
    """Raise ValueError, naming the place, unless ``value`` matches a schema."""
    if isinstance(schema, Fields):
        _check_fields(value, schema, where)
    elif isinstance(schema, ListOf):
        _expect(isinstance(value, list), value, "a list", where)
        for index, entry in enumerate(value):
            check_schema(entry, schema.each, f"{where}[{index}]")
    elif isinstance(schema, MapOf):
        _expect(isinstance(value, dict), value, "an object", where)
        for key, entry in value.items():
            check_schema(entry, schema.each, _join(where, key))
    elif isinstance(schema, tuple):
        types = [part for part in schema if isinstance(part, type)]
        others = [part for part in schema if not isinstance(part, type)]
        if not _is_one_of(value, types):
            for part in others[:1]:
                return check_schema(value, part, where)
            _expect(False, value, " or ".join(_NAMES[t] for t in types), where)
    else:
        _expect(_is_one_of(value, [schema]), value, _NAMES[schema], where)
    return None


def _check_fields(value: Any, schema: Fields, where: str) -> None:
    _expect(isinstance(value, dict), value, "an object", where)
    missing = [name for name in schema.required if name not in value]
    unknown = [name for name in value if name not in {*schema.required, *schema.optional}]
    at = f"`{where}` " if where else "it "
    if missing:
        raise ValueError(f"{at}lacks {missing}")
    if unknown and not schema.extra:
        raise ValueError(f"{at}has unknown fields {_shown(unknown)}")
    for name, part in {**schema.optional, **schema.required}.items():
        if name in value:
            check_schema(value[name], part, _join(where, name))


def _is_one_of(value: Any, types: Iterable[type]) -> bool:
    for kind in types:
        if kind is object or type(value) is kind or (kind is float and type(value) is int):
            return True
    return False


def _expect(valid: bool, value: Any, expected: str, where: str) -> None:
    if not valid:
        at = f"`{where}`" if where else "it"
        raise ValueError(f"{at} must be {expected}; got {_shown(value)}")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else str(name)


def _shown(value: Any) -> str:
    """Return a short representation of a value, without computing that of a large one."""
    if isinstance(value, (dict, list)) and len(value) > 5:
        return f"{_NAMES[type(value)]} of {len(value)} entries"
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object as a dict; raise ValueError if a key occurs twice."""
    value: dict[str, Any] = {}
    for key, entry in pairs:
        if key in value:
            raise ValueError(f"an object has the key {_shown(key)} twice")
        value[key] = entry
    return value


def _is_deeper(text: str, limit: int) -> bool:
    """Return whether brackets are nested more than ``limit`` levels deep."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "[{":
            depth += 1
            if depth > limit:
                return True
        elif token in "]}":
            depth -= 1
    return False


def _check_text(value: Any) -> None:
    """Raise ValueError if a key or a text holds a lone surrogate, which no file can hold."""
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            try:
                part.encode()
            except UnicodeEncodeError:
                raise ValueError(f"text must be valid Unicode; got {_shown(part)}") from None
        elif isinstance(part, dict):
            stack += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            stack += part
