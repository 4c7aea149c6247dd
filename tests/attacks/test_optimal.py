"""Every strategy against the best that any attack could do, where that is known in closed form.

Classes are 0 and 1, equally likely. What the strategy reads is Gaussian with a mean of the class.
"""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.calibration import calibration_curve
from torch import nn

from wsl import Architecture, DistributionInferenceAttack, DistributionInferenceRegressor

LINEAR = Architecture(nn.Linear(9, 1))
QUERIES = np.random.default_rng(99).normal(size=(64, 9))


def rows(y, rng, distance):
    """Weights N(+-mean, I) whose classes are 2 * distance apart."""
    return rng.normal(size=(len(y), 10)) + (2 * y[:, None] - 1) * distance / np.sqrt(10)


def losses_apart(y, rng, distance):
    """Numbers far from the labels, 0: one query of each class, the nearer one that of the model."""
    return 10 + rng.normal(size=(len(y), 2)) + np.c_[2 * y - 1, 1 - 2 * y] * distance / np.sqrt(2)


def one_loss_apart(y, rng, distance):
    """The first query tells the class, the second nothing."""
    return 10 + rng.normal(size=(len(y), 2)) + np.c_[2 * y - 1, 0 * y] * distance


def one_answer(y, rng, distance):
    """One query tells the class."""
    return rng.normal(size=(len(y), 1)) + (2 * y[:, None] - 1) * distance


TWO_QUERIES = {"query_labels": [0.5, 0.5], "query_properties": [0, 1]}

# strategy -> parameters, what it reads; its best accuracy is that of the distance
CLASSES = {
    "deepsets": ({"architecture": LINEAR}, rows),
    "probes": ({"architecture": LINEAR}, rows),
    "sorted": ({"architecture": LINEAR}, rows),
    "statistics": ({}, rows),
    "autoencoder": ({"architecture": LINEAR}, rows),
    "queries": ({"architecture": LINEAR, "queries": QUERIES}, rows),
    "loss": (TWO_QUERIES, losses_apart),
    "threshold": (TWO_QUERIES, one_loss_apart),
    "kl": ({}, one_answer),
}


def draw_classes(strategy, n_models, seed, distance):
    """Return parameters of the attack, what it reads and classes."""
    parameters, draw = CLASSES[strategy]
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_models)
    return parameters, draw(y, rng, distance).astype(np.float32), y


# strategy -> parameters, number of readings v + N(0, 1) of a property v that is N(0, 1)
NUMBERS = {
    "deepsets": ({"architecture": LINEAR}, 10),
    "probes": ({"architecture": LINEAR}, 10),
    "sorted": ({"architecture": LINEAR}, 10),
    "statistics": ({}, 10),
    "autoencoder": ({"architecture": LINEAR}, 10),
    "queries": ({"architecture": LINEAR, "queries": QUERIES}, 10),
    "threshold": ({"query_labels": [-5.0, 5.0], "query_properties": [0.0, 1.0]}, 2),
    "kl": ({}, 1),
}


def draw_numbers(strategy, n_models, seed):
    """Return parameters of the attack, what it reads, numbers and the least possible MAE.

    Given k readings, v is N(., 1 / (1 + k)), whose mean absolute deviation is known.
    """
    parameters, n_readings = NUMBERS[strategy]
    rng = np.random.default_rng(seed)
    v = rng.normal(size=n_models)
    X = v[:, None] + rng.normal(size=(n_models, n_readings))
    return parameters, X.astype(np.float32), v, np.sqrt(2 / np.pi / (1 + n_readings))


N_SHADOWS, N_TARGETS = 1000, 20_000
# what is learned with noise: by a network, which takes more shadows; a threshold; a mean of few
MORE_SHADOWS = {"deepsets": 6000, "probes": 6000}
POINTS = {"threshold": 0.03}
MORE_ERROR = {"kl": 1.1}


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [pytest.param(s, marks=pytest.mark.slow) if s in MORE_SHADOWS else s for s in CLASSES],
)
@pytest.mark.parametrize("distance", [0.5, 1.5])
def test_accuracy_comes_close_to_the_best_possible_and_not_above(strategy, distance):
    n_shadows = MORE_SHADOWS.get(strategy, N_SHADOWS)
    parameters, X, y = draw_classes(strategy, n_shadows, 0, distance)
    _, X_test, y_test = draw_classes(strategy, N_TARGETS, 1, distance)
    best = norm.cdf(distance)
    noise = np.sqrt(best * (1 - best) / N_TARGETS)
    attack = DistributionInferenceAttack(strategy, **parameters, random_state=0).fit(X, y)
    assert best - POINTS.get(strategy, 0.02) < attack.score(X_test, y_test) < best + 3 * noise


@pytest.mark.slow
@pytest.mark.parametrize("strategy", NUMBERS)
def test_error_comes_close_to_the_least_possible_and_not_below(strategy):
    parameters, X, v, _ = draw_numbers(strategy, N_SHADOWS, 0)
    _, X_test, v_test, least = draw_numbers(strategy, N_TARGETS, 1)
    attack = DistributionInferenceRegressor(strategy, **parameters, random_state=0).fit(X, v)
    error = np.abs(attack.predict(X_test) - v_test)
    assert (
        least - 3 * error.std() / np.sqrt(N_TARGETS)
        < error.mean()
        < MORE_ERROR.get(strategy, 1.06) * least
    )


@pytest.mark.slow
@pytest.mark.parametrize("strategy", CLASSES)
def test_chance_where_models_tell_nothing(strategy):
    parameters, X, y = draw_classes(strategy, 300, 2, 0.0)
    _, X_test, y_test = draw_classes(strategy, 4000, 3, 0.0)
    attack = DistributionInferenceAttack(strategy, **parameters, random_state=0).fit(X, y)
    assert abs(attack.score(X_test, y_test) - 0.5) < 3 * np.sqrt(0.25 / 4000)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", CLASSES)
@pytest.mark.parametrize("n_shadows", [64, 1000])
def test_probabilities_are_frequencies(strategy, n_shadows):
    distance = 0.8
    parameters, X, y = draw_classes(strategy, n_shadows, 4, distance)
    _, X_test, y_test = draw_classes(strategy, N_TARGETS, 5, distance)
    attack = DistributionInferenceAttack(strategy, **parameters, random_state=0).fit(X, y)
    proba = attack.predict_proba(X_test)[:, 1]
    frequency, stated = calibration_curve(y_test, proba, n_bins=20, strategy="quantile")
    assert np.abs(frequency - stated).mean() < {64: 0.14, 1000: 0.05}[n_shadows]
    if strategy in ("sorted", "queries", "autoencoder") and n_shadows == 1000:
        # Bayes: the logit of the class is 2 * distance * the place between the two means
        known = expit(2 * distance * X_test.sum(axis=1) / np.sqrt(X.shape[1]))
        assert np.abs(proba - known).mean() < 0.04
