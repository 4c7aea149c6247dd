import joblib
import numpy as np
import pytest
from scipy import stats

from wsl.distributions import GaussianFamily, Interval
from wsl.exceptions import InvalidInputError

N = 40_000


def moments(statistic, p):
    """Mean and variance of the attribute."""
    return {"mean": (p, 1), "deviation": (0, p**2), "fraction": (p, p * (1 - p))}[statistic]


@pytest.mark.parametrize("statistic", ["mean", "deviation", "fraction"])
@pytest.mark.parametrize(("a", "b"), [(1.5, -0.7), (0, 1), (1, 0)])
def test_data_have_the_stated_moments(statistic, a, b):
    p = 0.3
    family = GaussianFamily(
        statistic, properties=(0, p), on_inputs=a, on_outcome=b, n_features=3, noise=0.5
    )
    X, y = family.sample(p, N, random_state=0)
    mean, variance = moments(statistic, p)
    drawn = np.column_stack([X, y])
    expected = np.array([
        [1 + a**2 * variance, 0, 0, a * b * variance],
        [0, 1, 0, 1],
        [0, 0, 1, 1],
        [a * b * variance, 1, 1, 2 + b**2 * variance + 0.25],
    ])  # fmt: skip
    error = np.sqrt(np.diag(expected) / N)
    assert (np.abs(drawn.mean(0) - [a * mean, 0, 0, b * mean]) < 4.5 * error).all()
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(np.cov(drawn.T) / scale, expected / scale, atol=5 * np.sqrt(2 / N))


def test_several_numbers_are_several_attributes():
    family = GaussianFamily(properties=[Interval(-2, 2)] * 2, n_features=5)
    X, y = family.sample((-1.5, 0.5), N, random_state=0)
    error = 4.5 * np.sqrt(2 / N)
    np.testing.assert_allclose(X.mean(0), [-1.5, 0.5, 0, 0, 0], atol=error)
    assert abs(y.mean() + 1) < 4.5 * np.sqrt(6 / N)
    np.testing.assert_allclose(np.cov(X[:, 0], y)[0, 1], 1, atol=0.1)


def test_a_binary_outcome_is_the_sign():
    family, numeric = (GaussianFamily(binary=binary) for binary in (True, False))
    X, y = family.sample(1, 100, random_state=0)
    X_numeric, y_numeric = numeric.sample(1, 100, random_state=0)
    np.testing.assert_array_equal(X, X_numeric)
    np.testing.assert_array_equal(y, y_numeric > 0)
    assert y.dtype == np.int64


def likelihood_accuracy(draw, log_density, properties, n_repeats):
    """Tell two values apart by the likelihood of what is seen, many times; both equally likely."""
    right = 0
    for p, other in (properties, properties[::-1]):
        for seed in range(n_repeats):
            seen = draw(p, seed)
            gain = log_density(seen, p) - log_density(seen, other)
            right += (gain > 0) + 0.5 * (gain == 0)
    return right / (2 * n_repeats)


N_REPEATS = 600
BAND = 3.5 * np.sqrt(0.25 / (2 * N_REPEATS))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statistic", "properties"), [("mean", (0, 0.3)), ("deviation", (0.5, 1.5))]
)
@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (0.0, 1.0), (0.8, 0.6)])
def test_rows_tell_what_their_likelihood_tells(statistic, properties, a, b):
    family = GaussianFamily(statistic, properties=properties, on_inputs=a, on_outcome=b, noise=0.8)

    ties, densities = np.array([a, b]), {}
    for value in properties:
        mean, variance = moments(statistic, value)
        covariance = np.diag([1, 0.64]) + variance * np.outer(ties, ties)
        densities[value] = stats.multivariate_normal(mean * ties, covariance)

    def log_density(seen, p):
        return densities[p].logpdf(seen).sum()

    def draw(p, seed):
        X, y = family.sample(p, 30, random_state=seed)
        return np.column_stack([X[:, 0], y - X[:, 1:].sum(1)])  # the rest does not depend on p

    simulated = likelihood_accuracy(draw, log_density, properties, N_REPEATS)
    assert 0.55 < simulated < 0.99
    assert abs(family.bayes_accuracy(30) - simulated) < BAND


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (1.0, 1.0), (2.0, 0.0)])
def test_coefficients_tell_what_their_likelihood_tells(a, b):
    """Of slopes and intercept: the slopes' density does not depend on p, so the intercept's does.

    It is computed here from the conditional moments at each draw, and the closed form averages.
    """
    family = GaussianFamily(properties=(0, 0.5), on_inputs=a, on_outcome=b, n_features=2)
    slope = a * b / (1 + a**2)
    tau2 = b**2 / (1 + a**2) + 1
    sigma = np.diag([1 + a**2, 1])

    def draw(p, seed):
        X, y = family.sample(p, 25, random_state=seed)
        return np.linalg.lstsq(np.column_stack([X, np.ones(25)]), y, rcond=None)[0]

    def log_density(seen, p):
        delta = np.array([slope, 1]) - seen[:2]
        mean = b * p / (1 + a**2) + a * p * delta[0]
        variance = (tau2 + delta @ sigma @ delta) / 25
        return -((seen[2] - mean) ** 2) / variance  # whose spread does not depend on p

    simulated = likelihood_accuracy(draw, log_density, (0, 0.5), N_REPEATS)
    assert abs(family.bayes_accuracy(25, "coefficients") - simulated) < BAND


def test_shares_are_told_apart_by_the_count():
    family = GaussianFamily("fraction", properties=(0.3, 0.5))
    most = stats.binom.pmf(np.arange(21)[:, None], 20, [0.3, 0.5]).max(1).sum() / 2
    assert family.bayes_accuracy(20, "attribute") == pytest.approx(most)
    assert family.property_is_fraction


@pytest.mark.parametrize("n_samples", [20, 200, 2000])
@pytest.mark.parametrize(("a", "b"), [(1, 1), (0, 1), (0.3, 2)])
def test_who_sees_less_tells_less(a, b, n_samples):
    family = GaussianFamily(properties=(0, 0.05), on_inputs=a, on_outcome=b)
    by_sight = [
        family.bayes_accuracy(n_samples, observed)
        for observed in ("attribute", "rows", "coefficients")
    ]
    assert sorted(by_sight, reverse=True) == by_sight
    assert by_sight[-1] >= 0.5


def test_without_noise_rows_are_the_attribute():
    family = GaussianFamily("deviation", properties=(0, 1), noise=0)
    assert family.bayes_accuracy(10) == 1
    means = GaussianFamily(properties=(0, 0.1), on_inputs=0, noise=0)
    assert means.bayes_accuracy(50) == means.bayes_accuracy(50, "attribute")
    assert means.bayes_accuracy(50, "coefficients") <= means.bayes_accuracy(50)
    unseen = GaussianFamily(properties=(0, 9), on_inputs=0, on_outcome=0)
    assert unseen.bayes_accuracy(50) == unseen.bayes_accuracy(50, "coefficients") == 0.5


def test_it_pickles_and_is_shown(tmp_path):
    family = GaussianFamily("fraction", properties=Interval(0.1, 0.9), on_outcome=0)
    joblib.dump(family, tmp_path / "family")
    loaded = joblib.load(tmp_path / "family")
    for one, two in zip(family.sample(0.5, 9, 1), loaded.sample(0.5, 9, 1), strict=True):
        np.testing.assert_array_equal(one, two)
    assert "statistic='fraction', on_inputs=1.0, on_outcome=0" in repr(loaded)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: GaussianFamily("median"), "`statistic` must be .*got 'median'"),
        (lambda: GaussianFamily("fraction", properties=(0, 1.1)), "properties"),
        (lambda: GaussianFamily("deviation", properties=(-1, 1)), "properties"),
        (lambda: GaussianFamily(properties=("a", "b")), "properties"),
        (lambda: GaussianFamily(noise=-1), "`noise` .*got -1"),
        (lambda: GaussianFamily(on_inputs=np.nan), "`on_inputs` must be .*got nan"),
        (lambda: GaussianFamily(n_features=1), "`n_features` must .*got 1"),
        (lambda: GaussianFamily().sample(2, 10), "`property_value` must be .*got 2"),
        (lambda: GaussianFamily(properties=Interval(0, 1)).bayes_accuracy(9), "two numbers"),
        (lambda: GaussianFamily(properties=(0, 1, 2)).bayes_accuracy(9), "two numbers"),
        (lambda: GaussianFamily("fraction").bayes_accuracy(9), "`observed` must be .*got 'rows'"),
        (lambda: GaussianFamily(binary=True).bayes_accuracy(9), "binary outcome"),
        (lambda: GaussianFamily().bayes_accuracy(4), "`n_samples` must .*got 4"),
    ],
)
def test_errors_name_the_parameter(build, named):
    with pytest.raises(InvalidInputError, match=named):
        build()
