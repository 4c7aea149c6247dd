import joblib
import numpy as np
import pytest

from wsl.distributions import EnvironmentMembershipFamily
from wsl.exceptions import InvalidInputError


def numbered_table(n_rows, n_groups):
    """A table whose first column is the row's number, so that draws can be traced."""
    X = np.column_stack([np.arange(n_rows), np.zeros(n_rows)])
    return X, np.arange(n_rows) % 2, np.arange(n_rows) % n_groups


@pytest.mark.parametrize("environment", [0, 3])
def test_the_linear_set_up_has_the_stated_moments(environment):
    family = EnvironmentMembershipFamily.linear_causal()
    X, y = family.environments[environment](50_000, np.random.default_rng(0))
    noise = 0.5 + environment
    covariance = np.array([[1, 1, 1], [1, 2, 2], [1, 2, 2 + noise**2]])  # of x1, y, x2
    drawn = np.cov(np.column_stack([X[:, 0], y, X[:, 1]]).T)
    np.testing.assert_allclose(drawn, covariance, atol=5 * np.sqrt(2 / len(y)) * (2 + noise**2))
    residual = X[:, 1] - y
    assert abs(residual.std() / noise - 1) < 0.02
    assert abs(np.corrcoef(residual, X[:, 0])[0, 1]) < 0.02


def test_the_test_set_negates_the_effect():
    train, test = (EnvironmentMembershipFamily.linear_causal(effect=e) for e in (1, -1))
    X, y, _ = train.sample(1, 40_000, random_state=0)
    X_test, y_test, _ = test.sample(1, 40_000, random_state=1)
    covariance, negated = np.cov(X[:, 1], y)[0, 1], np.cov(X_test[:, 1], y_test)[0, 1]
    assert abs(covariance - 2) < 0.15
    assert abs(negated + 2) < 0.15
    assert abs(np.var(X[:, 1]) - np.var(X_test[:, 1])) < 0.3


@pytest.mark.parametrize("n_samples", [12, 1024, 1023])
@pytest.mark.parametrize("member", [-1, 0, 2])
def test_equal_size_keeps_the_size_and_shares_it(n_samples, member):
    family = EnvironmentMembershipFamily.linear_causal(member=member)
    for p, n_included in ((0, 3), (1, 4)):
        X, y, environments = family.sample(p, n_samples, random_state=0)
        assert len(X) == len(y) == len(environments) == n_samples
        _, counts = np.unique(environments, return_counts=True)
        assert len(counts) == n_included
        assert counts.max() - counts.min() <= 1
        assert (member % 4 in environments) == bool(p)


@pytest.mark.parametrize("member", [-1, 0])
def test_as_published_the_set_without_the_member_is_smaller(member):
    family = EnvironmentMembershipFamily.linear_causal(member=member, equal_size=False)
    assert len(family.sample(1, 1024, 0)[0]) == 1024
    X, _, environments = family.sample(0, 1024, 0)
    assert len(X) == 768
    assert np.unique(environments, return_counts=True)[1].tolist() == [256] * 3


def test_rows_come_in_random_order():
    environments = EnvironmentMembershipFamily.linear_causal().sample(1, 400, 0)[2]
    assert len(set(environments[:50].tolist())) == 4


def test_pools_give_their_own_rows_once():
    X, y, groups = numbered_table(300, 3)
    family = EnvironmentMembershipFamily.from_table(X, y, groups, member=1)
    drawn, labels, environments = family.sample(1, 90, random_state=0)
    rows = drawn[:, 0].astype(int)
    assert len(set(rows.tolist())) == 90
    np.testing.assert_array_equal(groups[rows], environments)
    np.testing.assert_array_equal(y[rows], labels)
    assert set(family.sample(0, 90, random_state=0)[2].tolist()) == {0, 2}


def test_a_split_shares_no_row():
    X, y, groups = numbered_table(300, 3)
    target, adversary = EnvironmentMembershipFamily.from_table(X, y, groups).split(0.5, 0)
    seen = [set(f.sample(1, 150, s)[0][:, 0].tolist()) for f, s in ((target, 1), (adversary, 2))]
    assert not seen[0] & seen[1]
    assert len(seen[0]) == len(seen[1]) == 150


def test_too_few_rows_are_named():
    family = EnvironmentMembershipFamily.from_table(*numbered_table(30, 3))
    with pytest.raises(InvalidInputError, match="11 are needed of environment 0"):
        family.sample(1, 31)


def short_sampler(n_samples, rng):
    return np.zeros((n_samples - 1, 2)), np.zeros(n_samples)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (
            lambda: EnvironmentMembershipFamily([short_sampler]),
            "`environments` must have at least two.*got 1",
        ),
        (
            lambda: EnvironmentMembershipFamily([short_sampler, 3]),
            r"`environments\[1\]` must be .*got a int",
        ),
        (
            lambda: EnvironmentMembershipFamily([short_sampler] * 2, member=2),
            "`member` must be the index.*got 2",
        ),
        (
            lambda: EnvironmentMembershipFamily([short_sampler] * 2).sample(1, 8),
            r"environments\[0\]",
        ),
        (
            lambda: EnvironmentMembershipFamily.from_table([[1.0]], [1], [1, 2]),
            "`environments` must have one",
        ),
        (lambda: EnvironmentMembershipFamily.from_table([[np.nan]], [1], [1]), "NaN"),
        (
            lambda: EnvironmentMembershipFamily.from_table(*numbered_table(9, 3), member=7),
            "`member` must be one of .*got 7",
        ),
        (
            lambda: EnvironmentMembershipFamily(
                [(np.ones((5, 2)), np.ones(5)), (np.ones((5, 3)), np.ones(5))]
            ),
            "columns",
        ),
        (lambda: EnvironmentMembershipFamily.linear_causal().split(1.0), "fraction"),
        (lambda: EnvironmentMembershipFamily.linear_causal().sample(2, 10), "property_value"),
    ],
)
def test_errors_name_the_parameter(build, named):
    with pytest.raises(InvalidInputError, match=named):
        build()


def test_it_pickles_and_repeats(tmp_path):
    family = EnvironmentMembershipFamily.linear_causal()
    joblib.dump(family, tmp_path / "family")
    loaded = joblib.load(tmp_path / "family")
    for a, b in zip(family.sample(0, 50, 5), loaded.sample(0, 50, 5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert "equal_size=True" in repr(loaded)
