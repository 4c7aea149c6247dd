"""Locks: one process at a time, who it is, and what a process leaves that is killed."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from wsl import _locks
from wsl._locks import locked
from wsl.exceptions import FolderInUseError, ZooFileError

HOST = socket.gethostname()
UNLIKELY_PID = 2**22 + 1  # beyond what Linux gives


@pytest.fixture
def file(tmp_path):
    return tmp_path / ".lock"


def no_flock(handle):
    raise OSError(errno.ENOSYS, "no locks here")


@pytest.fixture(params=["flock", "no flock"], autouse=True)
def file_system(request, monkeypatch):
    """Every test runs on file systems with locks and without."""
    if request.param == "no flock":
        monkeypatch.setattr(_locks, "_try_lock", no_flock)
    return request.param


def test_the_lock_is_free_again_and_leaves_no_file(file):
    for _ in range(2):
        with locked(file, 0):
            assert json.loads(file.read_text())["pid"] == os.getpid()
        assert not list(file.parent.iterdir())
    with pytest.raises(ZeroDivisionError), locked(file, 0):
        1 / 0  # noqa: B018
    assert not list(file.parent.iterdir())


def test_who_holds_it_is_named(file):
    named = rf"{file.parent} is in use by process {os.getpid()} on {HOST} \(since 20"
    with locked(file, 0):
        start = time.monotonic()
        with pytest.raises(FolderInUseError, match=named), locked(file, 0.3):
            pass
        assert 0.3 <= time.monotonic() - start < 5
        file.write_text("{")
        with pytest.raises(TimeoutError, match="is in use by another process"), locked(file, 0):
            pass
    assert issubclass(FolderInUseError, ZooFileError)


def test_a_second_one_waits_and_is_told_for_whom(file):
    told, order, entered = [], [], threading.Event()

    def hold():
        with locked(file, 0):
            entered.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    with locked(file, None, told.append):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert len(told) == 1
    assert f"process {os.getpid()} on {HOST}" in told[0]


def test_a_note_is_read_by_the_next_only_if_it_was_left(file):
    with locked(file, 0) as lock:
        assert not lock.left
        lock.note(weights=["a" * 1000])
        lock.note(weights=["b"])
        assert json.loads(file.read_text())["weights"] == ["b"]
        left = file.read_bytes()
    with locked(file, 0) as lock:
        assert not lock.left
    file.write_bytes(left)
    with locked(file, 0) as lock:
        assert lock.left["weights"] == ["b"]
        assert json.loads(file.read_text())["weights"] == ["b"]  # if this one is killed too


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\x00", b"[" * 10**5])
def test_a_file_of_others_holds_nobody_up(text, file):
    file.write_bytes(text)
    with locked(file, 0) as lock:
        assert lock.left == {}


def test_a_folder_that_cannot_be_written_is_named(file):
    file.mkdir()
    with pytest.raises(ZooFileError, match=r"\.lock cannot be written: "), locked(file, 0):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
class TestProcesses:
    """What several processes do to each other; each script runs in a process of its own."""

    HOLDING = """
import sys, time
from pathlib import Path
from wsl import _locks
from wsl._locks import locked
{patch}
with locked(Path(sys.argv[1]), 0) as lock:
    lock.note(weights=["unfinished"])
    {inside}
    print("held", flush=True)
    time.sleep(60)
"""
    COUNTING = """
import os, sys
from pathlib import Path
from wsl import _locks
from wsl._locks import locked
{patch}
_locks._POLL = 0.001
counter = Path(sys.argv[1] + ".count")
counter.write_text("0")
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        for _ in range(15):
            with locked(Path(sys.argv[1]), None):
                counter.write_text(str(int(counter.read_text()) + 1))
        os._exit(0)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children], counter.read_text())
"""

    @pytest.fixture
    def patch(self, file_system):
        if file_system == "flock":
            return ""
        return "def no_flock(handle): raise OSError('none')\n_locks._try_lock = no_flock"

    def start(self, file, patch, inside="pass"):
        code = self.HOLDING.format(patch=patch, inside=inside)
        process = subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE)
        self.said = process.stdout.readline()
        return process

    def test_a_killed_process_frees_it_and_leaves_its_note(self, file, patch):
        process = self.start(file, patch)
        named = f"in use by process {process.pid} on {HOST}"
        with pytest.raises(FolderInUseError, match=named), locked(file, 0):
            pass
        process.kill()
        process.wait()
        with locked(file, 1) as lock:
            assert lock.left["weights"] == ["unfinished"]
        assert not list(file.parent.iterdir())

    def test_a_forked_child_neither_keeps_it_nor_frees_it(self, file, patch):
        """It closes its copy of the lock; what it does at its end is not the parent's release."""
        inside = "import os; child = os.fork()\n    if child == 0: time.sleep(60)\n    print(child)"
        process = self.start(file, patch, inside)
        child = int(self.said)
        process.stdout.readline()
        try:
            with pytest.raises(FolderInUseError), locked(file, 0):
                pass
            process.kill()
            process.wait()
            with locked(file, 1):
                os.kill(child, 0)  # it is alive
        finally:
            os.kill(child, signal.SIGKILL)

    def test_a_forked_child_that_leaves_the_block_leaves_the_lock(self, file, patch):
        inside = (
            "import os; child = os.fork()\n    if child == 0: sys.exit()\n    os.waitpid(child, 0)"
        )
        process = self.start(file, patch, inside)
        with pytest.raises(FolderInUseError, match=f"process {process.pid} "), locked(file, 0):
            pass
        process.kill()
        process.wait()

    def test_no_two_hold_it_at_once(self, file, patch):
        command = [sys.executable, "-c", self.COUNTING.format(patch=patch), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.split("] ")[1].strip() == "60"


class TestWithoutLocks:
    """Where the file system has none, a second file stands for the lock."""

    @pytest.fixture(autouse=True)
    def sign(self, file, monkeypatch):
        monkeypatch.setattr(_locks, "_try_lock", no_flock)
        return file.with_name(".lock.held")

    @pytest.mark.parametrize(
        ("holder", "is_dead"),
        [
            ({"pid": UNLIKELY_PID, "host": HOST}, True),
            ({"pid": os.getpid(), "host": HOST}, False),
            ({"pid": UNLIKELY_PID, "host": f"{HOST}-other"}, False),
            ({"pid": "x", "host": HOST}, False),
            ({"host": HOST}, False),
            ({}, False),
        ],
    )
    def test_only_a_process_that_is_surely_dead_is_passed_over(self, holder, is_dead, file, sign):
        sign.write_text(json.dumps(holder))
        if is_dead:
            with locked(file, 1):
                assert json.loads(sign.read_text())["pid"] == os.getpid()
            assert not list(file.parent.iterdir())
        else:
            with pytest.raises(FolderInUseError), locked(file, 0.1):
                pass
            assert json.loads(sign.read_text()) == holder

    def test_a_lock_that_was_taken_meanwhile_is_given_back(self, file, sign, monkeypatch):
        """Two see that the holder is dead; the slower one finds the faster one's file."""
        dead = {"pid": UNLIKELY_PID, "host": HOST}
        sign.write_text(json.dumps(dead))
        alive = {"pid": os.getpid(), "host": HOST}

        def is_dead(holder):
            sign.write_text(json.dumps(alive))
            return True

        monkeypatch.setattr(_locks, "_is_dead", is_dead)
        with pytest.raises(FolderInUseError), locked(file, 0):
            pass
        assert json.loads(sign.read_text()) == alive
        assert {path.name for path in file.parent.iterdir()} == {".lock", ".lock.held"}
