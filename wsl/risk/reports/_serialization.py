"""Reports as JSON: what a file says that it holds, tables, values, and arrays.

Arrays are raw bytes, compressed, in base64, beside their type and shape. Reading runs no code and
takes no more memory than the shape says. What a report holds is for its own class.
"""

import base64
import json
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ..._files import write_text
from ...exceptions import InvalidInputError

KINDS = "biuf"
T = TypeVar("T")


def write_report(
    path: str | os.PathLike, kind: str, version: int, contents: dict[str, Any]
) -> Path:
    """Write a report as JSON; what stood there stays until the new file is complete."""
    named = {"format": f"wsl-{kind}-report", "version": version, **contents}
    return write_text(path, json.dumps(named, indent=1, allow_nan=False))


def read_report(
    path: str | os.PathLike, kind: str, version: int, make: Callable[[dict[str, Any]], T]
) -> T:
    """Return what ``make`` makes of a file that ``write_report`` wrote.

    Raises
    ------
    InvalidInputError
        If the file holds something else, another version, or what ``make`` stumbles over.
    """
    try:
        contents = json.loads(Path(path).read_text(encoding="utf-8"))
        found = contents.pop("format"), contents.pop("version")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"path={str(path)!r} holds no {kind} report") from error
    if found != (f"wsl-{kind}-report", version):
        raise InvalidInputError(
            f"path={str(path)!r} holds format {found[0]!r}, version {found[1]!r}; wanted "
            f"'wsl-{kind}-report', version {version}"
        )
    try:
        return make(contents)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise InvalidInputError(f"path={str(path)!r} is damaged: {error}") from error


def pack_frame(frame: pd.DataFrame) -> dict[str, list]:
    """Return the columns as JSON has them: NaN as null, infinity as the string "inf"."""
    return {str(name): [plain(v) for v in frame[name].tolist()] for name in frame.columns}


def unpack_frame(columns: dict[str, list], texts: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the table whose columns are numbers, but for those that are ``texts``."""
    frame = pd.DataFrame(columns)
    numbers = [name for name in frame.columns if name not in texts]
    return frame.astype(dict.fromkeys(numbers, float))


def plain(value: Any) -> Any:
    """Return a value as JSON has it, a tuple as a list; others than those that JSON has as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, tuple):
        return [plain(own) for own in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def unpack_classes(classes: list | None) -> tuple | None:
    """Return the values of a property that ``plain`` was given."""
    if classes is None:
        return None
    return tuple(tuple(own) if isinstance(own, list) else own for own in classes)


def pack(array: np.ndarray) -> dict[str, Any]:
    """Return an array of numbers as a dict that JSON takes; whole numbers in the smallest type."""
    if array.dtype.kind in "iu":
        array = array.astype(np.result_type(*map(np.min_scalar_type, (array.min(), array.max()))))
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    data = base64.b64encode(zlib.compress(array.tobytes(), 6)).decode("ascii")
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def pack_each(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Return arrays by name, each packed."""
    return {name: pack(array) for name, array in arrays.items()}


def unpack_each(packed: dict[str, dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return the arrays that ``pack_each`` was given."""
    return {name: unpack(array) for name, array in packed.items()}


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Return the array that ``pack`` was given; ValueError if ``packed`` is none of its making."""
    dtype = np.dtype(str(packed["dtype"]))
    shape = tuple(int(n) for n in packed["shape"])
    if dtype.kind not in KINDS or any(n < 0 for n in shape):
        raise ValueError(f"an array of type {dtype} and shape {shape}")
    n_bytes = dtype.itemsize * math.prod(shape)
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(base64.b64decode(packed["data"], validate=True), n_bytes + 1)
    except zlib.error as error:
        raise ValueError("damaged data of an array") from error
    if len(data) != n_bytes:
        raise ValueError(f"{len(data)} bytes of an array of {n_bytes}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))
