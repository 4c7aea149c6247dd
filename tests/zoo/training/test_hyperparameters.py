"""Grids and random draws of hyperparameters, one row per model, and one zoo per activation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.model_selection import ParameterGrid, ParameterSampler
from torch import nn

from wsl import Architecture, ModelZoo, train_zoo, train_zoos
from wsl._random import draw_seeds
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.mlp(3, [6], 1)
QUICK = {"epochs": 2, "batch_size": 16, "random_state": 0}


def draw_set(seed=0, n_samples=40):
    rng = np.random.default_rng([seed, 13])
    X = rng.normal(size=(n_samples, 3)).astype("f")
    return X, (X @ [1.0, -1.0, 0.5]).astype("f")


SHARED = draw_set()
GRID = {
    "learning_rate": [0.01, 0.05],
    "weight_decay": [0.0, 0.1],
    "init": ["default", "lecun_normal"],
}


def test_a_grid_trains_a_model_for_each_point():
    grid = ParameterGrid(GRID)
    zoo = train_zoo(ARCHITECTURE, SHARED, hyperparameters=grid, **QUICK)
    assert len(zoo) == len(grid) == 8
    columns = {name: [point[name] for point in grid] for name in GRID}
    for name, values in columns.items():
        np.testing.assert_array_equal(
            zoo.metadata[name], values if name == "init" else np.float32(values)
        )
    as_arguments = train_zoo(ARCHITECTURE, SHARED, **columns, **QUICK)
    np.testing.assert_array_equal(zoo.weights, as_arguments.weights)
    pd.testing.assert_frame_equal(zoo.metadata, as_arguments.metadata)


def test_random_draws_are_recorded_and_take_the_place_of_arguments():
    draws = ParameterSampler(
        {"learning_rate": loguniform(1e-3, 1e-1), "init": ["default", "kaiming_normal"]},
        n_iter=6,
        random_state=0,
    )
    zoo = train_zoo(
        ARCHITECTURE, SHARED, hyperparameters=draws, learning_rate=9.0, weight_decay=0.1, **QUICK
    )
    table = pd.DataFrame(list(draws))
    assert zoo.metadata["learning_rate"].nunique() == 6
    np.testing.assert_allclose(zoo.metadata["learning_rate"], table["learning_rate"], rtol=1e-6)
    assert zoo.metadata["init"].tolist() == table["init"].tolist()
    assert (zoo.metadata["weight_decay"] == np.float32(0.1)).all()


def test_rows_of_the_metadata_train_some_models_again():
    sets = [draw_set(i) for i in range(6)]
    zoo = train_zoo(ARCHITECTURE, sets, learning_rate=np.linspace(0.01, 0.06, 6), **QUICK)
    chosen = zoo.metadata.loc[[4, 1], ["model", "seed", "learning_rate", "weight_decay", "init"]]
    for datasets in (sets, sets.__getitem__):
        again = train_zoo(ARCHITECTURE, datasets, hyperparameters=chosen, epochs=2, batch_size=16)
        np.testing.assert_allclose(again.weights, zoo.weights[[4, 1]], rtol=1e-4, atol=1e-6)
        assert again.metadata["model"].tolist() == [4, 1]


def test_an_index_of_the_table_means_nothing():
    table = pd.DataFrame({"learning_rate": [0.01, 0.02]}, index=[7, 3])
    zoo = train_zoo(ARCHITECTURE, SHARED, hyperparameters=table, **QUICK)
    assert zoo.metadata["model"].tolist() == [0, 1]
    assert table.index.tolist() == [7, 3]


WRONG = {
    "unknown": ([{"lr": 0.1}], r"`hyperparameters` must have columns among .*; got \['lr'\]"),
    "missing": (
        [{"learning_rate": 0.1}, {"weight_decay": 0.1}],
        "`hyperparameters` must hold all values; got no weight_decay in row 0",
    ),
    "empty": ([], "`hyperparameters` must have one row per model; got none"),
    "no mappings": ([0.1, 0.2], "`hyperparameters` must be a DataFrame or .* mapping .*; got 0.1"),
    "value": ([{"learning_rate": -1.0}], "`learning_rate` must hold positive numbers; got -1.0"),
    "text": (
        [{"weight_decay": "much"}],
        "`weight_decay` must hold numbers of at least 0; got much",
    ),
    "scheme": ([{"init": "zeros"}], r"`init` must be among .*; got \['zeros'\]"),
    "seed": ([{"seed": 0.5}], "`seeds` must hold whole numbers .*; got 0.5"),
    "model": ([{"model": -1}], "model of hyperparameters must hold whole numbers .*; got -1"),
    "count": ([{"seed": 1}, {"seed": 2}], r"`n_models`, .*n_models=3 .*\[2, 3\]"),
    "activations": (
        [{"activation": "relu"}, {"activation": "tanh"}],
        r"`activation` .* must be the same .*; got \['relu', 'tanh'\]: train_zoos",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_column(case):
    rows, said = WRONG[case]
    n_models = 3 if case == "count" else None
    with pytest.raises(InvalidInputError, match=said):
        train_zoo(ARCHITECTURE, SHARED, hyperparameters=rows, n_models=n_models, **QUICK)


def test_a_model_beyond_the_sets():
    rows = [{"model": 1}, {"model": 2}]
    with pytest.raises(InvalidInputError, match=r"`model` .* must be below 2, .*; got 2"):
        train_zoo(ARCHITECTURE, [SHARED, SHARED], hyperparameters=rows, **QUICK)


# --- dropout


@pytest.mark.parametrize("dropout", [0.5, [0.0, 0.5]])
def test_dropout_wants_a_layer(dropout):
    with pytest.raises(
        InvalidInputError, match=r"`dropout` must be 0 .* no dropout layer .*; got 0.5"
    ):
        train_zoo(ARCHITECTURE, SHARED, n_models=2, dropout=dropout, **QUICK)


@pytest.mark.parametrize("dropout", [1.0, -0.1, [0.0, 1.0]])
def test_dropout_is_a_probability_below_one(dropout):
    with pytest.raises(ValueError, match="dropout"):
        train_zoo(ARCHITECTURE, SHARED, n_models=2, dropout=dropout, **QUICK)


def test_dropout_is_recorded_where_it_is_given():
    zoo = train_zoo(ARCHITECTURE, SHARED, n_models=2, dropout=0.0, **QUICK)
    assert zoo.metadata["dropout"].tolist() == [0, 0]
    assert "dropout" not in train_zoo(ARCHITECTURE, SHARED, n_models=2, **QUICK).metadata


def dropping(p):
    layers = nn.Linear(3, 8), nn.ReLU(), nn.Dropout(p), nn.Linear(8, 1)
    return Architecture(nn.Sequential(*layers))


def test_each_model_drops_units_with_a_probability_of_its_own():
    rates = [0.0, 0.3, 0.6]
    zoo = train_zoo(dropping(0.1), SHARED, dropout=rates, **QUICK)
    np.testing.assert_array_equal(zoo.metadata["dropout"], np.float32(rates))
    for i, rate in enumerate(rates):
        seeds = zoo.metadata["seed"][[i]]
        alone = train_zoo(dropping(rate), SHARED, seeds=seeds, epochs=2, batch_size=16)
        np.testing.assert_allclose(zoo.weights[i], alone.weights[0], rtol=1e-4, atol=1e-6)
    own = train_zoo(dropping(0.1), SHARED, n_models=3, **QUICK)
    assert (np.abs(own.weights - zoo.weights).max(axis=1) > 1e-4).all()
    assert "dropout" not in own.metadata


def test_dropout_in_a_table():
    rows = ParameterGrid({"dropout": [0.2, 0.4], "learning_rate": [0.01]})
    zoo = train_zoo(dropping(0.1), SHARED, hyperparameters=rows, **QUICK)
    as_argument = train_zoo(dropping(0.1), SHARED, dropout=[0.2, 0.4], learning_rate=0.01, **QUICK)
    np.testing.assert_array_equal(zoo.weights, as_argument.weights)


# --- a zoo for each activation

ROWS = [
    {"activation": "tanh", "learning_rate": 0.01},
    {"activation": "relu", "learning_rate": 0.02},
    {"activation": "tanh", "learning_rate": 0.03},
    {"activation": "relu", "learning_rate": 0.04},
    {"activation": "tanh", "learning_rate": 0.05},
]


@pytest.mark.parametrize("form", ["shared", "list", "function"])
def test_a_zoo_for_each_activation(form):
    sets = [SHARED if form == "shared" else draw_set(i) for i in range(len(ROWS))]
    given = {"shared": SHARED, "list": sets, "function": sets.__getitem__}[form]
    zoos = train_zoos(ARCHITECTURE, given, pd.DataFrame(ROWS), **QUICK)
    assert list(zoos) == ["tanh", "relu"]
    seeds = draw_seeds(0, len(ROWS))
    for name, models in {"tanh": [0, 2, 4], "relu": [1, 3]}.items():
        zoo = zoos[name]
        assert zoo.architecture == Architecture.mlp(3, [6], 1, activation=name)
        assert zoo.metadata["model"].tolist() == models
        assert zoo.metadata["activation"].tolist() == [name] * len(models)
        np.testing.assert_array_equal(zoo.metadata["seed"], seeds[models])
        for row, model in zip(zoo.weights, models, strict=True):
            alone = train_zoo(
                Architecture.mlp(3, [6], 1, activation=name),
                sets[model],
                seeds=[seeds[model]],
                learning_rate=ROWS[model]["learning_rate"],
                epochs=2,
                batch_size=16,
            )
            np.testing.assert_allclose(row, alone.weights[0], rtol=1e-4, atol=1e-6)


def test_one_activation_is_a_column_like_others():
    zoo = train_zoo(ARCHITECTURE, SHARED, hyperparameters=[{"activation": "tanh"}] * 2, **QUICK)
    assert zoo.architecture == Architecture.mlp(3, [6], 1, activation="tanh")
    assert zoo.metadata["activation"].tolist() == ["tanh", "tanh"]


def test_zoos_in_folders(tmp_path):
    zoos = train_zoos(ARCHITECTURE, SHARED, ROWS, out=tmp_path, **QUICK)
    for name, zoo in zoos.items():
        stored = ModelZoo.load(tmp_path / name)
        np.testing.assert_array_equal(stored.weights, zoo.weights)
        assert stored.metadata["activation"].tolist() == [name] * len(zoo)
    options = QUICK | {"random_state": None}
    with pytest.raises(InvalidInputError, match="`random_state` must be an int with `out`"):
        train_zoos(ARCHITECTURE, SHARED, ROWS, out=tmp_path, **options)


def test_activations_are_asked_for():
    with pytest.raises(
        InvalidInputError, match="`hyperparameters` must have a column activation; got"
    ):
        train_zoos(ARCHITECTURE, SHARED, [{"learning_rate": 0.1}], **QUICK)


def test_seeds_may_be_given_row_by_row():
    rows = [{**row, "seed": 10 + i} for i, row in enumerate(ROWS)]
    zoos = train_zoos(ARCHITECTURE, SHARED, rows, epochs=1)
    assert zoos["relu"].metadata["seed"].tolist() == [11, 13]
