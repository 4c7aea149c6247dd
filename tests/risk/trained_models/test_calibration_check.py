import numpy as np
import pytest
from scipy.special import expit, logit

from wsl.risk.trained_models._calibration_check import (
    class_calibration_error,
    class_reliability,
    interval_calibration_error,
    interval_reliability,
)


def guesses(n_models, sharpness, seed):
    """Posteriors of two classes, and labels whose log-odds are ``sharpness`` times as large."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 2, n_models)
    labels = (rng.random(n_models) < expit(sharpness * logit(probability))).astype(int)
    return np.column_stack([1 - probability, probability]), labels


def test_calibrated_probabilities_have_the_error_of_noise():
    errors = [class_calibration_error(*guesses(400, 1, seed)) for seed in range(10)]
    assert sum(estimate.low == 0 for estimate, _ in errors) >= 8
    assert np.mean([estimate.value for estimate, _ in errors]) == pytest.approx(
        np.mean([chance for _, chance in errors]), rel=0.4
    )


def test_probabilities_that_are_too_certain_are_found_out():
    posteriors, labels = guesses(1000, 0.3, 0)
    estimate, chance = class_calibration_error(posteriors, labels)
    exact = np.abs(posteriors.max(1) - expit(0.3 * logit(posteriors.max(1)))).mean()
    assert estimate.low <= exact <= estimate.high
    assert estimate.low > chance
    table = class_reliability(posteriors, labels)
    assert table["n_models"].sum() == 1000
    assert (table["frequency"] < table["probability"])[1:].all()


def test_levels_of_intervals():
    below = np.linspace(0, 1, 1001)
    table = interval_reliability(below)
    np.testing.assert_allclose(table["frequency"], table["probability"], atol=0.002)
    estimate, chance = interval_calibration_error(below)
    assert estimate.value < chance
    estimate, chance = interval_calibration_error(0.5 + (below - 0.5) / 2)  # intervals too wide
    assert estimate.value == pytest.approx(0.25, abs=0.03)
    assert estimate.low > chance


def test_a_few_models_have_wide_intervals():
    table = class_reliability(np.array([[0.4, 0.6], [0.9, 0.1]]), np.array([1, 0]))
    assert table["n_models"].tolist() == [1, 1]
    assert table["ci_low"].tolist() == [0, 0]
