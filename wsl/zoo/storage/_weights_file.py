"""Rows of weights in a safetensors file that is allocated first, and written and read in place.

The file holds one float32 tensor, ``weights`` ``(n_models, n_weights)``.
"""

import hashlib
import json
import math
import os
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from ..._batches import row_slices
from ...exceptions import ZooFileError

DTYPE = np.dtype("<f4")
_ALIGNMENT = 64
_LONGEST_HEADER = 2**20


def prepare_rows(file: Path, shape: tuple[int, int]) -> None:
    """Allocate a file for rows of that shape; rows that it already holds stay."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(file, flags, 0o666), "r+b") as handle:
        header = _header(shape)
        handle.write(header)
        handle.truncate(len(header) + math.prod(shape) * DTYPE.itemsize)
        handle.flush()
        os.fsync(handle.fileno())


def draft_of(file: Path, name: str) -> Path:
    """Return where the file ``name`` that goes with some weights is written, to be renamed then."""
    return file.with_name(f".{file.stem}.{name}")


def write_rows(file: Path, start: int, rows: np.ndarray) -> str:
    """Write rows ``(n_rows, n_weights)`` from row ``start`` on; return their checksum."""
    rows = np.ascontiguousarray(rows, DTYPE)
    with file.open("r+b") as handle:
        handle.seek(_offset(handle) + start * rows.shape[1] * DTYPE.itemsize)
        handle.write(rows.data)
        handle.flush()
        os.fsync(handle.fileno())
    return hashlib.sha256(rows.data).hexdigest()


def rows_digest(file: Path, shape: tuple[int, int], start: int, stop: int) -> str:
    """Return the checksum of the rows ``start`` to ``stop``, as ``write_rows`` does."""
    digest = hashlib.sha256()
    rows = map_rows(file, shape)[start:stop]
    for part in row_slices(len(rows), DTYPE.itemsize * shape[1]):
        digest.update(np.ascontiguousarray(rows[part]).data)
    return digest.hexdigest()


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a whole file, read in pieces."""
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(file, error) from error


def read_rows(file: Path) -> tuple[np.ndarray, str]:
    """Return the rows ``(n_models, n_weights)`` in memory, and the SHA-256 of the file."""
    try:
        with file.open("rb") as handle:
            shape = _shape(handle, file)
            offset = _offset(handle)
            digest = hashlib.sha256(handle.read(offset))
            rows = np.empty(shape, DTYPE)
            handle.readinto(rows.data)
    except OSError as error:
        raise unreadable(file, error) from error
    digest.update(rows.data)
    return rows, digest.hexdigest()


def map_rows(file: Path, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Return the rows as a read-only memory map ``(n_models, n_weights)``."""
    try:
        with file.open("rb") as handle:
            stored_shape = _shape(handle, file)
            offset = _offset(handle)
    except OSError as error:
        raise unreadable(file, error) from error
    if shape is not None and stored_shape != tuple(shape):
        raise ZooFileError(f"{file} must hold weights of shape {tuple(shape)}; got {stored_shape}.")
    if not math.prod(stored_shape):  # an empty array cannot be mapped
        return np.empty(stored_shape, DTYPE)
    return np.memmap(file, DTYPE, "r", offset, stored_shape)


def unreadable(file: Path, error: OSError) -> ZooFileError:
    """Return the ZooFileError of a file that cannot be opened; a ZooFileError stays as it is."""
    if isinstance(error, ZooFileError):
        return error
    return ZooFileError(f"{file} cannot be read: {error.strerror}.")


def _header(shape: tuple[int, int]) -> bytes:
    """Return the length and the JSON of a safetensors header, padded so that rows are aligned."""
    n_bytes = math.prod(shape) * DTYPE.itemsize
    tensor = {"dtype": "F32", "shape": list(shape), "data_offsets": [0, n_bytes]}
    text = json.dumps({"weights": tensor}, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _offset(handle: BufferedIOBase) -> int:
    """Return the position of the first row."""
    handle.seek(0)
    offset = 8 + int.from_bytes(handle.read(8), "little")
    handle.seek(0)
    return offset


def _shape(handle: BufferedIOBase, file: Path) -> tuple[int, int]:
    """Return the shape in the header; raise ZooFileError unless the file has its length."""
    n_bytes = os.fstat(handle.fileno()).st_size
    offset = _offset(handle)
    if not 8 < offset <= min(n_bytes, _LONGEST_HEADER):
        raise ZooFileError(f"{file} is damaged: it is not a safetensors file, or incomplete.")
    try:
        header = json.loads(handle.read(offset)[8:])
        tensor = header["weights"]
        kind, shape = tensor["dtype"], tuple(tensor["shape"])
        others = header.keys() - {"weights", "__metadata__"}
        sizes = [type(size) is int and size >= 0 for size in shape]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ZooFileError(f"{file} is not a safetensors file of weights: {error!r}") from error
    if kind != "F32" or len(shape) != 2 or not all(sizes) or others:
        raise ZooFileError(
            f"{file} must hold one float32 tensor (n_models, n_weights) only; got weights of type "
            f"{kind} and shape {shape}, and {sorted(others)}."
        )
    if n_bytes != offset + math.prod(shape) * DTYPE.itemsize:
        raise ZooFileError(
            f"{file} is damaged: it has {n_bytes} bytes, too few or too many for weights of "
            f"shape {shape}."
        )
    return shape
