import numpy as np
import pytest
from scipy import stats

from wsl.distributions import Interval
from wsl.exceptions import InvalidInputError
from wsl.risk.trained_models._class_likelihoods import fit_class_calibration
from wsl.risk.trained_models._cross_fit import check_frequencies, draw_folds
from wsl.risk.trained_models._likelihoods import (
    cumulative,
    posterior_of,
    property_grid,
    quantiles,
    values_below,
)
from wsl.risk.trained_models._value_likelihoods import fit_guess_model
from wsl.risk.trained_models._value_prior import resolve_value_prior


def test_overconfident_scores_are_flattened_and_rare_classes_weighted():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [300, 100])
    odds = rng.normal(np.where(labels == 1, 1, -1), 1)  # log-odds of balanced classes: 2 odds
    scores = np.column_stack([-3 * odds, 3 * odds])  # say three times as much
    likelihoods = fit_class_calibration(scores, labels)(np.array([[0.0, 0.0], [-3.0, 3.0]]))
    np.testing.assert_allclose(likelihoods[:, 1], [0.5, 1 / (1 + np.exp(-2))], atol=0.04)


def test_perfect_separation_is_no_certainty():
    labels = np.arange(40) % 2
    scores = np.where(labels[:, None] == [0, 1], 0.0, -50.0)
    likelihoods = fit_class_calibration(scores, labels)(scores)
    assert likelihoods.min() == pytest.approx(1 / 22 / 2, rel=1e-3)


def test_guesses_that_are_shrunken_and_noisy():
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 4, 400)
    guesses = 2 + 0.5 * (values - 2) + rng.normal(0, 0.1, 400)
    grid = np.linspace(0, 4, 401)
    likelihoods = fit_guess_model(guesses, values, grid).likelihoods(np.array([2.5, 1.5]), grid)
    ends = quantiles(likelihoods[:, None], grid[None], (0.025, 0.5, 0.975))[:, 0]
    exact = [stats.norm(middle, 0.2).ppf([0.025, 0.5, 0.975]) for middle in (3, 1)]
    np.testing.assert_allclose(ends, exact, atol=0.06)


def test_an_outlier_leaves_every_value_possible():
    grid = np.linspace(0, 4, 401)
    values = np.linspace(0, 4, 48)
    guesses = values + 0.05 * np.cos(20 * values)
    likelihood = fit_guess_model(guesses, values, grid).likelihoods(np.array([2.0]), grid)[0]
    assert likelihood.sum() == pytest.approx(1)
    assert likelihood.min() == pytest.approx(1 / 50 / 401, rel=1e-3)
    assert likelihood.argmax() == pytest.approx(200, abs=2)


def test_densities_on_a_grid():
    grid = property_grid([Interval(0, 1), Interval(-2, 2)])
    triangle = np.stack([grid[0], 2 + grid[1]])[None]
    np.testing.assert_allclose(quantiles(triangle, grid, (0.25,))[0, :, 0], [0.5, 0], atol=1e-3)
    np.testing.assert_allclose(values_below(triangle, grid, np.array([[0.5, 0]])), 0.25, atol=1e-3)
    assert cumulative(triangle, grid)[0, :, -1].tolist() == [1, 1]
    posterior = posterior_of(triangle, np.ones_like(grid), grid)
    np.testing.assert_allclose(posterior[0, 0], 2 * grid[0], atol=1e-9)
    assert property_grid((0, 1)) is None


def test_folds_hold_each_class_evenly():
    labels = np.repeat([0, 1, 2], [10, 11, 12])
    folds = draw_folds(labels, 0)
    assert sorted(np.concatenate(folds).tolist()) == list(range(33))
    counts = np.array([np.bincount(labels[fold], minlength=3) for fold in folds])
    assert (np.ptp(counts, axis=0) <= 1).all()
    check_frequencies(labels, ("a", "b", "c"))
    with pytest.raises(
        InvalidInputError, match=r"at least 2 for each of .*; got \[10, 11, 12, 0\]"
    ):
        check_frequencies(labels, ("a", "b", "c", "d"))
    assert len(draw_folds(np.array([0, 0, 0, 1, 1, 1, 0, 0]), 0)) == 3


def test_priors_that_are_no_densities_are_refused():
    grid = property_grid(Interval(0, 2))
    np.testing.assert_allclose(resolve_value_prior(None, Interval(0, 2), grid), 0.5)
    np.testing.assert_allclose(
        resolve_value_prior(lambda x: x, Interval(0, 2), grid)[0], grid[0] / 2
    )
    with pytest.raises(InvalidInputError, match="must be a density: a function of values"):
        resolve_value_prior([0.5, 0.5], Interval(0, 2), grid)
    with pytest.raises(InvalidInputError, match="finite density between 0 and 2, at least 0"):
        resolve_value_prior(lambda x: x - 1, Interval(0, 2), grid)
    intervals = [Interval(0, 1), Interval(0, 2)]
    with pytest.raises(InvalidInputError, match="one density for each of 2 properties; got 1"):
        resolve_value_prior([np.ones_like], intervals, property_grid(intervals))
