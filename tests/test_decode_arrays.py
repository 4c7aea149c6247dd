"""Arrays from files: every size is compared with the file before memory is taken."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from safetensors.torch import save_file

from wsl._decode_arrays import check_torch_archive, read_npz, read_safetensors_header
from wsl._files import open_regular
from wsl.exceptions import InvalidInputError, ZooFileError

ARRAYS = {
    "numbers": np.arange(6.0).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "flags": np.array([True, False]),
    "text": np.array("some text"),
    "names": np.array(["a", "bc\U0001f600"]),
    "empty": np.zeros((0, 3), np.float32),
    "big": np.arange(3, dtype=">i4"),
}


def refused(function, *args, **options):
    """Return what a function returns, or the text of its ZooFileError."""
    try:
        return function(*args, **options)
    except ZooFileError as error:
        return str(error)


def header_of(file):
    with open_regular(file) as handle:
        return read_safetensors_header(handle, file)


def write_safetensors(file, header, n_bytes, text=None):
    """Write a file with any header; ``text`` replaces its JSON."""
    text = json.dumps(header).encode() if text is None else text
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(n_bytes))
    return file


# --- safetensors


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "bfloat16", "float16", "float32", "float64", "float8_e5m2"]
)
def test_headers_of_the_safetensors_library(dtype, tmp_path):
    tensors = {"a": torch.zeros(2, 3), "b": torch.zeros(()), "c": torch.zeros(0, 4)}
    tensors = {name: tensor.to(getattr(torch, dtype)) for name, tensor in tensors.items()}
    save_file(tensors, tmp_path / "a.safetensors", {"by": "someone"})
    found = header_of(tmp_path / "a.safetensors")
    assert {name: t.shape for name, t in found.items()} == {"a": (2, 3), "b": (), "c": (0, 4)}
    sizes = {name: t.stop - t.start for name, t in found.items()}
    assert sizes == {name: t.numel() * t.element_size() for name, t in tensors.items()}
    assert max(t.stop for t in found.values()) == (tmp_path / "a.safetensors").stat().st_size


def entry(**changes):
    return {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} | changes


HEADERS = {
    "no offsets": {"a": {"dtype": "F32", "shape": [2, 3]}},
    "no dtype": {"a": {"shape": [2, 3], "data_offsets": [0, 24]}},
    "more fields": {"a": entry(extra=1)},
    "negative": {"a": entry(data_offsets=[-4, 20])},
    "shifted": {"a": entry(data_offsets=[4, 28])},
    "reversed": {"a": entry(data_offsets=[24, 0])},
    "too long": {"a": entry(data_offsets=[0, 28])},
    "out of range": {"a": entry(data_offsets=[0, 2**40], shape=[2**19, 2**19])},
    "beyond 64 bits": {"a": entry(shape=[2**63, 2**63], data_offsets=[0, 2**128])},
    "overlapping": {"a": entry(), "b": entry(shape=[1], data_offsets=[20, 24])},
    "the same": {"a": entry(), "b": entry()},
    "a gap": {"a": entry(shape=[1], data_offsets=[0, 4]), "b": entry(data_offsets=[8, 32])},
    "too few": {"a": entry(shape=[5], data_offsets=[0, 20])},
    "one offset": {"a": entry(data_offsets=[24])},
    "text as offset": {"a": entry(data_offsets=["0", "24"])},
    "floats as offsets": {"a": entry(data_offsets=[0.0, 24.0])},
    "booleans as sizes": {"a": entry(shape=[True, 6])},
    "negative size": {"a": entry(shape=[-2, -3])},
    "many axes": {"a": entry(shape=[1] * 65, data_offsets=[0, 4])},
    "unknown dtype": {"a": entry(dtype="F33")},
    "a list": [1, 2],
    "text": {"a": "b"},
    "numbers as metadata": {"a": entry(), "__metadata__": {"x": 1}},
    "metadata as text": {"a": entry(), "__metadata__": "x"},
    "nothing": {},
}


@pytest.mark.parametrize("case", HEADERS)
def test_other_headers_are_refused(case, tmp_path):
    file = write_safetensors(tmp_path / "a.safetensors", HEADERS[case], 24)
    with pytest.raises(ZooFileError, match=r"a\.safetensors is damaged"):
        header_of(file)


def test_the_plain_header_of_these_cases_is_valid(tmp_path):
    file = write_safetensors(tmp_path / "a", {"a": entry(), "__metadata__": {"x": "y"}}, 24)
    assert header_of(file)["a"].shape == (2, 3)
    two = {
        "b": entry(shape=[2], data_offsets=[16, 24]),
        "a": entry(shape=[4], data_offsets=[0, 16]),
    }
    assert list(header_of(write_safetensors(tmp_path / "b", two, 24))) == ["a", "b"]


def test_duplicate_names_are_refused(tmp_path):
    text = json.dumps({"a": entry(), "b": entry()}).replace('"b"', '"a"').encode()
    with pytest.raises(ZooFileError, match="has the key 'a' twice"):
        header_of(write_safetensors(tmp_path / "a", None, 24, text))
    text = b'{"a": {"dtype": "F32", "dtype": "F64", "shape": [6], "data_offsets": [0, 24]}}'
    with pytest.raises(ZooFileError, match="has the key 'dtype' twice"):
        header_of(write_safetensors(tmp_path / "a", None, 24, text))


def test_every_truncation_of_a_header_is_refused(tmp_path):
    whole = write_safetensors(tmp_path / "a", {"a": entry()}, 24).read_bytes()
    for size in range(len(whole)):
        (tmp_path / "a").write_bytes(whole[:size])
        with pytest.raises(ZooFileError):
            header_of(tmp_path / "a")
    for length in (0, len(whole), 2**31, 2**63, 2**64 - 1):
        (tmp_path / "a").write_bytes(length.to_bytes(8, "little") + whole[8:])
        with pytest.raises(ZooFileError, match="not a safetensors file"):
            header_of(tmp_path / "a")


SIZES = st.integers(-3, 30) | st.sampled_from([2**31, 2**63, 2**64, 10**30])
ODD = st.none() | st.booleans() | st.floats() | st.text(max_size=3) | SIZES
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "U8", "F4", "BF16", "I64", "f32"]) | ODD,
        "shape": st.lists(SIZES, max_size=4) | ODD,
        "data_offsets": st.lists(SIZES, max_size=3) | ODD,
        "other": ODD,
    },
)


@pytest.mark.slow
def test_whatever_the_header_says_it_is_refused_or_true(fuzz, tmp_path):
    def check(header, n_bytes, name):
        file = write_safetensors(tmp_path / "a", header, n_bytes)
        found = refused(header_of, file)
        if isinstance(found, str):
            assert str(file) in found
            return
        starts = [t.start for t in found.values()]
        assert starts == sorted(starts)
        assert sum(t.stop - t.start for t in found.values()) == n_bytes

    headers = st.dictionaries(st.sampled_from("abc"), ENTRIES, max_size=3)
    fuzz(check, headers, st.integers(0, 40), st.just("a"))


# --- archives of torch


def checked(file):
    with open_regular(file) as handle:
        check_torch_archive(handle, file)
        return torch.load(handle, weights_only=True)


def repack(source, target, compression=zipfile.ZIP_STORED, **changes):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for member in old.infolist():
            new.writestr(member.filename, changes.get(member.filename, old.read(member)))
    return target


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_pass(zipped, tmp_path):
    torch.save({"a": torch.arange(5)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    assert checked(tmp_path / "a.pt")["a"].tolist() == [0, 1, 2, 3, 4]


def test_compressed_records_are_refused(tmp_path):
    torch.save({"a": torch.zeros(10**6)}, tmp_path / "a.pt")
    bomb = repack(tmp_path / "a.pt", tmp_path / "b.pt", zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10**4
    with pytest.raises(ZooFileError, match=r"b\.pt must hold uncompressed records"):
        checked(bomb)
    repack(tmp_path / "a.pt", tmp_path / "c.pt")
    assert len(checked(tmp_path / "c.pt")["a"]) == 10**6


def test_records_with_one_name_or_beyond_the_file_are_refused(tmp_path):
    torch.save({"a": torch.zeros(10)}, tmp_path / "a.pt")
    data = (tmp_path / "a.pt").read_bytes()
    place = data.index(b"PK\x01\x02")  # the directory: compressed and plain size at 20 and 24
    huge = (2**30).to_bytes(4, "little")
    (tmp_path / "b.pt").write_bytes(data[: place + 20] + 2 * huge + data[place + 28 :])
    with pytest.raises(ZooFileError, match=r"b\.pt is damaged: its records are larger"):
        checked(tmp_path / "b.pt")
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as archive:
        archive.writestr("a/data.pkl", b"")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a/data.pkl", b"")
    with pytest.raises(ZooFileError, match="distinct names"):
        checked(tmp_path / "c.pt")


# --- archives of numpy


def test_arrays_of_numpy_come_back(tmp_path):
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **ARRAYS)
        found = read_npz(tmp_path / "a.npz", max_bytes=10**5)
        assert found.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array, strict=True)
            assert found[name].flags.writeable


def test_bombs_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(10**7))
    with pytest.raises(ZooFileError, match=r"a\.npz must hold at most 1000000 bytes of arrays"):
        read_npz(tmp_path / "a.npz", max_bytes=10**6)
    with pytest.raises(InvalidInputError, match=r"a\.npz must have at most 10 bytes"):
        read_npz(tmp_path / "a.npz", max_bytes=10, error=InvalidInputError)


def npy(header, data=bytes(48)):
    """Return an npy file with any header."""
    text = repr(header).encode() if not isinstance(header, bytes) else header
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def plain(**changes):
    return {"descr": "<f8", "fortran_order": False, "shape": (2, 3)} | changes


MEMBERS = {
    "shape": npy(plain(shape=(10**6, 10**6))),
    "smaller shape": npy(plain(shape=(2, 2))),
    "negative shape": npy(plain(shape=(-2, -3))),
    "long text": npy(plain(descr="<U1000000000", shape=())),
    "long bytes": npy(plain(descr="S1000000000", shape=())),
    "objects": npy(plain(descr="|O")),
    "records": npy(plain(descr=[("a", "<f8")])),
    "dates": npy(plain(descr="<M8[s]")),
    "invalid Unicode": npy(plain(descr="<U6", shape=(2,)), b"\xff" * 48),
    "lone surrogate": npy(plain(descr="<U12", shape=()), (0xD800).to_bytes(4, "little") * 12),
    "booleans of 7": npy(plain(descr="|b1", shape=(48,)), b"\x07" * 48),
    "long header": npy(plain() | {"x" * 20_000: 0}),
    "code as header": npy(b"__import__('os').abort()"),
    "nested header": npy(b"(" * 5000),
    "other version": b"\x93NUMPY\x09\x00" + npy(plain())[8:],
    "no magic": b"",
}


@pytest.mark.parametrize("case", MEMBERS)
def test_other_members_are_refused(case, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", MEMBERS[case])
    with pytest.raises(ZooFileError, match=r"a\.npz is damaged: 'a\.npy' cannot be read"):
        read_npz(tmp_path / "a.npz", max_bytes=10**6)


def test_the_plain_member_of_these_cases_is_valid(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", npy(plain()))
        archive.writestr("b.npy", npy(plain(descr="|b1", shape=(48,)), b"\x01" * 48))
    found = read_npz(tmp_path / "a.npz", max_bytes=10**6)
    assert found["a"].shape == (2, 3)
    assert found["b"].all()
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("c.txt", b"")
    with pytest.raises(ZooFileError, match="must hold arrays of numpy only"):
        read_npz(tmp_path / "a.npz", max_bytes=10**6)


def test_changed_archives_are_refused_or_the_same(fuzz, tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS)
    whole = (tmp_path / "a.npz").read_bytes()

    def check(place, value, cut):
        data = bytearray(whole)
        data[place] ^= value
        file = tmp_path / "b.npz"
        file.write_bytes(data[:cut])
        found = refused(read_npz, file, max_bytes=10**6)
        if isinstance(found, str):
            assert str(file) in found
            return
        for name, array in found.items():
            if name in ARRAYS:  # the name itself is not covered by a checksum
                np.testing.assert_array_equal(array, ARRAYS[name], strict=True)

    cuts = st.just(len(whole)) | st.integers(0, len(whole))
    fuzz(check, st.integers(0, len(whole) - 1), st.integers(1, 255), cuts)


def test_members_are_read_from_memory_of_their_size(tmp_path):
    """A member that holds more than it declares is cut, and then fails its checksum."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(1000))
    data = bytearray(buffer.getvalue())
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = (200).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ZooFileError, match="cannot be read"):
        read_npz(tmp_path / "a.npz", max_bytes=10**6)
