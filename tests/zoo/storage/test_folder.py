"""Zoos on disk: what comes back, what is refused, what a crash leaves behind."""

import hashlib
import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save as save_tensors
from torch import nn

from wsl import Architecture, ModelZoo
from wsl.exceptions import InvalidInputError, ZooFileError
from wsl.zoo.storage import _folder, _manifest

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


BITS = hnp.arrays(np.uint32, st.tuples(st.integers(0, 4), st.just(ARCHITECTURE.n_weights)))
SPECIAL = np.array([0x7FC00001, 0x7F800000, 0xFF800000, 0x80000000, 1, 0x807FFFFF], np.uint32)


@settings(max_examples=40, deadline=None)
@given(bits=BITS, special=st.sampled_from(SPECIAL), mmap=st.booleans())
def test_every_bit_pattern_of_weights_comes_back(bits, special, mmap, tmp_path_factory):
    """NaN with its payload, infinities, minus zero and subnormal numbers among them."""
    bits[:1] = special
    zoo = ModelZoo(bits.view(np.float32), ARCHITECTURE)
    back = ModelZoo.load(zoo.save(tmp_path_factory.mktemp("zoo")), mmap=mmap)
    np.testing.assert_array_equal(back.weights.view(np.uint32), bits)


VALUES = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(),
    "bool": st.booleans(),
    "text": st.text(),
    "text or None": st.none() | st.text(),
    "anything": st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
}
COLUMN = st.one_of([st.tuples(st.just(k), st.lists(v, min_size=3)) for k, v in VALUES.items()])


@settings(max_examples=40, deadline=None)
@given(columns=st.dictionaries(st.text(), COLUMN))
def test_every_table_comes_back(columns, tmp_path_factory):
    table = pd.DataFrame(
        {
            name: pd.Series(values[:3], dtype=object if kind == "anything" else None)
            for name, (kind, values) in columns.items()
        },
        index=range(3),
    )
    zoo = ModelZoo(np.zeros((3, ARCHITECTURE.n_weights)), ARCHITECTURE, table)
    back = ModelZoo.load(zoo.save(tmp_path_factory.mktemp("zoo"))).metadata
    assert back.dtypes.tolist() == table.dtypes.tolist()
    assert back.columns.tolist() == table.columns.tolist()
    for name in table:  # repr tells -0.0 from 0.0, True from 1, and nan is equal to itself
        assert list(map(repr, back[name].tolist())) == list(map(repr, table[name].tolist()))


def test_pandas_own_types_come_back(tmp_path):
    table = pd.DataFrame(
        {
            "integer": pd.array([1, None, 3, 4, 5], dtype="Int64"),
            "boolean": pd.array([True, None, False, True, True], dtype="boolean"),
            "string": pd.array(["a", None, "c", "", "ä"], dtype="string"),
            "numpy": pd.Series(
                [np.int64(2), np.float32(0.5), np.bool_(True), None, "a"], dtype=object
            ),
        }
    )
    back = ModelZoo.load(make_zoo(metadata=table).save(tmp_path / "zoo")).metadata
    pd.testing.assert_frame_equal(back, table)


def test_metadata_that_cannot_be_stored_leave_the_old_zoo(stored):
    old = ModelZoo.load(stored)
    for column in (pd.date_range("2020", periods=N_MODELS), [[1]] * N_MODELS, [{1}] * N_MODELS):
        with pytest.raises(InvalidInputError, match=r"`metadata\['when'\]` must hold .*; got a "):
            make_zoo(metadata=pd.DataFrame({"when": column})).save(stored)
    for names in (["1", "1"], ["1", 1]):
        twice = pd.DataFrame(np.zeros((N_MODELS, 2)), columns=names)
        with pytest.raises(
            InvalidInputError, match=r"`metadata` must have distinct .*; got two of \['1'\]"
        ):
            make_zoo(metadata=twice).save(stored)
    assert_same(ModelZoo.load(stored), old)


def test_a_mapped_zoo_is_read_from_its_file(stored):
    zoo = ModelZoo.load(stored, mmap=True)
    assert_same(zoo, ModelZoo.load(stored))
    assert isinstance(zoo.weights, np.memmap)
    assert not zoo.weights.flags.writeable
    assert Path(zoo.weights.filename) == files_of(stored)[1].resolve()
    assert isinstance(zoo[1:3].weights, np.memmap)
    twin = pickle.loads(pickle.dumps(zoo))
    np.testing.assert_array_equal(twin.weights, zoo.weights)


def test_a_mapped_zoo_is_saved_elsewhere_and_onto_itself(stored, tmp_path):
    old = ModelZoo.load(stored)
    mapped = ModelZoo.load(stored, mmap=True)
    assert_same(ModelZoo.load(mapped.save(tmp_path / "other")), old)
    mapped[2:].save(stored)
    assert_same(ModelZoo.load(stored), old[2:])
    np.testing.assert_array_equal(mapped.weights, old.weights)  # the map outlives its name


def test_a_map_is_verified_unless_trusted(stored):
    flip(files_of(stored)[1])
    with pytest.raises(ZooFileError, match=r"weights-.*safetensors is damaged"):
        ModelZoo.load(stored, mmap=True)
    assert len(ModelZoo.load(stored, mmap=True, verify=False)) == N_MODELS
    cut(files_of(stored)[1], 0.99)
    with pytest.raises(
        ZooFileError, match=r"weights-.*safetensors is damaged: it must have \d+ bytes"
    ):
        ModelZoo.load(stored, mmap=True, verify=False)


def test_an_empty_zoo_is_mapped(tmp_path):
    path = make_zoo()[:0].save(tmp_path / "zoo")
    assert ModelZoo.load(path, mmap=True).weights.shape == (0, ARCHITECTURE.n_weights)


def test_folders_of_version_1_are_read(tmp_path):
    """Written as the first release did: one tensor by safetensors itself, no checksum of JSON."""
    zoo = make_zoo(metadata=pd.DataFrame({"a": np.arange(N_MODELS) / 7, "b": list("abcdé")}))
    data = save_tensors({"weights": zoo.weights})
    digest = hashlib.sha256(data).hexdigest()
    (tmp_path / f"weights-{digest[:16]}.safetensors").write_bytes(data)
    manifest = {
        "format": "wsl-zoo",
        "version": 1,
        "weights": f"weights-{digest[:16]}.safetensors",
        "sha256": digest,
        "architecture": ARCHITECTURE.to_spec(),
        "metadata": {
            name: {"dtype": str(column.dtype), "values": column.tolist()}
            for name, column in zoo.metadata.items()
        },
    }
    (tmp_path / "zoo.json").write_text(json.dumps(manifest, indent=1))
    assert_same(ModelZoo.load(tmp_path), zoo)
    assert_same(ModelZoo.load(tmp_path, mmap=True), zoo)
    ModelZoo.load(tmp_path, mmap=True).save(tmp_path)
    assert_same(ModelZoo.load(tmp_path), zoo)
    assert json.loads((tmp_path / "zoo.json").read_text())["version"] == 2
    assert len(list(tmp_path.iterdir())) == 2


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
    with pytest.raises(
        ZooFileError, match=r"zoo holds a zoo without an architecture, .* architecture="
    ):
        ModelZoo.load(path)
    assert_same(ModelZoo.load(path, architecture), make_zoo(architecture))


def test_an_architecture_that_is_passed_is_used_and_must_compute_the_same(stored):
    twin = Architecture.mlp(3, [4], 1, "tanh")
    assert ModelZoo.load(stored, architecture=twin).architecture is twin
    with pytest.raises(InvalidInputError, match=r"`architecture` must be .*Tanh.*; got .*ReLU"):
        ModelZoo.load(stored, architecture=Architecture.mlp(3, [4], 1, "relu"))
    with pytest.raises(
        InvalidInputError,
        match=r"`architecture` must be .*n_weights=21.*; got .*n_weights=8",
    ):
        ModelZoo.load(stored, architecture=Architecture(Doubled(), input_shape=(3,)))


def test_the_shape_of_inputs_may_be_known_or_not(tmp_path):
    def convolution(activation, shape=None):
        layers = [nn.Conv2d(2, 3, 2), activation, nn.Flatten(), nn.Linear(12, 1)]
        return Architecture(nn.Sequential(*layers), input_shape=shape)

    relu, shaped = convolution(nn.ReLU()), convolution(nn.ReLU(), (2, 3, 3))
    for stored, name in ((relu, "unknown"), (shaped, "known")):
        path = ModelZoo(np.ones((2, relu.n_weights)), stored).save(tmp_path / name)
        assert ModelZoo.load(path, architecture=relu).architecture is relu
        assert ModelZoo.load(path, architecture=shaped).architecture is shaped
        for other in (
            convolution(nn.Tanh()),
            convolution(nn.Tanh(), (2, 3, 3)),
            Architecture.mlp(3, [4], 1),
        ):
            with pytest.raises(InvalidInputError, match="`architecture` must be that of"):
                ModelZoo.load(path, architecture=other)


@pytest.mark.parametrize(
    "change",
    [
        {"input_shape": [2**40]},
        {"input_shape": [-3]},
        {"input_shape": [4]},
        {"outputs": []},
        {"outputs": [float("nan")] * 3},
        {"names": []},
        {"constants": "0"},
    ],
)
def test_another_description_of_a_function_is_no_match(change, tmp_path):
    architecture = Architecture(Doubled(), input_shape=(3,))
    path = make_zoo(architecture).save(tmp_path / "zoo")
    manifest = json.loads((path / "zoo.json").read_text())
    edit_manifest(path, function=manifest["function"] | change)
    with pytest.raises((InvalidInputError, ZooFileError)):
        ModelZoo.load(path, architecture)


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
    "manifest is a folder": (lambda m, w: (m.unlink(), m.mkdir()), "zoo.json must be .* folder"),
    "cut manifest": (lambda m, w: cut(m), "zoo.json is not valid JSON"),
    "empty manifest": (lambda m, w: m.write_text(""), "zoo.json is not valid JSON"),
    "binary manifest": (lambda m, w: m.write_bytes(b"\xff\xfe\x00"), "zoo.json is not UTF-8"),
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


def test_a_file_cut_anywhere_is_damaged(stored):
    for file in files_of(stored):
        whole = file.read_bytes()
        for size in {*range(0, len(whole), 37), *range(max(0, len(whole) - 20), len(whole))}:
            file.write_bytes(whole[:size])
            for mmap in (False, True):
                with pytest.raises(ZooFileError, match=file.name):
                    ModelZoo.load(stored, mmap=mmap)
        file.write_bytes(whole + b"}")
        with pytest.raises(ZooFileError, match=file.name):
            ModelZoo.load(stored)
        file.write_bytes(whole)
    assert len(ModelZoo.load(stored)) == N_MODELS


def says_the_same(data, whole):
    """Tell whether two texts are the same JSON in other signs, as 1e5 and 1E5 are."""
    try:
        return json.loads(data) == json.loads(whole)
    except ValueError:
        return False


@pytest.mark.parametrize("part", [0, 1], ids=["manifest", "weights"])
def test_a_single_bit_is_noticed(part, stored):
    old, file = ModelZoo.load(stored), files_of(stored)[part]
    whole = file.read_bytes()
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        file.write_bytes(data)
        if part == 0 and says_the_same(data, whole):
            assert_same(ModelZoo.load(stored), old)
            continue
        with pytest.raises(ZooFileError, match=re.escape(str(stored))):
            ModelZoo.load(stored)


def test_a_table_changed_by_hand_is_noticed(stored):
    file, _ = files_of(stored)
    file.write_text(file.read_text().replace("4\n", "5\n"))
    assert "5\n" in file.read_text()
    with pytest.raises(
        ZooFileError, match=r"zoo\.json is damaged: its checksum differs from that of"
    ):
        ModelZoo.load(stored)


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
        ZooFileError, match=r"zoo\.json (is not the manifest|must have a format version .*; got No)"
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


def test_a_file_instead_of_a_folder(tmp_path):
    path = tmp_path / "zoo"
    path.write_text("mine")
    with pytest.raises(ZooFileError, match=r"zoo must be a folder .*; got a file"):
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
    names = [
        "../away.safetensors",
        str(away),
        f"x/../../{away.name}",
        "..",
        ".",
        "",
        None,
        3,
        "a\0b",
    ]
    return [*names, f"..\\{away.name}"]


@pytest.mark.parametrize("place", range(10))
def test_a_manifest_leads_to_no_file_outside_its_folder(place, stored):
    edit_manifest(stored, weights=outside_names(stored)[place])
    with pytest.raises(ZooFileError, match=r"zoo\.json (names .* outside its|is not the manifest)"):
        ModelZoo.load(stored)


@pytest.mark.parametrize("part", [0, 1], ids=["manifest", "weights"])
def test_links_lead_to_no_file_outside(part, stored, tmp_path):
    file, away = files_of(stored)[part], tmp_path / "away"
    file.rename(away)
    file.symlink_to(away)
    with pytest.raises(ZooFileError, match="is a link that leads outside"):
        ModelZoo.load(stored)
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(ZooFileError, match="cannot be read"):
        ModelZoo.load(stored)
    file.unlink()
    away.rename(stored / "beside")
    file.symlink_to("beside")
    assert len(ModelZoo.load(stored)) == N_MODELS
    (tmp_path / "link").symlink_to(stored)
    assert len(ModelZoo.load(tmp_path / "link")) == N_MODELS


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
    "weights half written": lambda m: m.setattr(_folder, "write_rows", write_rows_half),
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
    assert len(list(stored.iterdir())) == 2  # nothing half written
    new.save(stored)
    assert_same(ModelZoo.load(stored), new)
    assert len(list(stored.iterdir())) == 2


def test_an_interrupt_after_the_last_step_leaves_the_new_zoo(stored, monkeypatch):
    new, replace = make_zoo(ARCHITECTURES["cnn"], seed=1), os.replace

    def late(*paths):
        replace(*paths)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", late)
        with pytest.raises(KeyboardInterrupt):
            new.save(stored)
    assert_same(ModelZoo.load(stored), new)


@pytest.mark.parametrize("case", CRASHES)
def test_a_crash_in_the_first_save_leaves_no_zoo(case, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        CRASHES[case](patch)
        with pytest.raises(PowerCutError):
            make_zoo().save(tmp_path / "zoo")
    with pytest.raises(ZooFileError, match=r"zoo\.json cannot be read"):
        ModelZoo.load(tmp_path / "zoo")
