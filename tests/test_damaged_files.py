"""Every reader of files, on files that are cut, changed, or have parts twice: words, no errors."""

import contextlib
import json
import warnings

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from safetensors.numpy import save_file

from wsl import Architecture, ModelZoo, read_zoo
from wsl.causal._graph_text import parse_graph_text
from wsl.exceptions import WslError
from wsl.zoo.storage._claim import claimed
from wsl.zoo.storage._journal import JOURNAL, read_journal
from wsl.zoo.storage._writer import ZooWriter

ARCHITECTURE = Architecture.mlp(2, 3, 1)
WEIGHTS = np.random.default_rng(0).normal(size=(3, ARCHITECTURE.n_weights)).astype(np.float32)
GRAPHS = {
    "DOT": 'digraph "g" {\n  // causes\n  x0 -> y [weight=1]; subgraph { x1 -> y }\n "a b" -> x0\n'
    "}",
    "GML": 'graph [ directed 1 node [ id 0 label "x0" ] node [ id 1 label "y" ]'
    " edge [ source 0 target 1 ] ]",
    "dagitty": "dag { x0 -> y\n x1 -> y\n z <- x0 }",
}

places = st.floats(0, 1, exclude_max=True)
kinds = st.sampled_from(["cut", "flip", "byte", "insert", "repeat", "drop"])
damages = st.lists(st.tuples(kinds, places, places, st.integers(0, 255)), min_size=1, max_size=3)


def damage(data, changes):
    """Return bytes with each change at its places, which are fractions of the length."""
    for kind, first, second, byte in changes:
        start, stop = sorted((int(first * len(data)), int(second * len(data))))
        data = {
            "cut": data[:start],
            "flip": data[:start] + bytes([data[start] ^ (1 << byte % 8)] if data else []),
            "byte": data[:start] + bytes([byte]) + data[start + 1 :],
            "insert": data[:start] + bytes([byte]) * (1 + byte % 4) + data[start:],
            "repeat": data[:stop] + data[start:stop] + data[stop:],
            "drop": data[:start] + data[stop:],
        }[kind] + (data[start + 1 :] if kind == "flip" else b"")
        if not data:
            break
    return data


def write_stored(folder):
    ModelZoo(WEIGHTS, ARCHITECTURE).save(folder)


def read_stored(folder):
    return ModelZoo.load(folder).weights.tobytes()


def write_journal(folder):
    with claimed(folder) as claim:
        writer = ZooWriter(claim, ARCHITECTURE, len(WEIGHTS), "fingerprint")
        writer.write(0, WEIGHTS[:2], ModelZoo(WEIGHTS[:2], ARCHITECTURE).metadata)


def write_torch(folder):
    module = ARCHITECTURE.module(WEIGHTS[0])
    torch.save({"state_dict": module.state_dict(), "epoch": 3}, folder / "a.pt")


def write_safetensors(folder):
    state = ARCHITECTURE.module(WEIGHTS[0]).state_dict()
    save_file({name: value.numpy() for name, value in state.items()}, folder / "a.safetensors")


def write_shards(folder):
    write_safetensors(folder)
    (folder / "a.safetensors").rename(folder / "model-1.safetensors")
    names = ARCHITECTURE.module(WEIGHTS[0]).state_dict()
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "model-1.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def read_folder(folder):
    return read_zoo(folder, ARCHITECTURE).weights.tobytes()


READERS = {  # what writes, the file that is damaged, what reads, whether it notices every change
    "manifest": (write_stored, "zoo.json", read_stored, True),
    "weights": (write_stored, "weights-*.safetensors", read_stored, True),
    "journal": (write_journal, JOURNAL, lambda folder: repr(read_journal(folder)), False),
    "torch": (write_torch, "a.pt", read_folder, False),
    "safetensors": (write_safetensors, "a.safetensors", read_folder, False),
    "index": (write_shards, "*.json", read_folder, False),
}


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_refused_in_words(name, fuzz, tmp_path):
    write, pattern, read, notices = READERS[name]
    write(tmp_path)
    (file,) = tmp_path.glob(pattern)
    whole = file.read_bytes()
    undamaged = read(tmp_path)

    def check(changes):
        data = damage(whole, changes)
        file.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = read(tmp_path)
        except WslError:
            return
        assert not notices or found == undamaged

    fuzz(check, damages)


@pytest.mark.parametrize("form", GRAPHS)
def test_a_damaged_graph_is_refused_in_words(form, fuzz):
    assert parse_graph_text(GRAPHS[form]).number_of_nodes() >= 2

    def check(changes):
        text = damage(GRAPHS[form].encode(), changes).decode("utf-8", "replace")
        with contextlib.suppress(WslError):
            parse_graph_text(text)

    fuzz(check, damages)
