import numpy as np
import pytest
from scipy.stats import binomtest, norm
from scipy.stats import t as student

from wsl.risk.evaluation._confidence_intervals import (
    POOL_FACTOR,
    area_interval,
    correlation_of,
    crossed_variance,
    difference_interval,
    mean_interval,
    proportion_interval,
)
from wsl.risk.evaluation._metrics import auc_contributions


def attack_scores(rng, n_features, signal, n_shadows, n_targets, n_repeats, margins=False):
    """Correct guesses on fresh targets of a nearest-mean attack on halves of fresh shadows.

    With ``margins``, the margins of the guesses and the truth.
    """
    labels, truth = np.arange(n_shadows) % 2, np.arange(n_targets) % 2
    shadows = rng.normal(size=(n_shadows, n_features))
    targets = rng.normal(size=(n_targets, n_features))
    shadows[:, 0] += signal * (2 * labels - 1)
    targets[:, 0] += signal * (2 * truth - 1)
    correct, found = np.empty((2, n_repeats, n_targets))
    for repeat in range(n_repeats):
        means = [
            shadows[rng.choice(np.flatnonzero(labels == c), n_shadows // 4, replace=False)].mean(0)
            for c in (0, 1)
        ]
        projected = (targets - (means[0] + means[1]) / 2) @ (means[1] - means[0])
        found[repeat] = projected
        correct[repeat] = (projected > 0) == truth
    return (found, truth) if margins else correct


REGIMES = {  # n_features, signal, n_shadows, n_targets, n_repeats
    "chance": (10, 0.0, 64, 128, 10),
    "weak": (10, 0.3, 32, 128, 5),
    "few shadows, many targets": (50, 0.5, 32, 1024, 10),
    "strong": (10, 1.0, 64, 128, 5),
    "nearly perfect": (3, 2.0, 64, 128, 10),
    "perfect but for one in a thousand": (3, 3.0, 64, 128, 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
def test_the_interval_covers_the_attacks_expected_accuracy(regime):
    rng = np.random.default_rng(0)
    runs = [attack_scores(rng, *REGIMES[regime]) for _ in range(300)]
    truth = np.mean([run.mean() for run in runs])
    estimates = [proportion_interval(run) for run in runs]
    coverage = np.mean([e.low <= truth <= e.high for e in estimates])
    assert coverage >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / len(runs))


def test_repeats_alone_would_claim_too_much():
    """The regime that distinguishes the formula from one that treats repeats as fresh shadows."""
    rng = np.random.default_rng(0)
    runs = [attack_scores(rng, *REGIMES["few shadows, many targets"]) for _ in range(300)]
    truth = np.mean([run.mean() for run in runs])
    errors = np.array([run.mean(0).std(ddof=1) / np.sqrt(run.shape[1]) for run in runs])
    covered = [abs(r.mean() - truth) <= 1.96 * e for r, e in zip(runs, errors, strict=True)]
    assert np.mean(covered) < 0.9


def test_the_variance_has_the_stated_components():
    rng = np.random.default_rng(1)
    n_repeats, n_targets = 6, 40
    of_target, of_repeat, of_rest = 1.0, 0.3, 0.7
    estimates = [
        crossed_variance(
            of_target * rng.normal(size=n_targets)
            + of_repeat * rng.normal(size=(n_repeats, 1))
            + of_rest * rng.normal(size=(n_repeats, n_targets))
        )
        for _ in range(1000)
    ]
    expected = (
        of_target**2 / n_targets
        + of_repeat**2 * (POOL_FACTOR + 1 / n_repeats)
        + of_rest**2 / (n_repeats * n_targets)
    )
    drawn = np.array([s.variance for s in estimates])
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / np.sqrt(len(drawn))
    assert all(s.degrees_of_freedom >= 5 for s in estimates)


@pytest.mark.parametrize("n_correct", [0, 3, 500, 997, 1000])
def test_one_repeat_is_wilsons_interval(n_correct):
    correct = (np.arange(1000) < n_correct)[None]
    estimate = proportion_interval(correct)
    wilson = binomtest(n_correct, 1000).proportion_ci(method="wilson")
    np.testing.assert_allclose([estimate.low, estimate.high], wilson, atol=2e-4)
    assert estimate.value == n_correct / 1000


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_repeating_a_perfect_attack_adds_no_targets(value):
    one, ten = (proportion_interval(np.full((n, 128), value)) for n in (1, 10))
    assert (one.low, one.high) == (ten.low, ten.high)
    assert 0.02 < ten.high - ten.low < 0.04
    assert 0 <= ten.low <= ten.value <= ten.high <= 1


@pytest.mark.parametrize("n_repeats", [1, 8])
def test_the_interval_of_a_mean_covers_it(n_repeats):
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        errors = np.abs(rng.normal(size=60) + 0.3 * rng.normal(size=(n_repeats, 60)))
        estimate = mean_interval(errors, floor=0.0)
        covered.append(estimate.low <= np.sqrt(1.09 * 2 / np.pi) <= estimate.high)
        assert estimate.low >= 0
    assert abs(np.mean(covered) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)


@pytest.mark.slow
@pytest.mark.parametrize("proportions", [(0.5, 0.5), (0.9, 0.7), (0.99, 0.97)])
@pytest.mark.parametrize("shared", [0.0, 0.8], ids=["apart", "paired"])
def test_the_interval_of_a_difference_covers_it(proportions, shared):
    """Correct guesses of two audits of 128 targets; paired audits find the same targets easy."""
    rng = np.random.default_rng(4)
    covered, widths = [], []
    for _ in range(400):
        easy = rng.random((1, 128))
        draws = [np.where(rng.random((3, 128)) < shared, easy, rng.random((3, 128))) for _ in "ab"]
        correct = [(u < p).astype(float) for u, p in zip(draws, proportions, strict=True)]
        correlation = correlation_of(*correct) if shared else 0.0
        found = difference_interval(*map(proportion_interval, correct), correlation)
        covered.append(found.low <= proportions[0] - proportions[1] <= found.high)
        widths.append(found.high - found.low)
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)


def test_rounding_of_a_perfect_metric_adds_no_variance():
    scores = 1 + 1e-9 * np.array([[1, -1, 1, -1], [-1, 1, -1, 1]])
    assert scores.mean() == 1
    estimate, plain = proportion_interval(scores), proportion_interval(np.ones((2, 4)))
    assert (estimate.low, estimate.high) == pytest.approx((plain.low, plain.high))


@pytest.mark.parametrize("area", [0.5, 0.8, 0.97])
def test_the_interval_of_an_area_covers_it(area):
    """The area between normal distributions, of which the probit is the distance by root 2."""
    rng = np.random.default_rng(6)
    truth = np.arange(60) % 3 == 0
    shift = np.sqrt(2) * norm.ppf(area)
    covered, widths = [], []
    for _ in range(600):
        margins = rng.normal(size=(1, 60)) + shift * truth
        scores = np.stack([-margins, margins], axis=-1)
        found = area_interval(auc_contributions(scores, truth.astype(int)), 20, 40)
        covered.append(found.low <= area <= found.high)
        widths.append(found.high - found.low)
    assert 0.93 <= np.mean(covered) <= 0.985
    assert np.mean(widths) < 0.35


def test_an_area_without_errors_has_the_interval_of_its_score_test():
    """With n of each class and Q1 - A^2 = A (1 - A)^2 / (2 - A), by hand at the lower end."""
    n, t = 12, float(student.ppf(0.975, 23))
    found = area_interval(np.ones((1, 24)), n, n)
    A = found.low
    q1, q2 = A / (2 - A), 2 * A**2 / (1 + A)
    variance = (A * (1 - A) + (n - 1) * (q1 - A**2) + (n - 1) * (q2 - A**2)) / n**2
    assert found.high == found.value == 1
    assert pytest.approx(t * np.sqrt(variance), rel=1e-6) == 1 - A


def test_a_weak_leak_is_claimed_in_three_of_four_audits_and_none_is_claimed_rarely():
    rng = np.random.default_rng(7)
    claims = {}
    for name, signal in (("none", 0.0), ("weak", 0.68)):
        runs = [attack_scores(rng, 10, signal, 64, 32, 10, margins=True) for _ in range(200)]
        claims[name] = np.mean([claimed(*run) for run in runs])
    assert claims["weak"] >= 0.75
    assert claims["none"] <= 0.05


def claimed(margins, truth):
    """Whether the interval of accuracy or area lies above a half."""
    scores = np.stack([-margins, margins], axis=-1)
    correct = ((margins > 0) == truth).astype(float)
    area = area_interval(auc_contributions(scores, truth), 16, 16)
    return max(proportion_interval(correct).low, area.low) > 0.5
