"""The rule by which models diverged, and the warnings and errors that name them."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from wsl import (
    Architecture,
    BehaviorFeatures,
    DeepSetsClassifier,
    DistributionInferenceAttack,
    ProbeRegressor,
    WeightSpaceAutoencoder,
    read_zoo,
    train_zoo,
)
from wsl._diverged import diverged_rows, fitted_models, nonfinite_rows, warn_of_diverged
from wsl.exceptions import DivergedModelWarning, InvalidInputError

ARCHITECTURE = Architecture.mlp(4, [6], 2)


def make_rows(n_models=30, scale=0.4, seed=0):
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(n_models, ARCHITECTURE.n_weights))).astype(np.float32)


@pytest.mark.parametrize("factor", [1e3, 1e4, 1e10, 1e30])
@pytest.mark.parametrize("scale", [0.4, 1e-3, 1e5])
def test_a_model_far_larger_than_the_others_diverged(factor, scale):
    rows = make_rows(scale=min(scale, 1e35 / factor))
    rows[[3, 7]] *= np.float32(factor)
    expected = [3, 7] if factor * scale > 1.5 else []
    assert np.flatnonzero(diverged_rows([rows])).tolist() == expected
    assert not nonfinite_rows([rows]).any()
    batches = [rows[:5], rows[5:6], rows[6:]]
    np.testing.assert_array_equal(diverged_rows(batches), diverged_rows([rows]))


def test_the_bound_is_100_times_the_median_and_1():
    rows = np.ones((5, 4), np.float32) * np.array([1, 2, 3, 300, 301], np.float32)[:, None]
    assert diverged_rows([rows]).tolist() == [False] * 4 + [True]
    assert diverged_rows([rows / 302]).tolist() == [False] * 5
    assert diverged_rows([-rows]).tolist() == [False] * 4 + [True]


def test_models_that_are_not_finite_do_not_move_the_median():
    rows = make_rows(20)
    rows[:12, 0] = np.nan
    rows[12, 1] = np.inf
    rows[13] *= 1e6
    assert np.flatnonzero(diverged_rows([rows])).tolist() == list(range(14))
    assert np.flatnonzero(nonfinite_rows([rows])).tolist() == list(range(13))
    assert diverged_rows([rows[:3]]).all()


def test_nearly_half_may_diverge_and_healthy_zoos_are_silent():
    rows = make_rows(21)
    rows[:10] *= 1e5
    assert np.flatnonzero(diverged_rows([rows])).tolist() == list(range(10))
    scales = np.geomspace(0.05, 3, 30).astype(np.float32)[:, None]
    assert not diverged_rows([make_rows() * scales]).any()
    assert not diverged_rows([np.zeros((3, 4), np.float32)]).any()
    assert diverged_rows([]).shape == (0,)


def test_diverged_models_are_left_out_or_learned_from():
    rows = make_rows()
    rows[4, 2] = 0.9e20
    rows[[5, 9], 2] = -1e20, 3e38
    with pytest.warns(DivergedModelWarning, match=r"3 of 30 .*\[4, 5, 9\]\. They are left out"):
        assert np.flatnonzero(~fitted_models(rows)).tolist() == [4, 5, 9]
    with pytest.warns(DivergedModelWarning) as caught:
        assert np.flatnonzero(~fitted_models(rows, leave_out=False)).tolist() == [5, 9]
    left_out, learned_from = (str(warning.message) for warning in caught)
    assert "2 of 30 models diverged" in left_out
    assert "models [5, 9]. They are left out" in left_out
    assert "models [4]. They are learned from" in learned_from


def test_weights_from_1e20_on_are_refused_if_most_models_have_them():
    rows = np.full((5, 3), 0.9e20, np.float32)
    assert np.shares_memory(rows[fitted_models(rows)], rows)
    rows[[1, 3], 0] = -1.1e20
    with pytest.raises(InvalidInputError, match=r"`X` must hold weights below 1e\+20 .*\[1, 3\]"):
        fitted_models(rows)


def test_many_models_are_named_in_part_and_the_caller_is_shown():
    with pytest.warns(DivergedModelWarning, match=r"25 of 99 .* 18, 19\] and more\.") as caught:
        warn_of_diverged(list(range(25)), 99)
    assert caught[0].filename == __file__


# --- in what trains and reads


X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def test_training_names_finite_models_that_diverged():
    rates = np.full(9, 1e-2)
    rates[[2, 6]] = 1e2
    decay = np.zeros(9)
    decay[[2, 6]] = 0.1  # each step multiplies the weights by -9
    options = {"optimizer": "sgd", "batch_size": None, "epochs": 12, "random_state": 0}
    with pytest.warns(DivergedModelWarning, match=r"2 of 9 models diverged .*models \[2, 6\]"):
        zoo = train_zoo(ARCHITECTURE, (X, Y), learning_rate=rates, weight_decay=decay, **options)
    assert np.isfinite(zoo.weights).all()


def test_reading_names_finite_models_that_diverged(tmp_path):
    for index, row in enumerate(make_rows(5)):
        state = ARCHITECTURE.state_dict(row * (1e6 if index == 3 else 1))
        torch.save(state, tmp_path / f"net_{index}.pt")
    with pytest.warns(DivergedModelWarning, match=r"1 of 5 models .*net_3\.pt"):
        read_zoo(tmp_path, ARCHITECTURE)


def autoencoder(**options):
    options = {
        "code": "linear",
        "d_model": 16,
        "n_layers": 1,
        "epochs": 1,
        "latent_dim": 4,
    } | options
    return WeightSpaceAutoencoder(ARCHITECTURE, queries=X, random_state=0, **options)


def attack(strategy):
    return DistributionInferenceAttack(
        strategy, architecture=ARCHITECTURE, queries=X[:20], random_state=0
    )


FITS = {
    "autoencoder": (autoencoder(), "left out"),
    "behavior": (BehaviorFeatures(ARCHITECTURE, queries=X), "left out"),
    "deepsets": (DeepSetsClassifier(ARCHITECTURE, epochs=1), "left out"),
    "probes": (ProbeRegressor(ARCHITECTURE, epochs=1), "left out"),
    "attack by deepsets": (attack("deepsets"), "left out"),
    "attack by sorted weights": (attack("sorted"), "learned from"),
}


@pytest.mark.parametrize("case", FITS)
def test_every_fit_names_diverged_models(case):
    estimator, consequence = FITS[case]
    rows, y = make_rows(), np.arange(30) % 2
    rows[11] *= 1e4
    with pytest.warns(
        DivergedModelWarning, match=rf"1 of 30 models .*models \[11\]\. They are {consequence}"
    ) as caught:
        estimator.fit(rows, y)
    assert [warning.filename for warning in caught] == [__file__]
    rows[11] *= 1e20
    with pytest.warns(DivergedModelWarning, match=r"models \[11\]\. They are left out"):
        estimator.fit(rows, y)


@pytest.mark.filterwarnings("ignore::wsl.exceptions.DivergedModelWarning")
@pytest.mark.parametrize("case", ["autoencoder", "behavior", "deepsets", "probes"])
def test_a_model_that_is_left_out_changes_nothing(case):
    estimator, rows, y = clone(FITS[case][0]), make_rows(), np.arange(30) % 2
    estimator.set_params(**{"random_state": 0} if case != "behavior" else {})
    method = "transform" if hasattr(estimator, "transform") else "predict"
    expected = getattr(estimator.fit(rows[1:], y[1:]), method)(rows[1:])
    rows[0] *= 1e30
    np.testing.assert_array_equal(getattr(estimator.fit(rows, y), method)(rows[1:]), expected)


@pytest.mark.filterwarnings("ignore::wsl.exceptions.DivergedModelWarning")
@pytest.mark.parametrize("strategy", ["sorted", "statistics", "queries", "kl"])
def test_attacks_that_learn_from_a_diverged_model_still_separate_the_others(strategy):
    y = np.repeat([0, 1], 40)
    rows = make_rows(80) + 0.8 * y[:, None].astype(np.float32)
    rows[:, -1] += 3 * y  # the bias of class 1
    rows[5] *= 1e8
    fitted = attack(strategy).fit(rows[::2], y[::2])  # not the diverged one
    after = attack(strategy).fit(np.r_[rows[::2], rows[5:6]], np.r_[y[::2], 0])
    test, y_test = np.delete(rows[1::2], 2, axis=0), np.delete(y[1::2], 2)
    assert fitted.score(test, y_test) > 0.85
    assert after.score(test, y_test) >= fitted.score(test, y_test) - 0.05


# --- singular matrices and overflow


@pytest.mark.parametrize("code", ["auto", "linear"])
@pytest.mark.parametrize("case", ["equal queries", "zero queries", "equal models", "rank 2", "all"])
def test_singular_matrices_give_models_back(code, case):
    rows, queries = make_rows(20), X
    if case in ("equal queries", "all"):
        queries = np.repeat(X[:1], 30, axis=0)
    if case == "zero queries":
        queries = np.zeros_like(X)
    if case in ("equal models", "all"):
        rows = np.repeat(rows[:2], 10, axis=0)
    if case == "rank 2":
        rows = np.outer(rows[:, 0], rows[0]) + np.outer(rows[:, 1], rows[1])
    fitted = autoencoder(code=code, epochs=1, latent_dim=44).set_params(queries=queries).fit(rows)
    rebuilt = fitted.reconstruct(rows)
    outputs = ARCHITECTURE.forward(rows, queries)
    np.testing.assert_allclose(ARCHITECTURE.forward(rebuilt, queries), outputs, atol=0.02)


def test_a_layer_without_inputs_has_a_code():
    architecture = Architecture(
        torch.nn.Sequential(
            torch.nn.Linear(4, 6, bias=False), torch.nn.ReLU(), torch.nn.Linear(6, 2, bias=False)
        )
    )
    rows = np.abs(make_rows())[:, : architecture.n_weights]
    fitted = WeightSpaceAutoencoder(
        architecture, queries=-np.abs(X), d_model=16, n_layers=1, epochs=1, latent_dim=4
    ).fit(rows)
    assert np.isfinite(fitted.reconstruct(rows)).all()


OVERFLOWING = {
    "autoencoder": autoencoder(code="auto"),
    "linear": autoencoder(code="linear"),
    "behavior": BehaviorFeatures(ARCHITECTURE, queries=X),
    "attack": attack("queries"),
}


@pytest.mark.parametrize("case", OVERFLOWING)
def test_responses_that_overflow_are_refused_in_words(case):
    rows, y = make_rows() * np.float32(1e19), np.arange(30) % 2
    with pytest.raises(InvalidInputError, match=r"Responses of models to `queries` .*overflow"):
        OVERFLOWING[case].fit(rows, y)


@pytest.mark.parametrize("method", ["transform", "reconstruct"])
def test_models_that_overflow_after_the_fit_are_named(method):
    rows = make_rows()
    fitted = autoencoder(code="auto").fit(rows)
    rows[[4, 6]] *= np.float32(1e30)
    with pytest.raises(InvalidInputError, match=r"`X` must hold models .*rows \[4, 6\] overflow"):
        getattr(fitted, method)(rows)
