"""Folders that others use too: files of the user's stay, and one process writes at a time."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from wsl import Architecture, ModelZoo, _locks, read_zoo, train_zoo
from wsl.exceptions import FolderInUseError, InvalidInputError, ZooFileError
from wsl.zoo.storage import _folder
from wsl.zoo.storage._claim import LOCK, claimed
from wsl.zoo.storage._journal import JOURNAL
from wsl.zoo.storage._writer import ZooWriter

ARCHITECTURE = Architecture.mlp(3, [4], 2)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(6, ARCHITECTURE.n_weights)).astype("f")
DATA = RNG.normal(size=(32, 3)).astype("f"), RNG.integers(2, size=32)
ZOO = ModelZoo(WEIGHTS, ARCHITECTURE)
SETS = np.random.default_rng(0).normal(size=(64, 3)), np.arange(64) % 2
OWN_NAMES = [
    "weights-0.safetensors",
    "weights-0123456789abcdef.safetensors",  # as wsl would name it
    ".weights-0123456789abcdef.zoo.json",
    "weights-best.safetensors",
    ".zoo.json.swp",
    ".zoo.json.20240131.json",
    ".zoo.partial.jsonl.bak",
]


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def save_model(file, row=0):
    tensors = ARCHITECTURE.state_dict(WEIGHTS[row])
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, file)


def train(folder, **options):
    return train_zoo(
        ARCHITECTURE, DATA, n_models=4, epochs=1, random_state=0, out=folder, **options
    )


@pytest.fixture
def folder(tmp_path):
    """A folder that holds the user's own models and other files."""
    for row, name in enumerate(OWN_NAMES):
        if name.endswith(".safetensors"):
            save_model(tmp_path / name, row % 6)
        else:
            (tmp_path / name).write_text(name)
    return tmp_path


WRITERS = {
    "save": ZOO.save,
    "save twice": lambda folder: (ZOO[:2].save(folder), ZOO.save(folder)),
    "train_zoo": train,
    "read_zoo": lambda folder: read_zoo(folder, ARCHITECTURE, out=folder),
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_of_the_users_stay(name, folder):
    before = contents(folder)
    WRITERS[name](folder)
    after = contents(folder)
    assert before.items() <= after.items()
    added = after.keys() - before.keys()
    assert "zoo.json" in added
    assert len(added) == 2
    assert len(ModelZoo.load(folder)) == {"train_zoo": 4, "read_zoo": 3}.get(name, 6)


@pytest.mark.parametrize("path", ["", "."])
def test_the_current_folder(path, folder, monkeypatch):
    monkeypatch.chdir(folder)
    before = contents(folder)
    ZOO.save(path)
    ZOO.save(path)
    assert before.items() <= contents(folder).items()
    assert len(list(folder.iterdir())) == len(before) + 2


def test_a_journal_of_the_users_own_stays(folder):
    (folder / JOURNAL).write_text("mine")
    ZOO.save(folder)
    assert (folder / JOURNAL).read_text() == "mine"


def test_a_zoo_that_was_begun_gives_way_to_one_that_is_saved(folder):
    before = contents(folder)
    with claimed(folder) as claim:
        ZooWriter(claim, ARCHITECTURE, 6, "a").write(0, WEIGHTS[:2], ZOO.metadata[:2])
    assert contents(folder).keys() - before.keys() > {JOURNAL}
    ZOO.save(folder)
    assert before.items() <= contents(folder).items()
    assert len(list(folder.iterdir())) == len(before) + 2


def test_a_reading_into_its_own_folder_goes_on(folder, monkeypatch):
    """What it has written so far is no model of the folder."""
    with monkeypatch.context() as patch:
        patch.setattr(ZooWriter, "finish", lambda writer: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            read_zoo(folder, ARCHITECTURE, out=folder)
    assert (folder / JOURNAL).exists()
    zoo = read_zoo(folder, ARCHITECTURE, out=folder)
    assert zoo.weights.tobytes() == WEIGHTS[[0, 1, 3]].tobytes()


def test_the_note_of_a_killed_process_leads_to_its_own_files_only(folder, tmp_path):
    """The note lies in a folder that may come from anywhere."""
    before = contents(folder)
    left = folder / f"weights-{'f' * 16}.safetensors"
    away = tmp_path.parent / f"weights-{'e' * 16}.safetensors"
    for file in (left, away):
        file.write_bytes(b"begun")
    names = [left.name, f"../{away.name}", str(away), "weights-0.safetensors", ".zoo.json.swp", 3]
    for note in ({"weights": names}, {"weights": 3}, {"weights": [[]]}, []):
        (folder / LOCK).write_text(json.dumps(note))
        ZOO.save(folder)
    assert not left.exists()
    assert away.read_bytes() == b"begun"
    assert before.items() <= contents(folder).items()


def begin(claim):
    claim.new_weights_file().write_bytes(b"begun")
    raise ZeroDivisionError


def test_weights_whose_manifest_is_damaged_stay(folder):
    """They may be all that is left of a zoo; what was begun now is removed all the same."""
    ZOO.save(folder)
    manifest = folder / "zoo.json"
    manifest.write_bytes(manifest.read_bytes()[:-9])
    before = contents(folder)
    with pytest.raises(InvalidInputError, match="got a complex"):
        ModelZoo(WEIGHTS, ARCHITECTURE, ZOO.metadata.assign(a=1j)).save(folder)
    with pytest.raises(ZeroDivisionError), claimed(folder) as claim:
        begin(claim)
    assert contents(folder) == before
    ZOO[:2].save(folder)
    assert len(ModelZoo.load(folder)) == 2
    assert len(contents(folder).keys() - before.keys()) == 1
    del before["zoo.json"]
    assert before.items() <= contents(folder).items()


# --- two at once


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_in_use_is_named_and_left_alone(name, folder, monkeypatch):
    monkeypatch.setattr(_locks, "WAIT", 0.1)
    with claimed(folder):
        before = contents(folder)
        named = rf"{folder} is in use by process {os.getpid()} on .*give another folder"
        with pytest.raises(FolderInUseError, match=named):
            WRITERS[name](folder)
        assert contents(folder) == before
    WRITERS[name](folder)


def test_a_run_that_failed_leaves_the_folder_free(tmp_path):
    with pytest.raises(ZooFileError, match="zoo of other models"):
        train(ZOO.save(tmp_path / "zoo"))
    with pytest.raises(InvalidInputError):
        train(tmp_path / "none", test_set=(DATA[0], DATA[1][:3]))
    ZOO.save(tmp_path / "zoo")


TWO_WRITERS = """
import os, sys
from pathlib import Path
import numpy as np
from wsl import Architecture, ModelZoo, _locks, train_zoo
_locks._POLL = 0.002
kind, root = sys.argv[1], Path(sys.argv[2])
architecture = Architecture.mlp(3, [4], 2)
X, y = np.random.default_rng(0).normal(size=(64, 3)), np.arange(64) % 2

def work(path, seed):
    if kind == "save":
        ModelZoo(np.full((50, architecture.n_weights), seed, "f"), architecture).save(path)
    else:
        train_zoo(architecture, (X, y), n_models=12, epochs=1, chunk_size=2, random_state=0,
                  out=path)

for turn in range(int(sys.argv[3])):
    path = root / str(turn)
    if kind == "save":
        work(path, 0)
    children = []
    for seed in (1, 2):
        child = os.fork()
        if child == 0:
            work(path, seed)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["save", "train"])
def test_two_writers_leave_a_whole_zoo(kind, tmp_path):
    command = [sys.executable, "-c", TWO_WRITERS, kind, str(tmp_path), "6"]
    subprocess.run(command, check=True)
    alone = train_zoo(ARCHITECTURE, SETS, n_models=12, epochs=1, random_state=0, chunk_size=2)
    for turn in range(6):
        zoo = ModelZoo.load(tmp_path / str(turn))
        assert len(list((tmp_path / str(turn)).iterdir())) == 2
        if kind == "save":
            assert zoo.weights.shape == (50, ARCHITECTURE.n_weights)
            assert np.unique(zoo.weights).tolist() in ([1], [2])
        else:
            assert zoo.weights.tobytes() == alone.weights.tobytes()


@pytest.mark.parametrize("mmap", [False, True])
def test_a_zoo_that_is_replaced_while_it_is_read(mmap, tmp_path, monkeypatch):
    """Between the manifest and the weights that it names another process saves its zoo."""
    ZOO.save(tmp_path)
    read, n_reads = _folder._read_weights, []

    def late(*arguments):
        n_reads.append(arguments)
        if len(n_reads) <= 2:
            ModelZoo(WEIGHTS + len(n_reads), ARCHITECTURE).save(tmp_path)
        return read(*arguments)

    monkeypatch.setattr(_folder, "_read_weights", late)
    zoo = ModelZoo.load(tmp_path, mmap=mmap)
    assert len(n_reads) == 3
    np.testing.assert_array_equal(zoo.weights, WEIGHTS + 2)
    next(tmp_path.glob("*.safetensors")).unlink()
    with pytest.raises(ZooFileError, match="cannot be read"):
        ModelZoo.load(tmp_path, mmap=mmap)
    assert len(n_reads) == 4
