"""Fields of reports as JSON: tables, values and arrays.

An array is its raw bytes, compressed, in base64, beside its type and shape. Reading runs no code,
and takes no more memory than the data allow.
"""

import base64
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

DTYPE_KINDS = "biuf"
LARGEST_ARRAY = 2**28  # bytes
LARGEST_RATIO = 1032  # of bytes to compressed bytes, by the format of deflate


@dataclass(frozen=True)
class FieldCodec:
    """How one field of a report is written as JSON, and read.

    ``decode`` raises ValueError or TypeError if JSON holds something else than the field;
    ``schema`` is what JSON Schema says of it.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    schema: Mapping[str, Any]


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NaN as null, infinity as "inf", other objects as text."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def expect(value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """Return ``value``; TypeError unless it is of a type, which ``what`` names."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"must be {what}; got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def number(value: Any) -> float:
    """Return a number as ``plain`` wrote it: null is NaN, "inf" and "-inf" are infinite."""
    if value is None:
        return math.nan
    if value in ("inf", "-inf"):
        return float(value)
    return float(expect(value, (int, float), "a number"))


def text(value: Any) -> str:
    """Return ``value``; TypeError unless it is text."""
    return expect(value, str, "text")


def boolean(value: Any) -> bool:
    """Return ``value``; TypeError unless it is true or false."""
    return expect(value, bool, "true or false")


def whole_number(value: Any) -> int:
    """Return ``value``; TypeError unless it is a whole number."""
    return expect(value, int, "a whole number")


def class_value(value: Any) -> Any:
    """Return a value of a property; a list stands for a tuple."""
    return tuple(value) if isinstance(value, list) else value


Columns = Mapping[str, Callable[[Any], Any]]
SCALARS: dict[Callable[[Any], Any], dict[str, Any]] = {
    number: {"anyOf": [{"type": ["number", "null"]}, {"enum": ["inf", "-inf"]}]},
    text: {"type": "string"},
    boolean: {"type": "boolean"},
    whole_number: {"type": "integer"},
    class_value: {},
}


def object_schema(properties: Mapping[str, Any], further: Sequence[str] = ()) -> dict[str, Any]:
    """Return the schema of an object with all of these properties, but perhaps ``further``."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in further],
        "additionalProperties": False,
    }


def optional(codec: FieldCodec) -> FieldCodec:
    """Return a codec of a field that may be None."""
    return FieldCodec(
        lambda value: None if value is None else codec.encode(value),
        lambda value: None if value is None else codec.decode(value),
        {"anyOf": [codec.schema, {"type": "null"}]},
    )


def mapping(
    decode: Callable[[Any], Any],
    encode: Callable[[Any], Any] = plain,
    schema: Mapping[str, Any] | None = None,
) -> FieldCodec:
    """Return a codec of a dict from text to values."""
    return FieldCodec(
        lambda values: {str(name): encode(value) for name, value in values.items()},
        lambda values: {
            name: decode(value) for name, value in expect(values, dict, "a mapping").items()
        },
        {
            "type": "object",
            "additionalProperties": SCALARS[decode] if schema is None else schema,
        },
    )


def frame(columns: Columns, *further: str) -> FieldCodec:
    """Return a codec of a DataFrame whose columns are read by functions of a value.

    ``further`` names those columns that may be missing. A table without rows may have none.
    """

    def decode(parts: Any) -> pd.DataFrame:
        expect(parts, dict, "a mapping from columns to values")
        required = [name for name in columns if name not in further]
        if parts and not (set(required) <= parts.keys() <= columns.keys()):
            raise ValueError(f"must have the columns {required}; got {list(parts)}")
        values = {
            name: [columns[name](value) for value in expect(parts[name], list, "a list")]
            for name in parts
        }
        if len(set(map(len, values.values()))) > 1:
            raise ValueError("must have columns of one length")
        return pd.DataFrame(values)

    lists = {name: {"type": "array", "items": SCALARS[read]} for name, read in columns.items()}
    return FieldCodec(
        lambda table: {str(name): plain(table[name].tolist()) for name in table.columns},
        decode,
        {"anyOf": [object_schema(lists, further), object_schema({})]},
    )


def _decode_classes(values: Any) -> tuple:
    """Return the values of a property; lists stand for tuples."""
    return tuple(map(class_value, expect(values, list, "a list")))


def _encode_array(array: np.ndarray) -> dict[str, Any]:
    """Return an array of numbers as a dict; whole numbers in the smallest type."""
    if array.dtype.kind in "iu" and array.size:
        array = array.astype(np.result_type(*map(np.min_scalar_type, (array.min(), array.max()))))
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    data = base64.b64encode(zlib.compress(array.tobytes(), 6)).decode("ascii")
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def _decode_arrays(parts: Any) -> dict[str, np.ndarray]:
    """Return arrays by name, which together are no larger than the largest one may be."""
    arrays, n_bytes = {}, 0
    for name, packed in expect(parts, dict, "a mapping").items():
        arrays[name] = _decode_array(packed, LARGEST_ARRAY - n_bytes)
        n_bytes += arrays[name].nbytes
    return arrays


def _decode_array(packed: Any, largest: int = LARGEST_ARRAY) -> np.ndarray:
    """Return the array of which ``_encode_array`` made a dict, of at most ``largest`` bytes."""
    expect(packed, dict, "an array")
    if packed.keys() != {"dtype", "shape", "data"}:
        raise ValueError(f"must have dtype, shape and data; got {list(packed)}")
    dtype = np.dtype(text(packed["dtype"]))
    shape = tuple(whole_number(n) for n in expect(packed["shape"], list, "a list"))
    if dtype.kind not in DTYPE_KINDS or any(n < 0 for n in shape):
        raise ValueError(f"must be an array of numbers; got type {dtype} and shape {shape}")
    compressed = base64.b64decode(text(packed["data"]), validate=True)
    n_bytes = dtype.itemsize * math.prod(shape)
    if n_bytes > min(largest, LARGEST_RATIO * len(compressed)):
        raise ValueError(
            f"must be an array of at most {largest} bytes, which its data can hold; got "
            f"shape {shape} and {len(compressed)} bytes of data"
        )
    try:
        data = zlib.decompressobj().decompress(compressed, n_bytes + 1)
    except zlib.error as error:
        raise ValueError("must be an array whose data decompress") from error
    if len(data) != n_bytes:
        raise ValueError(f"must be an array of {n_bytes} bytes; got {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


_ARRAY_SCHEMA = {
    "description": "Raw bytes of an array, compressed with zlib, in base64",
    **object_schema(
        {
            "dtype": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "data": {"type": "string"},
        }
    ),
}
ARRAY = FieldCodec(_encode_array, _decode_array, _ARRAY_SCHEMA)
ARRAYS = replace(mapping(_decode_array, _encode_array, _ARRAY_SCHEMA), decode=_decode_arrays)
CLASSES = FieldCodec(plain, _decode_classes, {"type": "array"})
SETTINGS = mapping(lambda value: value, schema={})
TEXTS = mapping(text)
NUMBERS = mapping(number)
TEXT = FieldCodec(plain, text, SCALARS[text])
