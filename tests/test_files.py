"""Files: only regular ones of bounded size are read, and errors of the system name them."""

import os
import socket
import subprocess
import sys

import pytest

from wsl._files import naming_file, open_regular, read_bytes, replacing, write_text
from wsl.exceptions import InvalidInputError, ZooFileError

needs_posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


NOT_REGULAR = {
    "a folder": os.mkdir,
    "a named pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: os.symlink("/dev/zero", path),
    "a socket": make_socket,
}


@needs_posix
@pytest.mark.parametrize("kind", NOT_REGULAR)
def test_what_is_no_file_is_named(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    NOT_REGULAR[kind]("odd")
    with pytest.raises(ZooFileError, match=f"odd must be a regular file to be read; got {kind}"):
        read_bytes("odd", 100)
    with (
        pytest.raises(InvalidInputError, match=f"got {kind}"),
        open_regular("odd", error=InvalidInputError),
    ):
        pass


def test_files_are_bounded(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert read_bytes(file, 5) == b"12345"
    with pytest.raises(ZooFileError, match="a must have at most 4 bytes; got 5"):
        read_bytes(file, 4)
    with open_regular(file) as handle:
        assert handle.read() == b"12345"
    (tmp_path / "link").symlink_to(file)
    assert read_bytes(tmp_path / "link", 5) == b"12345"


def test_files_that_cannot_be_opened_are_named(tmp_path):
    with pytest.raises(ZooFileError, match="none cannot be read: No such file"):
        read_bytes(tmp_path / "none", 5)
    with pytest.raises(ZooFileError, match=r"cannot be read: .*null"):
        read_bytes(f"{tmp_path}/a\0b", 5)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ZooFileError, match="loop cannot be read"):
        read_bytes(tmp_path / "loop", 5)


def test_errors_of_a_block_stay_what_they_are(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(KeyError), open_regular(tmp_path / "a"):
        raise KeyError
    with pytest.raises(ZooFileError, match="mine"), open_regular(tmp_path / "a"):
        raise ZooFileError("mine")
    with pytest.raises(OSError, match="other") as caught, naming_file("mine"):
        raise FileNotFoundError(2, "No such file", "other")
    assert caught.value.filename == "other"


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
import os
folder, case = sys.argv[1:]
import numpy as np
from wsl import Architecture, ModelZoo
from wsl._files import write_text
try:
    if case == "text":
        write_text(os.path.join(folder, "report.json"), "x" * 10**5)
    else:
        architecture = Architecture.mlp(20, [20], 2)
        ModelZoo(np.zeros((50, architecture.n_weights)), architecture).save(folder)
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
@needs_posix
@pytest.mark.parametrize(("case", "name"), [("text", "report.json"), ("zoo", "weights-")])
def test_a_full_disk_names_the_file(case, name, tmp_path):
    """The largest size of a file stands for the disk, which a test cannot fill."""
    (tmp_path / "report.json").write_text("old")
    arguments = [sys.executable, "-c", FULL, str(tmp_path), case]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "OSError [Errno 27] File too large" in done.stdout
    assert str(tmp_path / name) in done.stdout
    assert [f.name for f in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "old"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    file = tmp_path / "new" / "a.txt"
    assert write_text(file, "first") == file
    with pytest.raises(TypeError), replacing(file) as draft:
        draft.write_bytes("not bytes")
    assert [f.name for f in file.parent.iterdir()] == ["a.txt"]
    assert file.read_text() == "first"
    write_text(file, "second \u00e9")
    assert file.read_text(encoding="utf-8") == "second \u00e9"
