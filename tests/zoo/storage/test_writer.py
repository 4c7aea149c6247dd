"""Zoos written in pieces: what is on disk at any moment, and what a killed process leaves."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from wsl import Architecture, ModelZoo, _batches
from wsl.exceptions import InvalidInputError, ZooFileError
from wsl.zoo.storage import _weights_file
from wsl.zoo.storage._claim import FolderClaim, claimed
from wsl.zoo.storage._journal import JOURNAL
from wsl.zoo.storage._writer import ZooWriter

ARCHITECTURE = Architecture.mlp(3, [4], 1, "tanh")
N_ROWS = 7
WEIGHTS = np.random.default_rng(0).normal(size=(N_ROWS, ARCHITECTURE.n_weights)).astype("f")
TABLE = pd.DataFrame({"model": range(N_ROWS), "name": [f"model ä{i}" for i in range(N_ROWS)]})


def start(path, fingerprint="a", n_rows=N_ROWS):
    with claimed(path) as claim:
        return ZooWriter(claim, ARCHITECTURE, n_rows, fingerprint)


def write(writer, first, last):
    writer.write(first, WEIGHTS[first:last], TABLE[first:last])


def write_rest(writer):
    """Write what is missing, row by row, and finish."""
    have = {row for first, last in writer.done for row in range(first, last)}
    for row in set(range(N_ROWS)) - have:
        write(writer, row, row + 1)
    return writer.finish()


def assert_whole(path):
    zoo = ModelZoo.load(path)
    assert zoo.weights.tobytes() == WEIGHTS.tobytes()
    assert zoo.architecture == ARCHITECTURE
    pd.testing.assert_frame_equal(zoo.metadata, TABLE)
    assert {file.name for file in path.iterdir() if file.suffix != ".safetensors"} == {"zoo.json"}
    assert len(list(path.iterdir())) == 2


def test_pieces_in_any_order_make_the_zoo(tmp_path):
    writer = start(tmp_path)
    assert writer.done == []
    for first, last, done in [(5, 7, [(5, 7)]), (0, 2, [(0, 2), (5, 7)]), (2, 5, [(0, 7)])]:
        write(writer, first, last)
        assert writer.done == done
        assert not writer.finished
        with pytest.raises(ZooFileError, match=r"zoo\.json cannot be read"):
            ModelZoo.load(tmp_path)
    assert writer.finish() == tmp_path
    assert writer.finished
    assert_whole(tmp_path)


def test_the_weights_are_safetensors_as_others_read_them(tmp_path):
    write_rest(start(tmp_path))
    (file,) = tmp_path.glob("*.safetensors")
    read = load_file(file)
    assert list(read) == ["weights"]
    np.testing.assert_array_equal(read["weights"], WEIGHTS)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.sets(st.integers(0, N_ROWS)),
    order=st.randoms(use_true_random=False),
    restarts=st.lists(st.booleans(), min_size=N_ROWS + 2, max_size=N_ROWS + 2),
)
def test_however_it_is_cut_and_restarted(cuts, order, restarts, tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo")
    edges = sorted({0, N_ROWS, *cuts})
    pieces = list(pairwise(edges))
    order.shuffle(pieces)
    writer, written = start(path), set()
    for (first, last), restart in zip(pieces, restarts, strict=False):
        write(writer, first, last)
        written |= set(range(first, last))
        if restart:
            writer = start(path)
        assert {row for a, b in writer.done for row in range(a, b)} == written
    writer.finish()
    assert_whole(path)


def test_a_finished_zoo_is_recognized_and_left_alone(tmp_path):
    write_rest(start(tmp_path))
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    again = start(tmp_path)
    assert again.finished
    assert again.done == [(0, N_ROWS)]
    assert again.finish() == tmp_path
    with pytest.raises(InvalidInputError, match="Rows 1:2 overlap 0:7, which are written already"):
        write(again, 1, 2)
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before


def test_an_empty_zoo(tmp_path):
    writer = start(tmp_path, n_rows=0)
    assert writer.done == []
    writer.write(0, WEIGHTS[:0], TABLE[:0])
    assert len(ModelZoo.load(writer.finish())) == 0
    assert start(tmp_path, n_rows=0).finished


def test_other_zoos_are_not_overwritten(tmp_path):
    write(start(tmp_path / "begun"), 0, 2)
    write_rest(start(tmp_path / "done"))
    ModelZoo(WEIGHTS, ARCHITECTURE).save(tmp_path / "saved")
    for other in (("b", N_ROWS), ("a", N_ROWS + 1)):
        with pytest.raises(ZooFileError, match="begun holds an unfinished zoo of other models"):
            start(tmp_path / "begun", *other)
    for folder in ("done", "saved"):
        with pytest.raises(ZooFileError, match=f"{folder} holds a finished zoo of other models"):
            start(tmp_path / folder, "b")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ZooFileError, match=r"file must be a folder .*; got a file"):
        start(tmp_path / "file")
    assert start(tmp_path / "begun").done == [(0, 2)]


def test_rows_must_fit(tmp_path):
    writer = start(tmp_path)
    write(writer, 2, 4)
    with pytest.raises(InvalidInputError, match="Rows 3:5 overlap 2:4, which are written already"):
        write(writer, 3, 5)
    with pytest.raises(InvalidInputError, match="Rows 6:8 are outside a zoo of 7 rows"):
        writer.write(6, WEIGHTS[:2], TABLE[:2])
    with pytest.raises(InvalidInputError, match="Rows -1:1 are outside"):
        writer.write(-1, WEIGHTS[:2], TABLE[:2])
    with pytest.raises(
        InvalidInputError, match="`table` must have 2 entries, as weights has; got 3"
    ):
        writer.write(0, WEIGHTS[:2], TABLE[:3])
    with pytest.raises(InvalidInputError, match=r"`weights` must have 21 columns, .*; got 5"):
        writer.write(0, WEIGHTS[:2, :5], TABLE[:2])
    with pytest.raises(
        InvalidInputError, match=r"`table` must have the columns \['model', .*; got \['model'\]"
    ):
        writer.write(0, WEIGHTS[:2], TABLE[["model"]][:2])
    with pytest.raises(InvalidInputError, match=r"All 7 rows must be written .*; got \[\(2, 4\)\]"):
        writer.finish()
    write_rest(writer)
    assert_whole(tmp_path)


def test_rows_that_changed_on_disk_are_done_again(tmp_path):
    writer = start(tmp_path)
    for first, last in [(0, 2), (2, 5), (5, 7)]:
        write(writer, first, last)
    (file,) = tmp_path.glob("*.safetensors")
    data = bytearray(file.read_bytes())
    data[-4 * ARCHITECTURE.n_weights * 4] ^= 1  # in row 3
    file.write_bytes(data)
    again = start(tmp_path)
    assert again.done == [(0, 2), (5, 7)]
    write_rest(again)
    assert_whole(tmp_path)


@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_weights_that_are_lost_are_written_again(damage, tmp_path):
    writer = start(tmp_path)
    write(writer, 0, 2)
    write(writer, 5, 7)
    (file,) = tmp_path.glob("*.safetensors")
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: 0 if damage == "empty" else -100])
    again = start(tmp_path)
    assert again.done == ([(0, 2)] if damage == "cut" else [])
    write_rest(again)
    assert_whole(tmp_path)


def test_a_journal_cut_anywhere_loses_only_its_tail(tmp_path):
    writer = start(tmp_path)
    write(writer, 0, 2)
    write(writer, 3, 7)
    journal = tmp_path / JOURNAL
    whole = journal.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(ends[0], len(whole), 7):
        journal.write_bytes(whole[:size])
        kept = start(tmp_path)  # a line is whole when only the line feed is lost
        assert kept.done == [(0, 2), (3, 7)][: sum(end - 1 <= size for end in ends[1:])]
        assert journal.read_bytes().endswith(b"\n")
    write_rest(kept)
    assert_whole(tmp_path)


def test_a_journal_of_others_is_named(tmp_path):
    for text in ("", "{}", "mine\n", '{"fingerprint": "a"}\n'):
        (tmp_path / JOURNAL).write_text(text)
        with pytest.raises(ZooFileError, match=r"zoo\.partial\.jsonl is damaged"):
            start(tmp_path)


def test_a_journal_leads_to_no_file_outside(tmp_path, monkeypatch):
    path, away = tmp_path / "zoo", tmp_path / "away.safetensors"
    away.write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(FolderClaim, "new_weights_file", lambda claim: claim.path / "x.safetensors")
        start(path)
    (path / "x.safetensors").unlink()
    (path / "x.safetensors").symlink_to(away)
    with pytest.raises(ZooFileError, match="link that leads outside"):
        start(path)
    assert away.read_text() == "mine"


def test_no_second_copy_of_the_weights(tmp_path, monkeypatch):
    """What is written is the caller's own memory, a bounded piece at a time."""
    monkeypatch.setattr(_batches, "BATCH_BYTES", 2 * 4 * ARCHITECTURE.n_weights)
    sizes = []
    contiguous = np.ascontiguousarray

    def recording(rows, dtype=None):
        result = contiguous(rows, dtype)
        assert np.shares_memory(result, rows) or not result.size
        sizes.append(len(result))
        return result

    monkeypatch.setattr(_weights_file.np, "ascontiguousarray", recording)
    ModelZoo(WEIGHTS, ARCHITECTURE, TABLE).save(tmp_path)
    assert sizes == [2, 2, 2, 1]
    assert_whole(tmp_path)


# --- killed processes

KILLED = """
import json, os, signal, sys
from pathlib import Path
import numpy as np, pandas as pd
from wsl import Architecture, ModelZoo
from wsl.zoo.storage._claim import claimed
from wsl.zoo.storage._writer import ZooWriter

kind, root = sys.argv[1], Path(sys.argv[2])
architecture = Architecture.mlp(3, [4], 1, "tanh")
weights, table = np.load(root / "weights.npy"), pd.read_json(root / "table.json")
calls = []


def counted(function, limit):
    def call(*args, **kwargs):
        calls.append(function)
        if len(calls) > limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call


def work(path):
    if kind == "save":
        return ModelZoo(weights, architecture, table).save(path)
    with claimed(path) as claim:
        writer = ZooWriter(claim, architecture, len(weights), "a")
        for first, last in [(3, 7), (0, 1), (1, 3)]:
            if not any(start <= first and last <= stop for start, stop in writer.done):
                writer.write(first, weights[first:last], table[first:last])
        return writer.finish()


for limit in range(1000):
    path = root / str(limit)
    child = os.fork()
    if child == 0:
        for name in ("fsync", "replace", "unlink", "mkdir", "open"):
            setattr(os, name, counted(getattr(os, name), limit))
        work(path)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        print(json.dumps(limit))
        break
"""


def kill_at_every_step(kind, root):
    """Run the work in ``root``, killed at its n-th call, in the folder n; return how many."""
    np.save(root / "weights.npy", WEIGHTS)
    TABLE.to_json(root / "table.json")
    command = [sys.executable, "-c", KILLED, kind, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_run_killed_at_any_step_goes_on(tmp_path):
    n_steps = kill_at_every_step("writer", tmp_path)
    assert n_steps > 15
    done = []
    for step in range(n_steps):
        path = tmp_path / str(step)
        writer = start(path)
        done.append(sum(last - first for first, last in writer.done))
        write_rest(writer)
        assert_whole(path)
    assert done == sorted(done)
    assert {0, 4, 5, 7} == set(done)
    assert_whole(tmp_path / str(n_steps))


@pytest.mark.slow
def test_a_save_killed_at_any_step_leaves_the_old_zoo_or_the_new(tmp_path):
    old = ModelZoo(-WEIGHTS[:2], ARCHITECTURE)
    for step in range(40):
        old.save(tmp_path / str(step))
    n_steps = kill_at_every_step("save", tmp_path)
    assert 8 < n_steps < 40
    found = []
    for step in range(n_steps):
        zoo = ModelZoo.load(tmp_path / str(step))
        found.append(len(zoo))
        assert zoo.weights.tobytes() == (WEIGHTS if len(zoo) == N_ROWS else old.weights).tobytes()
        ModelZoo(WEIGHTS, ARCHITECTURE, TABLE).save(tmp_path / str(step))
        assert_whole(tmp_path / str(step))
    assert found == sorted(found)
    assert set(found) == {2, N_ROWS}
