"""Each risk that has a name agrees with what is computed for it directly, without a game."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from wsl.attacks import DistributionInferenceAttack
from wsl.distributions import (
    EnvironmentMembershipFamily,
    GaussianFamily,
    Interval,
    RecordMembershipFamily,
)
from wsl.exceptions import InvalidInputError
from wsl.risk import (
    Adversary,
    environment_membership_inference,
    n_leaked,
    property_inference,
    proportion_regression,
    ratio_inference,
    record_membership_inference,
)

PLAY = {
    "n_targets": 300,
    "n_repeats": 3,
    "n_row_sets": 0,
    "random_state": 0,
    "progress": False,
}
RNG = np.random.default_rng(0)
TUMOURS, MALIGNANT = load_breast_cancer(return_X_y=True)


def asking(n_queries):
    return Adversary(n_shadows=200, n_queries=n_queries)


def risk_of(game, **playing):
    (row,) = game.play(**PLAY | playing).table.to_dict("records")
    return row


@pytest.mark.slow
def test_property_inference_of_means():
    family = GaussianFamily("mean", properties=(0, 0.15), on_inputs=0)
    game = property_inference(
        LinearRegression(), family, n_samples=256, adversary=asking(6), access="black_box"
    )
    row = risk_of(game)
    best = 1 - family.bayes_accuracy(256, "coefficients")
    assert row["ci_low"] <= best <= row["ci_high"]
    with pytest.raises(InvalidInputError, match="`family` must have a few classes"):
        property_inference(LinearRegression(), GaussianFamily("mean", properties=Interval(0, 1)))


@pytest.mark.slow
def test_ratio_inference_of_a_share_that_sets_the_base_rate():
    """A constant classifier of two groups of equal base rates but one shows their share.

    Group rows are positive with .8, others with .3: a set of n rows has counts that are known.
    """
    group = np.arange(4000) % 2 == 0
    y = (RNG.random(4000) < np.where(group, 0.8, 0.3)).astype(int)
    X = RNG.normal(size=(4000, 2))
    n_samples, ratios = 50, (0.4, 0.6)
    game = ratio_inference(
        DummyClassifier(strategy="prior"), X, y, group, ratios=ratios, n_samples=n_samples,
        adversary=asking(4), access="black_box",
    )  # fmt: skip
    rates = y[group].mean(), y[~group].mean()
    counts = []
    for ratio in ratios:  # the positives of either group are hypergeometric, nearly binomial
        n_group = round(ratio * n_samples)
        parts = (
            stats.hypergeom.pmf(np.arange(n + 1), 2000, round(2000 * rate), n)
            for n, rate in zip((n_group, n_samples - n_group), rates, strict=True)
        )
        counts.append(np.convolve(*parts))
    best = 0.5 - np.abs(counts[0] - counts[1]).sum() / 4
    row = risk_of(game)
    assert row["ci_low"] <= best <= row["ci_high"]
    assert row["n_leaked_bound"] == n_leaked(1 - row["risk"], *ratios)


def test_proportion_regression_of_a_share_that_is_the_mean():
    """The mean of y is the share itself, up to rounding to 1 / n, whose mean error is 1 / (4 n)."""
    group = np.arange(2000) % 2 == 0
    game = proportion_regression(
        DummyRegressor(), RNG.normal(size=(2000, 1)), group.astype(float), group,
        n_samples=100, adversary=asking(2), access="black_box",
    )  # fmt: skip
    row = risk_of(game, n_targets=100)
    assert row["risk"] == pytest.approx(1 / 400, rel=0.2)
    assert row["advantage"] == pytest.approx(0.99, abs=0.002)
    with pytest.raises(InvalidInputError, match="`interval` must be an Interval"):
        proportion_regression(DummyRegressor(), TUMOURS, MALIGNANT, MALIGNANT, interval=(0, 1))


class Constant:
    """An environment whose outcome has a mean of its own."""

    def __init__(self, mean):
        self.mean = mean

    def __call__(self, n_samples, rng):
        return rng.normal(size=(n_samples, 1)), self.mean + rng.normal(size=n_samples)


@pytest.mark.slow
def test_environment_membership_inference_of_means():
    """Three environments with the means 0, 0 and m: the set's mean is m / 3 or 0."""
    mean, n_samples = 0.6, 90
    game = environment_membership_inference(
        DummyRegressor(), [Constant(0), Constant(0), Constant(mean)], n_samples=n_samples,
        adversary=asking(2), access="black_box",
    )  # fmt: skip
    best = stats.norm.cdf(-mean / 3 * np.sqrt(n_samples) / 2)
    row = risk_of(game)
    assert row["ci_low"] <= best <= row["ci_high"]
    assert game.prior.member == 2
    shrunken = EnvironmentMembershipFamily([Constant(0), Constant(1)], equal_size=False)
    assert len(shrunken.sample(0, 90, random_state=0)[0]) == 45


@pytest.mark.slow
def test_record_membership_is_the_limit_of_one_row():
    """The mean of n rows moves by (y - m) / n with the record, and has a deviation of s / sqrt n.

    The direct computation is Yeom's experiment: a threshold on the model's error at the record.
    """
    n_samples, n_rows = 16, 4000
    y = RNG.normal(size=n_rows)
    y[5] = 6.0
    X = RNG.normal(size=(n_rows, 2))
    straight = DistributionInferenceAttack("queries")
    game = record_membership_inference(
        DummyRegressor(),
        X,
        y,
        record=5,
        n_samples=n_samples,
        attacks=[straight],
        adversary=asking(1),
    )
    row = risk_of(game)
    others = np.delete(y, 5)
    members, strangers = (
        np.array([RNG.choice(others, n_samples - b).sum() + 6 * b for _ in range(20_000)])
        / n_samples
        for b in (1, 0)
    )
    errors = [np.abs(6 - means) for means in (members, strangers)]
    thresholds = np.quantile(np.concatenate(errors), np.linspace(0.01, 0.99, 99))
    advantage = max((errors[0] < t).mean() - (errors[1] < t).mean() for t in thresholds)
    assert row["advantage_low"] <= advantage <= row["advantage_high"]


@pytest.mark.slow
def test_a_learner_that_keeps_its_rows_gives_every_record_away():
    X, y = RNG.normal(size=(1000, 3)), RNG.normal(size=1000)
    game = record_membership_inference(
        KNeighborsRegressor(1), X, y, record=3, n_samples=50, adversary=asking(1)
    )
    assert risk_of(game, n_targets=100)["risk"] < 0.1


def test_a_family_of_one_record():
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
    family = RecordMembershipFamily(X, y, record=3)
    assert "n_others=19" in repr(family)
    for b in (0, 1):
        rows, labels = family.sample(b, 10, random_state=0)
        assert len(np.unique(labels)) == 10
        np.testing.assert_array_equal(rows[:, 0], 2 * labels)
        assert (3.0 in labels) == bool(b)
    first, second = family.split(0.5, random_state=0)
    with_record = [set(part.sample(1, 9, random_state=1)[1].tolist()) for part in (first, second)]
    assert with_record[0] & with_record[1] == {3.0}
    with pytest.raises(InvalidInputError, match=r"`record` must be .* got 20"):
        RecordMembershipFamily(X, y, record=20)
    with pytest.raises(InvalidInputError, match="without the record"):
        family.sample(0, 20)
