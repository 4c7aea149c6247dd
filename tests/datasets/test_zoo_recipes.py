"""What zoos share: how models are divided, and the recipes themselves."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsl import Architecture, ModelZoo
from wsl.datasets import _census_zoo, _digits_zoo, _mnist_zoo, load_digits_zoo
from wsl.datasets._zoo_recipes import INITS, WEIGHT_DECAYS, _load_or_train, split_by_model
from wsl.exceptions import InvalidInputError


@pytest.mark.parametrize("n_models", [3, 20, 1000])
def test_models_are_divided_whole(n_models):
    models = np.repeat(np.arange(n_models), 4)
    parts = split_by_model(models)
    assert list(parts) == ["train", "valid", "test"]
    rows = np.concatenate(list(parts.values()))
    np.testing.assert_array_equal(np.sort(rows), np.arange(4 * n_models))
    owners = [set(models[part]) for part in parts.values()]
    assert sum(map(len, owners)) == n_models  # no model in two parts
    shares = [len(own) / n_models for own in owners]
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=1 / n_models)


def test_the_division_does_not_follow_the_order_of_training():
    parts = split_by_model(np.arange(1000))
    assert abs(parts["test"].mean() - 499.5) < 80
    np.testing.assert_array_equal(parts["test"], split_by_model(np.arange(1000))["test"])


@pytest.mark.parametrize("module", [_digits_zoo, _mnist_zoo, _census_zoo])
def test_every_recipe_varies_its_models(module):
    assert len(set(module.RECIPE.learning_rates)) >= 3
    assert len(set(WEIGHT_DECAYS)) >= 3
    assert len(set(INITS)) >= 4


def test_the_mnist_cnn_has_the_weights_of_the_field():
    assert _mnist_zoo.RECIPE.architecture.n_weights == 2464


# --- what is stored

ARCHITECTURE = Architecture.mlp(2, [2], 2)


def make_zoo(seed=0):
    weights = np.random.default_rng(seed).normal(size=(3, ARCHITECTURE.n_weights))
    return ModelZoo(weights.astype(np.float32), ARCHITECTURE, pd.DataFrame({"model": [0, 1, 2]}))


class Trainer:
    """Counts how often a zoo is trained."""

    def __init__(self, zoo):
        self.zoo, self.n_trained = zoo, 0

    def __call__(self):
        self.n_trained += 1
        return self.zoo


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo")
    _load_or_train(path, "key", Trainer(make_zoo()), False)
    return path


def test_a_stored_zoo_is_not_trained_again(stored):
    trainer = Trainer(make_zoo(1))
    zoo = _load_or_train(stored, "key", trainer, False)
    assert trainer.n_trained == 0
    np.testing.assert_array_equal(zoo.weights, make_zoo().weights)


def copy_with_a_flipped_bit(stored, draw):
    path = stored.with_name("damaged")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(stored, path, ignore=shutil.ignore_patterns(".*"))
    file = draw(st.sampled_from(sorted(path.iterdir())))
    contents = bytearray(file.read_bytes())
    bit = draw(st.integers(0, 8 * len(contents) - 1))
    contents[bit // 8] ^= 1 << bit % 8
    file.write_bytes(contents)
    return path


def check_flipped_bit(stored, draw):
    path, trainer = copy_with_a_flipped_bit(stored, draw), Trainer(make_zoo())
    zoo = _load_or_train(path, "key", trainer, False)
    assert trainer.n_trained == 1  # noticed, and trained again
    np.testing.assert_array_equal(zoo.weights, make_zoo().weights)
    np.testing.assert_array_equal(ModelZoo.load(path).weights, make_zoo().weights)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_of_a_stored_zoo_is_noticed(stored, data):
    check_flipped_bit(stored, data.draw)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_of_a_stored_zoo_is_noticed_wherever_it_is(stored, data):
    check_flipped_bit(stored, data.draw)


@pytest.mark.parametrize("change", ["swapped", "saved again"])
def test_a_changed_zoo_is_neither_returned_nor_overwritten(change, stored, tmp_path):
    path, trainer = tmp_path / "zoo", Trainer(make_zoo())
    if change == "swapped":
        _load_or_train(path, "key of another zoo", Trainer(make_zoo(1)), False)
    else:
        shutil.copytree(stored, path)
        make_zoo(1).save(path)
    with pytest.raises(InvalidInputError, match=r"`cache` must hold the zoo .*got another zoo"):
        _load_or_train(path, "key", trainer, False)
    assert trainer.n_trained == 0
    np.testing.assert_array_equal(ModelZoo.load(path).weights, make_zoo(1).weights)


def test_zoos_of_other_arguments_that_change_places_are_refused(tmp_path):
    folders = []
    for inverted in (False, True):
        load_digits_zoo(n_models=2, epochs=0, inverted=inverted, cache=tmp_path, progress=False)
        folders += [path for path in tmp_path.glob("digits-zoo-*") if path not in folders]
    first, second = folders
    first.rename(tmp_path / "aside")
    second.rename(first)
    with pytest.raises(InvalidInputError, match="`cache` must hold the zoo of these arguments"):
        load_digits_zoo(n_models=2, epochs=0, cache=tmp_path)


TWO_LOADERS = """
import os, signal, sys, time
from pathlib import Path
from wsl import train_zoo
from wsl.datasets import _zoo_recipes, load_digits_zoo

kind, root = sys.argv[1], Path(sys.argv[2])

def slow(*args, **options):
    first = not list(root.glob("trained-*"))
    (root / f"trained-{os.getpid()}").touch()
    time.sleep(0.5)
    if first and kind == "first is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return train_zoo(*args, **options)

_zoo_recipes.train_zoo = slow
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        zoo = load_digits_zoo(n_models=4, epochs=1, cache=root / "data", progress=True).zoo
        (root / f"weights-{os.getpid()}").write_bytes(zoo.weights.tobytes())
        os._exit(0)
    children.append(child)
print(sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["both live", "first is killed"])
def test_of_two_processes_one_trains_and_the_other_waits(kind, tmp_path):
    command = [sys.executable, "-c", TWO_LOADERS, kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    killed = kind == "first is killed"
    assert done.stdout.strip() == ("[-9, 0]" if killed else "[0, 0]")
    assert len(list(tmp_path.glob("trained-*"))) == (2 if killed else 1)
    read = {file.read_bytes() for file in tmp_path.glob("weights-*")}
    assert len(read) == 1
    (folder,) = (tmp_path / "data").iterdir()
    assert re.search(rf"waiting for process \d+ on .*, which trains {folder.name}\n", done.stderr)
    zoo = load_digits_zoo(n_models=4, epochs=1, cache=tmp_path / "data").zoo
    assert zoo.weights.tobytes() in read
