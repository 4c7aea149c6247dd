"""What zoos share: how models are divided, and the recipes themselves."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from wsl.datasets import _census_zoo, _digits_zoo, _mnist_zoo, load_digits_zoo
from wsl.datasets._zoo_recipes import INITS, WEIGHT_DECAYS, split_by_model


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
