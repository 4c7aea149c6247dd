"""The digits zoo: what comes back, and when it is trained, read or trained again."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from wsl import Architecture, ModelZoo, train_zoo
from wsl.datasets import _digits_zoo, _zoo_recipes, load_digits_zoo
from wsl.datasets._zoo_recipes import cache_folder
from wsl.exceptions import InvalidInputError

RECIPE = {"n_models": 32, "epochs": 2}
COLUMNS = [
    "model", "seed", "epoch", "train_loss", "learning_rate", "weight_decay", "init",
    "train_accuracy", "test_loss", "test_accuracy",
]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A cache folder with one zoo, and that zoo."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, load_digits_zoo(**RECIPE, cache=folder)


@pytest.fixture
def cache(built, tmp_path):
    """A copy of the cache folder, to damage."""
    return shutil.copytree(built[0], tmp_path / "cache")


@pytest.fixture
def trainings(monkeypatch):
    """Arguments of each training from here on."""
    calls = []

    def counting(*args, **options):
        calls.append(options)
        return train_zoo(*args, **options)

    monkeypatch.setattr(_zoo_recipes, "train_zoo", counting)
    return calls


def assert_same(zoo, other):
    np.testing.assert_array_equal(zoo.weights, other.weights)
    pd.testing.assert_frame_equal(zoo.metadata, other.metadata, check_exact=True)
    assert zoo.architecture == other.architecture


def test_what_the_zoo_is(built):
    digits = built[1]
    zoo = digits.zoo
    assert isinstance(zoo, ModelZoo)
    assert zoo.weights.shape == (32, 814)
    assert zoo.architecture == Architecture.cnn((1, 8, 8), (6, 8), (16,), 10)
    assert zoo.metadata.columns.tolist() == COLUMNS
    assert (zoo.metadata["epoch"] == 2).all()
    assert len(np.unique(zoo.metadata["seed"])) == 32
    for name, kinds in (
        ("learning_rate", _digits_zoo.RECIPE.learning_rates),
        ("weight_decay", _zoo_recipes.WEIGHT_DECAYS),
        ("init", _zoo_recipes.INITS),
    ):
        drawn = zoo.metadata[name]
        wanted = pd.Series(kinds).astype(drawn.dtype)
        assert set(drawn) == set(wanted)
    np.testing.assert_array_equal(
        zoo.metadata["train_accuracy"], zoo.accuracy(digits.X_train, digits.y_train)
    )
    np.testing.assert_array_equal(
        zoo.metadata["test_accuracy"], zoo.accuracy(digits.X_test, digits.y_test)
    )
    assert 0.2 < zoo.metadata["test_accuracy"].median() < 0.99


def test_the_split_is_of_all_digits(built):
    digits = built[1]
    assert digits.X_train.shape == (1257, 64)
    assert digits.X_test.shape == (540, 64)
    assert digits.X_train.dtype == np.float32
    X, y = load_digits(return_X_y=True)

    def sorted_rows(X, y):
        table = np.column_stack([X, y])
        return table[np.lexsort(table.T)]

    both = [np.concatenate([digits[f"{n}_train"], digits[f"{n}_test"]]) for n in "Xy"]
    np.testing.assert_array_equal(sorted_rows(16 * both[0], both[1]), sorted_rows(X, y))
    shares = [np.bincount(digits[name]) / len(digits[name]) for name in ("y_train", "y_test")]
    np.testing.assert_allclose(*shares, atol=0.005)


def test_a_second_call_reads(built, cache, trainings):
    again = load_digits_zoo(**RECIPE, cache=cache)
    assert not trainings
    assert_same(again.zoo, built[1].zoo)
    for name in ("X_train", "y_train", "X_test", "y_test"):
        np.testing.assert_array_equal(again[name], built[1][name])
    assert_same(load_digits_zoo(**RECIPE, cache=str(cache)).zoo, built[1].zoo)


def cut(file):
    file.write_bytes(file.read_bytes()[:-10])


DAMAGE = {
    "manifest cut": lambda folder: cut(folder / "zoo.json"),
    "manifest gone": lambda folder: (folder / "zoo.json").unlink(),
    "manifest of others": lambda folder: (folder / "zoo.json").write_text("{}"),
    "weights cut": lambda folder: cut(next(folder.glob("*.safetensors"))),
    "weights gone": lambda folder: next(folder.glob("*.safetensors")).unlink(),
    "all gone": shutil.rmtree,
}


@pytest.mark.slow
@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_cache_is_built_again(case, built, cache, trainings):
    (folder,) = cache.iterdir()
    DAMAGE[case](folder)
    again = load_digits_zoo(**RECIPE, cache=cache)
    assert len(trainings) == 1
    assert_same(again.zoo, built[1].zoo)
    load_digits_zoo(**RECIPE, cache=cache)
    assert len(trainings) == 1
    # weights stay that are whole and no manifest names: they may be all that is left of a zoo
    assert len(list(folder.iterdir())) == (3 if "manifest" in case else 2)


def test_a_training_that_is_broken_off_leaves_nothing_to_read(tmp_path, monkeypatch, trainings):
    def broken_off(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_zoo_recipes, "train_zoo", broken_off)
        with pytest.raises(KeyboardInterrupt):
            load_digits_zoo(n_models=4, epochs=1, cache=tmp_path)
    assert not list(tmp_path.rglob("zoo.json"))
    load_digits_zoo(n_models=4, epochs=1, cache=tmp_path)
    assert len(trainings) == 1


def test_every_recipe_has_a_folder_of_its_own(tmp_path, monkeypatch, trainings):
    plain = {"n_models": 4, "epochs": 1, "random_state": 0}
    recipes = [plain, *({**plain, name: value + 1} for name, value in plain.items())]
    zoos = [load_digits_zoo(**recipe, cache=tmp_path).zoo for recipe in recipes]
    assert len(list(tmp_path.iterdir())) == len(trainings) == 4
    assert [len(zoo) for zoo in zoos] == [4, 5, 4, 4]
    assert [zoo.metadata["epoch"][0] for zoo in zoos] == [1, 1, 2, 1]
    assert set(zoos[0].metadata["seed"]).isdisjoint(zoos[3].metadata["seed"])
    later = dataclasses.replace(_digits_zoo.RECIPE, version=10**6)
    monkeypatch.setattr(_digits_zoo, "RECIPE", later)
    load_digits_zoo(**plain, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == len(trainings) == 5
    load_digits_zoo(**plain, cache=tmp_path, progress=True)  # no part of a recipe
    assert len(trainings) == 5


def test_progress_is_shown_on_request(tmp_path, capsys):
    load_digits_zoo(n_models=2, epochs=1, cache=tmp_path / "first")
    assert capsys.readouterr() == ("", "")
    load_digits_zoo(n_models=2, epochs=1, cache=tmp_path / "second", progress=True)
    assert "training models" in capsys.readouterr().err


def test_where_it_is_kept(tmp_path, monkeypatch):
    home, data = tmp_path / "home", tmp_path / "data"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WSL_DATA", str(data))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder("~/zoos") == home / "zoos"
    assert cache_folder() == data
    load_digits_zoo(n_models=2, epochs=1)
    assert len(list(data.glob("digits-zoo-*/zoo.json"))) == 1
    monkeypatch.setenv("WSL_DATA", "~/zoos")
    assert cache_folder() == home / "zoos"
    for unset in (
        lambda: monkeypatch.setenv("WSL_DATA", ""),
        lambda: monkeypatch.delenv("WSL_DATA"),
    ):
        unset()
        assert cache_folder() == home / ".cache" / "wsl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(data))
    assert cache_folder() == data / "wsl"
    assert not home.exists()


def test_the_tests_leave_the_users_cache_alone():
    """The settings of this session reach doctests too, which name no folder."""
    assert Path(cache_folder()).name.startswith("wsl-tests-")


def test_checkpoints_are_rows_of_their_own(tmp_path, trainings):
    recipe = {"n_models": 20, "epochs": 2, "cache": tmp_path}
    last = load_digits_zoo(**recipe).zoo
    digits = load_digits_zoo(**recipe, checkpoints=[2, 0, 1])
    zoo = digits.zoo
    assert len(trainings) == 2
    assert zoo.metadata["epoch"].tolist() == 20 * [0, 1, 2]
    np.testing.assert_allclose(zoo.weights[2::3], last.weights, atol=1e-6)
    means = zoo.metadata.groupby("epoch")["test_accuracy"].mean()
    assert means[0] < 0.2 < means[2]
    load_digits_zoo(**recipe, checkpoints=(0, 1, 2))  # the same epochs in another order
    assert len(trainings) == 2
    parts = [digits[name] for name in ("train", "valid", "test")]
    assert [len(part) for part in parts] == [3 * 14, 3 * 3, 3 * 3]


def test_inverted_digits_are_another_zoo(tmp_path, trainings):
    recipe = {"n_models": 4, "epochs": 1, "cache": tmp_path}
    plain, inverted = (load_digits_zoo(**recipe, inverted=flag) for flag in (False, True))
    assert len(trainings) == 2
    np.testing.assert_array_equal(inverted.X_test, 1 - plain.X_test)
    np.testing.assert_array_equal(inverted.y_test, plain.y_test)
    np.testing.assert_array_equal(inverted.zoo.metadata["seed"], plain.zoo.metadata["seed"])
    assert not np.allclose(inverted.zoo.weights, plain.zoo.weights)
    with pytest.raises(InvalidInputError, match="`inverted` must be True or False; got 1"):
        load_digits_zoo(**recipe, inverted=1)
