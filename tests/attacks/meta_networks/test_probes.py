import pickle

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from wsl import Architecture, ProbeClassifier, ProbeRegressor, QueryResponses
from wsl.attacks.meta_networks._probe_network import ProbeNetwork
from wsl.exceptions import InvalidInputError

MLP = Architecture.mlp(3, [8], 1)
CNN = Architecture.cnn((1, 8, 8), [3, 4], [5], 3, pool=1)


def slopes(n_models, seed, n_inputs=9, distance=1.0):
    """Linear models N(mean of class, I): the best possible accuracy is Phi(distance)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_models)
    direction = np.full(n_inputs + 1, distance / np.sqrt(n_inputs + 1))
    rows = rng.normal(size=(n_models, n_inputs + 1)) + (2 * y[:, None] - 1) * direction
    return rows.astype(np.float32), y, Architecture(nn.Linear(n_inputs, 1)), norm.cdf(distance)


def biased(n_models, seed):
    """Random networks of which those of class 1 answer more, through some hidden unit."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_models, MLP.n_weights)).astype(np.float32)
    y = rng.integers(2, size=n_models)
    rows[:, MLP.slices["0.bias"].start] += 3 * y
    rows[:, MLP.slices["2.weight"].start] += 3 * y
    return MLP.permute(rows, random_state=seed), y


@pytest.fixture(scope="module")
def fitted():
    X, y = biased(200, seed=0)
    return ProbeClassifier(MLP, n_probes=16, random_state=0).fit(X, y), X, y


def probe_network(*sizes, hidden_layer_sizes):
    generator = torch.Generator().manual_seed(0)
    network = ProbeNetwork(
        *sizes, hidden_layer_sizes=hidden_layer_sizes, dropout=0.0, generator=generator
    )
    return network.double().eval()


@pytest.mark.slow
def test_close_to_the_best_possible_and_not_above():
    X, y, architecture, best = slopes(2000, seed=0)
    X_test, y_test, _, _ = slopes(4000, seed=1)
    noise = np.sqrt(best * (1 - best) / len(y_test))
    attack = ProbeClassifier(
        architecture, n_probes=32, hidden_layer_sizes=8, epochs=10, random_state=0
    )
    assert best - 0.03 < attack.fit(X, y).score(X_test, y_test) < best + 3 * noise


def test_chance_when_the_label_has_nothing_to_do_with_the_weights():
    rng = np.random.default_rng(0)
    X, X_test = rng.normal(size=(2, 1000, MLP.n_weights))
    y, y_test = rng.integers(2, size=(2, 1000))
    attack = ProbeClassifier(MLP, n_probes=16, random_state=0).fit(X[:200], y[:200])
    assert abs(attack.score(X_test, y_test) - 0.5) < 3 * np.sqrt(0.25 / 1000)


def test_finds_a_property_wherever_its_unit_stands(fitted):
    X, y = biased(500, seed=1)
    assert fitted[0].score(X, y) > 0.9


@pytest.mark.parametrize("architecture", [MLP, CNN], ids=["mlp", "cnn"])
def test_prediction_is_blind_to_the_order_of_hidden_units(architecture):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, architecture.n_weights)).astype(np.float32)
    attack = ProbeClassifier(architecture, n_probes=5, epochs=1, random_state=0)
    attack.fit(X, np.arange(20) % 2)
    moved = architecture.permute(X, random_state=5)
    assert (moved != X).any()
    np.testing.assert_allclose(attack.predict_proba(moved), attack.predict_proba(X), atol=1e-6)


def test_without_learning_it_reads_the_answers_to_the_given_queries():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, MLP.n_weights)).astype(np.float32)
    y, probes = np.arange(40) % 2, rng.normal(size=(6, 3)).astype(np.float32)
    settings = {"epochs": 1, "learning_rate": 1e-12, "random_state": 0}
    attack = ProbeClassifier(MLP, probes=probes, **settings).fit(X, y)
    np.testing.assert_allclose(attack.probes_, probes, atol=1e-6)
    answers = QueryResponses(MLP, probes).fit_transform(X)
    network = attack.net_.module_
    bare = probe_network(None, torch.empty(0, 0), 6, 2, hidden_layer_sizes=(64,))
    bare.load_state_dict(network.state_dict() | {"probes": torch.empty(0, 0)})
    with torch.no_grad():
        wanted = bare(torch.as_tensor(answers, dtype=torch.float64)).softmax(1)
    np.testing.assert_allclose(attack.predict_proba(X), wanted, atol=1e-5)


def test_gradient_reaches_the_probes():
    rows = torch.randn(4, MLP.n_weights, generator=torch.Generator().manual_seed(0)).double()
    probes = torch.randn(2, 3, generator=torch.Generator().manual_seed(1)).double()
    network = probe_network(MLP, probes, 2, 1, hidden_layer_sizes=(3,))

    def of_probes(values):
        return torch.func.functional_call(network, {"probes": values}, rows)

    assert torch.autograd.gradcheck(of_probes, probes.requires_grad_(), eps=1e-7, atol=1e-4)


def test_probes_that_start_where_nothing_differs_are_moved():
    """At 0 all models answer 0; only learned probes can tell slopes apart."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    X = np.c_[np.where(y == 1, 1.5, 1.0) + 0.1 * rng.normal(size=200), np.zeros(200)]
    start = np.full((4, 1), 1e-3, dtype=np.float32)
    attack = ProbeClassifier(Architecture(nn.Linear(1, 1)), probes=start, random_state=0).fit(X, y)
    assert np.abs(attack.probes_ - start).max() > 0.01
    assert attack.score(X, y) > 0.95


@pytest.mark.slow
def test_regressor_learns_several_properties_of_different_scale():
    rng = np.random.default_rng(0)
    y = rng.uniform(size=(600, 2)) * [1, 100] + [0, 1000]
    X = rng.normal(size=(600, 4)) * 0.05
    X[:, 0] += y[:, 0]
    X[:, 3] += (y[:, 1] - 1000) / 100
    attack = ProbeRegressor(Architecture(nn.Linear(3, 1)), n_probes=16, random_state=0)
    predicted = attack.fit(X[:400], y[:400]).predict(X[400:])
    explained = 1 - ((predicted - y[400:]) ** 2).mean(0) / y[400:].var(0)
    assert (explained > 0.9).all()
    assert attack.fit(X[:400], y[:400, 0]).predict(X[400:]).shape == (200,)


def test_same_seed_same_result_and_pickle_keeps_it(fitted):
    attack, X, y = fitted
    again = ProbeClassifier(MLP, n_probes=16, random_state=0).fit(X, y)
    loaded = pickle.loads(pickle.dumps(attack))
    np.testing.assert_array_equal(again.predict_proba(X), attack.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict_proba(X), attack.predict_proba(X))


def test_prediction_does_not_depend_on_the_other_models_of_a_batch(fitted):
    attack, X, _ = fitted
    alone = np.concatenate([attack.predict_proba(row[None]) for row in X[:10]])
    np.testing.assert_allclose(alone, attack.predict_proba(X)[:10], rtol=1e-6)


WRONG = {
    "columns": (MLP, None, 10, "`X` must have 41 columns, .*; got 10"),
    "features": (MLP, np.ones((2, 4)), 41, "`probes` must have 3 columns.* got 4"),
    "no architecture": (None, np.ones((2, 4)), 41, "`probes` needs an `architecture`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named(case):
    architecture, probes, n_columns, message = WRONG[case]
    X = np.random.default_rng(0).normal(size=(20, n_columns))
    with pytest.raises(InvalidInputError, match=message):
        ProbeClassifier(architecture, probes=probes).fit(X, np.arange(20) % 2)
