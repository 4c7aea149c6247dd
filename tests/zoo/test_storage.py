"""Zoos on disk: what comes back, what is refused, what a crash leaves behind."""

import hashlib
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save as save_tensors
from torch import nn

from wsl import Architecture, ModelZoo
from wsl.exceptions import ZooFileError
from wsl.zoo import _manifest, _storage

ARCHITECTURES = {
    "mlp": Architecture.mlp(3, [4], 1, "tanh"),
    "selecting mlp": Architecture.mlp(6, [8], 2, features=[1, 4]),
    "cnn": Architecture.cnn((1, 8, 8), [6, 8], [16], 10),
}
ARCHITECTURE = ARCHITECTURES["mlp"]
N_MODELS = 5


class Doubled(nn.Module):
    """A module of no standard kind: its code cannot be stored."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return 2 * self.layer(x)


def make_zoo(architecture=ARCHITECTURE, seed=0, metadata=None):
    weights = np.random.default_rng(seed).normal(size=(N_MODELS, architecture.n_weights))
    return ModelZoo(weights, architecture, metadata)


@pytest.fixture
def stored(tmp_path):
    """The folder of a stored zoo."""
    return make_zoo(metadata=pd.DataFrame({"number": range(N_MODELS)})).save(tmp_path / "zoo")


def files_of(folder):
    """The manifest and the weights of a stored zoo."""
    (weights,) = folder.glob("*.safetensors")
    return folder / "zoo.json", weights


def edit_manifest(folder, **changes):
    """Change the manifest as an attacker would: its own checksum is right again."""
    file, _ = files_of(folder)
    manifest = json.loads(file.read_text()) | changes
    file.write_text(json.dumps(manifest | {"checksum": _manifest._checksum(manifest)}))


def swap_weights(folder, data):
    """Put other bytes in place of the weights, with the checksum that they should have."""
    _, file = files_of(folder)
    file.write_bytes(data)
    edit_manifest(folder, sha256=hashlib.sha256(data).hexdigest())


def assert_same(zoo, other):
    assert zoo.weights.tobytes() == other.weights.tobytes()
    assert zoo.weights.dtype == other.weights.dtype
    assert zoo.architecture == other.architecture
    pd.testing.assert_frame_equal(zoo.metadata, other.metadata, check_exact=True)


# --- there and back


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_zoo_comes_back(name, tmp_path):
    zoo = make_zoo(ARCHITECTURES[name])
    path = zoo.save(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder"
    back = ModelZoo.load(path)
    assert_same(back, zoo)
    X = np.random.default_rng(1).normal(size=(4, zoo.architecture.n_inputs))
    np.testing.assert_array_equal(back.forward(X), zoo.forward(X))
    assert_same(ModelZoo.load(str(path)), zoo)


def test_metadata_comes_back_to_the_last_bit(tmp_path):
    table = pd.DataFrame(
        {
            "int": np.arange(N_MODELS),
            "big": np.array([2**62 + 1, -(2**62), 0, 1, 2]),
            "unsigned": np.arange(N_MODELS, dtype=np.uint8),
            "single": np.array([0.1, 1 / 3, np.nan, np.inf, -np.inf], np.float32),
            "double": np.array([0.1, 1 / 3, np.nan, 5e-324, -0.0]),
            "bool": [True, False, True, False, True],
            "text": ["a", "ä", "", 'b"c\\', "\n"],
        }
    )
    zoo = make_zoo(metadata=table)
    back = ModelZoo.load(zoo.save(tmp_path / "zoo"))
    assert_same(back, zoo)
    assert np.signbit(back.metadata["double"][4])
    assert back.metadata.dtypes.tolist() == table.dtypes.tolist()


def test_diverged_models_and_empty_zoos_come_back(tmp_path):
    zoo = make_zoo(metadata=pd.DataFrame({"a": np.arange(N_MODELS) / 7}))
    zoo.weights[2], zoo.weights[3, 1] = np.nan, -np.inf
    assert_same(ModelZoo.load(zoo.save(tmp_path / "zoo")), zoo)
    assert_same(ModelZoo.load(zoo[:0].save(tmp_path / "empty")), zoo[:0])


def test_views_and_foreign_byte_orders_come_back(tmp_path):
    zoo = make_zoo()
    for weights in (zoo.weights[::-2], np.asfortranarray(zoo.weights), zoo.weights.astype(">f4")):
        view = ModelZoo(weights, ARCHITECTURE)
        back = ModelZoo.load(view.save(tmp_path / "zoo"))
        np.testing.assert_array_equal(back.weights, weights)


def test_a_later_zoo_takes_the_place_of_the_first(stored):
    second = make_zoo(ARCHITECTURES["cnn"], seed=1)
    second.save(stored)
    assert_same(ModelZoo.load(stored), second)
    assert len(list(stored.iterdir())) == 2
    second.save(stored)
    assert_same(ModelZoo.load(stored), second)


def test_reading_draws_from_no_global_generator(tmp_path):
    path = make_zoo(ARCHITECTURES["cnn"]).save(tmp_path / "zoo")
    state = torch.get_rng_state()
    ModelZoo.load(path)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_else_lies_in_the_folder_stays(stored):
    (stored / "notes.txt").write_text("mine")
    make_zoo(seed=1).save(stored)
    assert (stored / "notes.txt").read_text() == "mine"


def test_a_module_of_ones_own_is_asked_for(tmp_path):
    architecture = Architecture(Doubled(), input_shape=(3,))
    path = make_zoo(architecture).save(tmp_path / "zoo")
    with pytest.raises(ZooFileError, match=r"zoo was saved from a module .* give architecture="):
        ModelZoo.load(path)
    assert_same(ModelZoo.load(path, architecture), make_zoo(architecture))


def test_an_architecture_given_counts_and_must_fit(stored):
    twin = Architecture.mlp(3, [4], 1, "relu")
    assert ModelZoo.load(stored, architecture=twin).architecture is twin
    with pytest.raises(
        (ZooFileError, ValueError), match="21 columns, but the architecture takes 8"
    ):
        ModelZoo.load(stored, architecture=Architecture(Doubled(), input_shape=(3,)))


# --- damage


def cut(file, share=0.5):
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])


def flip(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))


DAMAGE = {
    "no folder": (lambda m, w: (m.unlink(), w.unlink(), m.parent.rmdir()), "zoo.json cannot be"),
    "no manifest": (lambda m, w: m.unlink(), "zoo.json cannot be read"),
    "no weights": (lambda m, w: w.unlink(), "weights-.*safetensors cannot be read"),
    "manifest is a folder": (lambda m, w: (m.unlink(), m.mkdir()), "zoo.json cannot be read"),
    "cut manifest": (lambda m, w: cut(m), "zoo.json is not JSON"),
    "empty manifest": (lambda m, w: m.write_text(""), "zoo.json is not JSON"),
    "binary manifest": (lambda m, w: m.write_bytes(b"\xff\xfe\x00"), "zoo.json is not JSON"),
    "cut weights": (lambda m, w: cut(w), "weights-.*safetensors is damaged"),
    "empty weights": (lambda m, w: cut(w, 0), "weights-.*safetensors is damaged"),
    "one bit of the weights": (lambda m, w: flip(w), "weights-.*safetensors is damaged"),
    "other JSON": (lambda m, w: m.write_text("[1, 2]"), "zoo.json is not the manifest"),
    "JSON of others": (lambda m, w: m.write_text('{"format": "zip"}'), "zoo.json is not the man"),
    "empty JSON": (lambda m, w: m.write_text("null"), "zoo.json is not the manifest"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_files_are_named(case, stored):
    damage, named = DAMAGE[case]
    damage(*files_of(stored))
    with pytest.raises(ZooFileError, match=named) as caught:
        ModelZoo.load(stored)
    assert isinstance(caught.value, OSError)
    assert str(stored) in str(caught.value)


TABLE = {"number": {"dtype": "int64", "values": list(range(N_MODELS))}}
TAMPERED = {
    "version": {"version": 3},
    "version of another type": {"version": None},
    "checksum": {"sha256": "0" * 64},
    "no checksum": {"sha256": None},
    "weights of another type": {"weights": 3},
    "architecture of another type": {"architecture": 5},
    "architecture of text": {"architecture": "Linear"},
    "architecture without shape": {"architecture": {"module": [["ReLU", {}]]}},
    "unknown layer": {
        "architecture": {"module": [["System", {"command": "true"}]], "input_shape": [3]}
    },
    "other architecture": {"architecture": Architecture.mlp(3, [5], 1).to_spec()},
    "table of another type": {"metadata": []},
    "table without types": {"metadata": {"number": list(range(N_MODELS))}},
    "unknown type": {"metadata": {"number": TABLE["number"] | {"dtype": "nonsense"}}},
    "text for numbers": {"metadata": {"number": TABLE["number"] | {"values": ["a"] * N_MODELS}}},
    "short column": {"metadata": {"number": TABLE["number"] | {"values": [1, 2]}}},
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampered_manifests_are_refused(case, stored):
    edit_manifest(stored, **TAMPERED[case])
    with pytest.raises(ZooFileError, match="zoo"):
        ModelZoo.load(stored)


@pytest.mark.parametrize("missing", ["format", "version", "weights", "sha256", "architecture"])
def test_manifests_that_lack_an_entry_are_refused(missing, stored):
    file, _ = files_of(stored)
    manifest = json.loads(file.read_text())
    del manifest[missing]
    file.write_text(json.dumps(manifest))
    with pytest.raises(
        ZooFileError, match=r"zoo\.json (is not the manifest|has format version No)"
    ):
        ModelZoo.load(stored)


@pytest.mark.parametrize(
    "tensors",
    [
        {"others": np.zeros((N_MODELS, ARCHITECTURE.n_weights), np.float32)},
        {"weights": np.zeros(ARCHITECTURE.n_weights, np.float32)},
        {"weights": np.zeros((N_MODELS, ARCHITECTURE.n_weights - 1), np.float32)},
        {"weights": np.zeros((N_MODELS + 1, ARCHITECTURE.n_weights), np.float32)},
    ],
    ids=["other name", "one axis", "columns", "rows"],
)
def test_other_tensors_with_a_right_checksum_are_refused(tensors, stored):
    swap_weights(stored, save_tensors(tensors))
    with pytest.raises(ZooFileError, match="zoo"):
        ModelZoo.load(stored)


def test_a_file_where_a_folder_is_wanted(tmp_path):
    path = tmp_path / "zoo"
    path.write_text("mine")
    with pytest.raises(ZooFileError, match="zoo is a file; wanted a folder"):
        make_zoo().save(path)
    with pytest.raises(ZooFileError, match=r"zoo\.json cannot be read"):
        ModelZoo.load(path)
    assert path.read_text() == "mine"


# --- malice


def outside_names(folder):
    """Names for the weights that lead out of a folder, to a file with the right checksum."""
    _, weights = files_of(folder)
    away = folder.parent / "away.safetensors"
    away.write_bytes(weights.read_bytes())
    return ["../away.safetensors", str(away), f"x/../../{away.name}", "..", "."]


@pytest.mark.parametrize("place", range(5))
def test_a_manifest_leads_to_no_file_outside_its_folder(place, stored):
    edit_manifest(stored, weights=outside_names(stored)[place])
    with pytest.raises(ZooFileError, match=r"outside its folder|cannot be read"):
        ModelZoo.load(stored)


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("kind", ["pickle", "torch", "numpy", "manifest"])
def test_a_pickle_in_place_of_a_file_is_never_run(kind, stored, tmp_path):
    trap, file = tmp_path / "sprung", tmp_path / "payload"
    if kind == "torch":
        torch.save(Payload(trap), file)
    elif kind == "numpy":
        with file.open("wb") as handle:
            np.save(handle, np.array([Payload(trap)], dtype=object), allow_pickle=True)
    else:
        file.write_bytes(pickle.dumps(Payload(trap)))
    if kind == "manifest":
        files_of(stored)[0].write_bytes(file.read_bytes())
    else:
        swap_weights(stored, file.read_bytes())
    with pytest.raises(ZooFileError, match="zoo"):
        ModelZoo.load(stored)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Payload(trap)))  # the trap does work
    assert trap.exists()


# --- crashes


class PowerCutError(BaseException):
    """What no handler of exceptions catches."""


def write_rows_half(file, start, rows):
    with file.open("r+b") as handle:
        handle.write(rows.tobytes()[: rows.nbytes // 2])
    raise PowerCutError


def write_text_half(self, text, **options):
    with self.open("w") as handle:
        handle.write(text[: len(text) // 2])
    raise PowerCutError


def no_replace(*paths):
    raise PowerCutError


CRASHES = {
    "weights half written": lambda m: m.setattr(_storage, "write_rows", write_rows_half),
    "manifest half written": lambda m: m.setattr(Path, "write_text", write_text_half),
    "manifest not in place": lambda m: m.setattr(os, "replace", no_replace),
}


@pytest.mark.parametrize("case", CRASHES)
def test_a_crash_while_saving_leaves_the_old_zoo(case, stored, monkeypatch):
    old, new = ModelZoo.load(stored), make_zoo(ARCHITECTURES["cnn"], seed=1)
    with monkeypatch.context() as patch:
        CRASHES[case](patch)
        with pytest.raises(PowerCutError):
            new.save(stored)
    assert_same(ModelZoo.load(stored), old)
    allowed = {file.name for file in stored.glob("weights-*.safetensors")} | {"zoo.json"}
    assert {file.name for file in stored.iterdir()} == allowed  # no temporary files
    new.save(stored)
    assert_same(ModelZoo.load(stored), new)
    assert len(list(stored.iterdir())) == 2


@pytest.mark.parametrize("case", CRASHES)
def test_a_crash_in_the_first_save_leaves_no_zoo(case, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        CRASHES[case](patch)
        with pytest.raises(PowerCutError):
            make_zoo().save(tmp_path / "zoo")
    with pytest.raises(ZooFileError, match=r"zoo\.json cannot be read"):
        ModelZoo.load(tmp_path / "zoo")
