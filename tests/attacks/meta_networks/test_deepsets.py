import pickle

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from torch import nn

from wsl import Architecture, DeepSetsClassifier, DeepSetsRegressor
from wsl.exceptions import InvalidInputError

MLP = Architecture.mlp(3, [8], 1)


def marked_unit(n_models, seed):
    """Random networks, of which those of class 1 have one conspicuous hidden unit somewhere."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_models, MLP.n_weights)).astype(np.float32)
    y = rng.integers(2, size=n_models)
    rows[:, :3] = np.where(y[:, None] == 1, 2.0 + 0.3 * rows[:, :3], rows[:, :3])
    return MLP.permute(rows, random_state=seed), y


def linear_gaussian(n_models, seed, n_inputs=9, distance=1.0):
    """Linear models N(mean of class, I): the best possible accuracy is Phi(distance)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_models)
    direction = np.full(n_inputs + 1, distance / np.sqrt(n_inputs + 1))
    rows = rng.normal(size=(n_models, n_inputs + 1)) + (2 * y[:, None] - 1) * direction
    return rows.astype(np.float32), y, Architecture(nn.Linear(n_inputs, 1)), norm.cdf(distance)


@pytest.fixture(scope="module")
def fitted():
    X, y = marked_unit(300, seed=0)
    return DeepSetsClassifier(MLP, random_state=0).fit(X, y), X, y


@pytest.mark.slow
def test_finds_a_property_of_one_unit_wherever_it_stands(fitted):
    attack, X, y = fitted
    X_test, y_test = marked_unit(500, seed=1)
    assert attack.score(X_test, y_test) > 0.95
    plain = LogisticRegression(max_iter=1000).fit(X, y)
    assert plain.score(X_test, y_test) < 0.8


def test_prediction_is_blind_to_the_order_of_hidden_units(fitted):
    attack, X, _ = fitted
    moved = MLP.permute(X, random_state=5)
    np.testing.assert_allclose(attack.predict_proba(moved), attack.predict_proba(X), atol=1e-6)


def test_close_to_the_best_possible_and_not_above():
    X, y, architecture, best = linear_gaussian(2000, seed=0)
    X_test, y_test, _, _ = linear_gaussian(4000, seed=1)
    noise = np.sqrt(best * (1 - best) / len(y_test))
    attack = DeepSetsClassifier(architecture, epochs=10, random_state=0).fit(X, y)
    assert best - 0.03 < attack.score(X_test, y_test) < best + 3 * noise


def test_chance_when_the_label_has_nothing_to_do_with_the_weights():
    rng = np.random.default_rng(0)
    X, X_test = rng.normal(size=(2, 1000, MLP.n_weights))
    y, y_test = rng.integers(2, size=(2, 1000))
    score = DeepSetsClassifier(MLP, random_state=0).fit(X[:200], y[:200]).score(X_test, y_test)
    assert abs(score - 0.5) < 3 * np.sqrt(0.25 / 1000)


def test_more_than_two_classes_and_any_kind_of_label():
    rng = np.random.default_rng(0)
    y = rng.choice(["none", "some", "all"], size=300)
    X = (
        rng.normal(size=(300, MLP.n_weights))
        + np.select([y == "some", y == "all"], [2, 4])[:, None]
    )
    attack = DeepSetsClassifier(MLP, random_state=0).fit(X[:200], y[:200])
    assert attack.classes_.tolist() == ["all", "none", "some"]
    proba = attack.predict_proba(X[200:])
    np.testing.assert_allclose(proba.sum(1), 1)
    np.testing.assert_array_equal(attack.classes_[proba.argmax(1)], attack.predict(X[200:]))
    assert attack.score(X[200:], y[200:]) > 0.9


@pytest.mark.slow
def test_regressor_learns_several_properties_of_different_scale():
    rng = np.random.default_rng(0)
    y = rng.uniform(size=(600, 2)) * [1, 100] + [0, 1000]
    X = rng.normal(size=(600, MLP.n_weights)).astype(np.float32) * 0.3
    X[:, MLP.slices["0.bias"]] += y[:, :1]
    X[:, MLP.slices["2.weight"]] += (y[:, 1:] - 1000) / 100
    train, test = slice(0, 400), slice(400, None)
    attack = DeepSetsRegressor(MLP, random_state=0).fit(X[train], y[train])
    predicted = attack.predict(X[test])
    assert predicted.shape == (200, 2)
    explained = 1 - ((predicted - y[test]) ** 2).mean(0) / y[test].var(0)
    assert (explained > 0.8).all()
    one = DeepSetsRegressor(MLP, random_state=0).fit(X[train], y[train, 0])
    assert one.predict(X[test]).shape == (200,)


@pytest.mark.parametrize("random_state", [3, np.random.RandomState(3), np.random.default_rng(3)])
def test_same_seed_same_result(random_state):
    X, y = marked_unit(60, seed=0)
    attack = DeepSetsClassifier(MLP, dropout=0.5, epochs=3, random_state=random_state)
    copies = [pickle.loads(pickle.dumps(attack)) for _ in range(2)]
    first, second = (copy.fit(X, y).predict_proba(X) for copy in copies)
    np.testing.assert_array_equal(first, second)
    other = clone(attack).set_params(random_state=4).fit(X, y).predict_proba(X)
    assert np.abs(first - other).max() > 1e-3


def test_global_generators_stay_where_they_are():
    X, y = marked_unit(40, seed=0)
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    DeepSetsClassifier(MLP, dropout=0.5, epochs=2, random_state=0).fit(X, y).predict(X)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert n_threads == torch.get_num_threads()
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.slow
def test_pickle_keeps_every_prediction(fitted):
    attack, X, _ = fitted
    loaded = pickle.loads(pickle.dumps(attack))
    np.testing.assert_array_equal(loaded.predict_proba(X), attack.predict_proba(X))


def test_history_is_kept_and_nothing_is_printed(fitted, capsys):
    attack, X, y = fitted
    clone(attack).set_params(epochs=2).fit(X, y)
    assert capsys.readouterr().out == ""
    losses = attack.net_.history[:, "train_loss"]
    assert len(losses) == attack.epochs
    assert losses[-1] < losses[0]


def test_rows_without_an_architecture_are_one_element():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    X = rng.normal(size=(200, 3)) * [1, 100, 1e-3] + y[:, None] * [0, 0, 4e-3] + [0, 1e3, 0]
    assert DeepSetsClassifier(random_state=0).fit(X, y).score(X, y) > 0.93


def test_grid_search_in_two_processes():
    X, y = marked_unit(120, seed=0)
    search = GridSearchCV(
        DeepSetsClassifier(MLP, random_state=0),
        {"hidden_layer_sizes": [8, (16, 8)]},
        cv=2,
        n_jobs=2,
    )
    assert search.fit(X, y).best_score_ > 0.6


WRONG_FITS = {
    "columns": (lambda X, y: (X[:, :10], y), "`X` must have 41 columns, .*; got 10"),
    "nan": (lambda X, y: (np.where(X > 2, np.nan, X), y), "NaN"),
    "at least two classes": (lambda X, y: (X, np.zeros_like(y)), "at least two classes"),
    "length": (lambda X, y: (X, y[:-1]), "inconsistent"),
}


@pytest.mark.parametrize("case", WRONG_FITS)
def test_wrong_input_is_named(case):
    damage, message = WRONG_FITS[case]
    X, y = marked_unit(40, seed=0)
    with pytest.raises(ValueError, match=message):
        DeepSetsClassifier(MLP).fit(*damage(X, y))


def test_device_that_is_not_there_is_named():
    X, y = marked_unit(40, seed=0)
    with pytest.raises(InvalidInputError, match=r"`device` must be.*; got 'abacus'"):
        DeepSetsClassifier(MLP, device="abacus").fit(X, y)


@pytest.mark.parametrize("sizes", [(), (8, 0), 2.5])
def test_hidden_layer_sizes_that_are_no_widths_are_named(sizes):
    X, y = marked_unit(40, seed=0)
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        DeepSetsClassifier(MLP, hidden_layer_sizes=sizes).fit(X, y)
