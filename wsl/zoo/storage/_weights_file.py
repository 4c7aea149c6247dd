"""Rows of weights in a safetensors file that is allocated first, and written and read in place.

The file holds one float32 tensor, ``weights`` ``(n_models, n_weights)``.
"""

import hashlib
import json
import math
import os
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..._batches import row_slices
from ..._decode_arrays import read_safetensors_header
from ..._files import naming_file, open_regular
from ...exceptions import ZooFileError

DTYPE = np.dtype("<f4")
_ALIGNMENT = 64


class _Rows(NamedTuple):
    """The shape of the rows in a file, and the position of the first one."""

    shape: tuple[int, int]
    offset: int


def prepare_rows(file: Path, shape: tuple[int, int]) -> None:
    """Allocate a file for rows of that shape; rows that it already holds stay."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with naming_file(file), os.fdopen(os.open(file, flags, 0o666), "r+b") as handle:
        header = _header(shape)
        handle.write(header)
        handle.truncate(len(header) + math.prod(shape) * DTYPE.itemsize)
        handle.flush()
        os.fsync(handle.fileno())


def draft_of(file: Path, name: str) -> Path:
    """Return the temporary path of the file ``name`` that belongs to some weights."""
    return file.with_name(f".{file.stem}.{name}")


def write_rows(file: Path, start: int, rows: np.ndarray) -> str:
    """Write rows ``(n_rows, n_weights)`` from row ``start`` on; return their checksum."""
    rows = np.ascontiguousarray(rows, DTYPE)
    with naming_file(file), file.open("r+b") as handle:
        offset = _find_rows(handle, file).offset
        handle.seek(offset + start * rows.shape[1] * DTYPE.itemsize)
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
    with open_regular(file) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_rows(file: Path) -> tuple[np.ndarray, str]:
    """Return the rows ``(n_models, n_weights)`` in memory, and the SHA-256 of the file."""
    with open_regular(file) as handle:
        found = _find_rows(handle, file)
        handle.seek(0)
        digest = hashlib.sha256(handle.read(found.offset))
        try:
            rows = np.empty(found.shape, DTYPE)
        except MemoryError as error:
            raise ZooFileError(
                f"{file} holds weights of shape {found.shape}, for which there is not enough "
                "memory; pass mmap=True."
            ) from error
        if handle.readinto(rows.data) != rows.nbytes:
            raise ZooFileError(f"{file} is damaged: it ends before its last row.")
    digest.update(rows.data)
    return rows, digest.hexdigest()


def map_rows(file: Path, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Return the rows as a read-only memory map ``(n_models, n_weights)``."""
    with open_regular(file) as handle:
        found = _find_rows(handle, file)
    if shape is not None and found.shape != tuple(shape):
        raise ZooFileError(f"{file} must hold weights of shape {tuple(shape)}; got {found.shape}.")
    if not math.prod(found.shape):  # an empty array cannot be mapped
        return np.empty(found.shape, DTYPE)
    return np.memmap(file, DTYPE, "r", found.offset, found.shape)


def _header(shape: tuple[int, int]) -> bytes:
    """Return the length and the JSON of a safetensors header, padded so that rows are aligned."""
    n_bytes = math.prod(shape) * DTYPE.itemsize
    tensor = {"dtype": "F32", "shape": list(shape), "data_offsets": [0, n_bytes]}
    text = json.dumps({"weights": tensor}, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _find_rows(handle: BufferedReader | BufferedRandom, file: Path) -> _Rows:
    """Return the shape and the position of the rows; raise ZooFileError for another file."""
    tensors = read_safetensors_header(handle, file)
    weights = tensors.get("weights")
    if weights is None or len(tensors) > 1 or weights.dtype != "F32" or len(weights.shape) != 2:
        found = {name: (tensor.dtype, tensor.shape) for name, tensor in list(tensors.items())[:3]}
        raise ZooFileError(
            f"{file} must hold one float32 tensor, weights of shape (n_models, n_weights); got "
            f"{len(tensors)} tensors: {found}."
        )
    return _Rows((weights.shape[0], weights.shape[1]), weights.start)
