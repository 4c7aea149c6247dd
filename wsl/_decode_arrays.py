"""The one decoder of arrays from files, which compares every size with the length of the file.

Readers call, on a file that ``wsl._files.open_regular`` has opened,

- ``read_safetensors_header(handle, name)`` for what a safetensors file holds, and where;
- ``check_torch_archive(handle, name)`` before ``torch.load(handle, weights_only=True)``;
- ``read_npz(path, max_bytes=...)`` for the arrays of a file that ``numpy.savez`` wrote.

What a file declares is not trusted: offsets, shapes, types and compressed sizes are checked before
memory is allocated. All raise an error, ZooFileError by default, with the file and the reason.
"""

import math
import os
import zipfile
from io import BufferedRandom, BufferedReader
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from ._decode_json import Fields, ListOf, MapOf, check_schema, decode_json
from ._files import open_regular
from .exceptions import WslError, ZooFileError

MAX_HEADER = 2**24  # bytes
MAX_NPY_HEADER = 10_000
MAX_NDIM = 64
MAX_MEMBERS = 10_000
ITEM_BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
_TENSOR = Fields({"dtype": str, "shape": ListOf(int), "data_offsets": ListOf(int)})
_HEADER = MapOf(dict)
_ZIP = b"PK\x03\x04"
_LARGEST_CHARACTER, _SURROGATES = 0x10FFFF, (0xD800, 0xDFFF)


class StoredTensor(NamedTuple):
    """A tensor in a safetensors file, and the positions in the file where its bytes are."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_safetensors_header(
    handle: BufferedReader | BufferedRandom, name: object, *, error: type[WslError] = ZooFileError
) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name, in the order of their positions.

    They fill the file from the header to its end, without gaps and overlaps.
    """
    n_bytes = os.fstat(handle.fileno()).st_size
    handle.seek(0)
    length = int.from_bytes(handle.read(8), "little")
    if not 0 < length <= min(MAX_HEADER, n_bytes - 8):
        raise error(f"{name} is damaged: it is not a safetensors file, or incomplete.")
    text = handle.read(length)
    header = decode_json(text, f"{name} is damaged: its header", _HEADER, error=error)
    try:
        check_schema(header.pop("__metadata__", {}), MapOf(str), "__metadata__")
        tensors = {key: _stored_tensor(key, entry, 8 + length) for key, entry in header.items()}
        return _in_order(tensors, 8 + length, n_bytes)
    except ValueError as cause:
        raise error(f"{name} is damaged: {cause}.") from cause


def _stored_tensor(key: str, entry: dict[str, Any], base: int) -> StoredTensor:
    """Return an entry of a header, with positions counted from the start of the file."""
    check_schema(entry, _TENSOR, key)
    dtype, shape, offsets = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if dtype not in ITEM_BITS:
        raise ValueError(f"`{key}.dtype` must be a type of safetensors; got {dtype[:20]!r}")
    if len(shape) > MAX_NDIM or not all(0 <= n < 2**63 for n in shape):
        raise ValueError(f"`{key}.shape` must hold at most {MAX_NDIM} sizes from 0 to 2**63")
    n_bits = math.prod(shape) * ITEM_BITS[dtype]
    if len(offsets) != 2 or offsets[0] < 0 or 8 * (offsets[1] - offsets[0]) != n_bits:
        raise ValueError(
            f"`{key}.data_offsets` must be two numbers from 0, {n_bits // 8} apart for shape "
            f"{shape} of type {dtype}; got {offsets[:3]}"
        )
    return StoredTensor(dtype, shape, base + offsets[0], base + offsets[1])


def _in_order(tensors: dict[str, StoredTensor], base: int, n_bytes: int) -> dict[str, StoredTensor]:
    """Return tensors by position; raise ValueError unless they fill the file, one by one."""
    ordered = dict(sorted(tensors.items(), key=lambda item: item[1][2:]))
    end = base
    for key, tensor in ordered.items():
        if tensor.start != end:
            raise ValueError(
                f"`{key}.data_offsets` must start where the tensor before it ends, at "
                f"{end - base}; got {tensor.start - base}"
            )
        end = tensor.stop
    if end != n_bytes:
        raise ValueError(f"it must have {end} bytes, as its header says; got {n_bytes}")
    return ordered


def check_torch_archive(
    handle: IO[bytes], name: object, *, error: type[WslError] = ZooFileError
) -> None:
    """Raise an error for a file of ``torch.save`` whose parts are larger than the file.

    ``torch.save`` stores its records uncompressed, one after the other. A compressed record may be
    a thousand times larger than the file. Files of the older format, which is no archive, are left
    to torch.
    """
    n_bytes = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    is_archive = handle.read(len(_ZIP)) == _ZIP
    if is_archive:
        members = _members(handle, name, error)
        if any(m.compress_type != zipfile.ZIP_STORED for m in members):
            raise error(f"{name} must hold uncompressed records, as torch.save writes them.")
        if sum(m.file_size for m in members) > n_bytes:
            raise error(f"{name} is damaged: its records are larger than the file.")
    handle.seek(0)


def read_npz(
    path: str | os.PathLike, *, max_bytes: int, error: type[WslError] = ZooFileError
) -> dict[str, np.ndarray]:
    """Return the arrays of a file that ``numpy.savez`` wrote: numbers, booleans and text.

    ``max_bytes`` bounds the file and, uncompressed, all arrays together.
    """
    with open_regular(path, max_bytes, error=error) as handle:
        members = _members(handle, path, error)
        if sum(m.file_size for m in members) > max_bytes:
            raise error(f"{path} must hold at most {max_bytes} bytes of arrays; got more.")
        if not all(m.filename.endswith(".npy") for m in members):
            raise error(f"{path} must hold arrays of numpy only.")
        with zipfile.ZipFile(handle) as archive:
            return {
                m.filename.removesuffix(".npy"): _read_npy(archive, m, path, error) for m in members
            }


def _members(handle: IO[bytes], name: object, error: type[WslError]) -> list[zipfile.ZipInfo]:
    """Return the members of an archive, whose names are distinct."""
    handle.seek(0)
    try:
        with zipfile.ZipFile(handle) as archive:
            members = archive.infolist()
    except Exception as cause:  # a damaged or hostile archive may raise anything
        raise error(f"{name} is damaged: it is not a complete archive ({cause}).") from cause
    if len(members) > MAX_MEMBERS or len({m.filename for m in members}) < len(members):
        raise error(f"{name} must hold at most {MAX_MEMBERS} members with distinct names.")
    return members


def _read_npy(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: object, error: type[WslError]
) -> np.ndarray:
    """Return the array of one member, after a check of its declared size and of its contents."""
    try:
        with archive.open(member) as stream:
            shape, fortran_order, dtype = _npy_header(stream)
            n_bytes = math.prod(shape) * dtype.itemsize
            if dtype.kind not in "biufU" or n_bytes != member.file_size - stream.tell():
                raise ValueError(
                    f"its size must be that of an array of numbers or text of shape {shape} and "
                    f"type {dtype.str}"
                )
            data = stream.read(n_bytes)
            stream.read(1)  # reaches the end, where the checksum is compared
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")
        _check_items(array)
    except Exception as cause:  # a damaged or hostile archive may raise anything
        raise error(f"{name} is damaged: {member.filename!r} cannot be read: {cause}.") from cause
    return array.copy()


def _npy_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"its format must be one of {sorted(readers)}; got {version}")
    return readers[version](stream, max_header_size=MAX_NPY_HEADER)


def _check_items(array: np.ndarray) -> None:
    """Raise ValueError for booleans other than 0 and 1, and for text that is not valid Unicode."""
    if array.dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise ValueError("booleans must be 0 or 1")
    if array.dtype.kind == "U" and array.nbytes:
        codes = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(array.dtype.byteorder))
        low, high = _SURROGATES
        if codes.max() > _LARGEST_CHARACTER or ((codes >= low) & (codes <= high)).any():
            raise ValueError("text must be valid Unicode")
