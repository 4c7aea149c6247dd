import numpy as np
import pytest

from wsl._random import resolve_random_state
from wsl.distributions import DistributionFamily, Interval, SubsampledFamily
from wsl.exceptions import InvalidInputError
from wsl.risk.shadows._adversary_queries import draw_queries, resolve_queries
from wsl.risk.shadows._drawn_sets import draw_sets


def shares(property_value, n_samples, random_state):
    """Three classes, of which the last is as frequent as the property says."""
    rng = resolve_random_state(random_state)
    y = rng.choice(["a", "b", "c"], n_samples, p=[0.5 - property_value / 2] * 2 + [property_value])
    X = rng.normal(size=(n_samples, 2)) + np.c_[y == "a", y == "c"]
    return X.astype(np.float32), y


SHARES = DistributionFamily.from_function(shares, (0.2, 0.6))


def test_queries_come_with_their_labels_and_properties():
    drawn = resolve_queries("family", SHARES, 40, seed=0)
    assert drawn.rows.shape == (40, 2)
    assert set(drawn.properties.tolist()) == {0.2, 0.6}
    assert np.mean(drawn.rows[drawn.labels == "c", 1]) > 0.5 > np.mean(drawn.rows[:, 0])
    random = resolve_queries("random", SHARES, 5000, seed=0)
    drawn = resolve_queries("family", SHARES, 5000, seed=0)
    assert random.labels is random.properties is None
    np.testing.assert_allclose(random.rows.mean(0), drawn.rows.mean(0), atol=0.06)
    np.testing.assert_allclose(random.rows.std(0), drawn.rows.std(0), rtol=0.05)
    assert abs(np.corrcoef(random.rows.T)[0, 1]) < 0.05
    given = resolve_queries([[1, 2], [3, 4]], SHARES, 40, seed=0)
    assert given.rows.tolist() == [[1, 2], [3, 4]]


def test_more_queries_than_a_table_has_rows_name_their_parameter():
    X = np.arange(40.0).reshape(20, 2)
    family = SubsampledFamily(X, np.arange(20) % 3, np.arange(20) % 2, properties=(0.5, 0.6))
    assert len(resolve_queries("family", family, 16, seed=0).rows) == 16
    with pytest.raises(
        InvalidInputError, match=r"`adversary\.n_queries` rows .* got 400, which fails: .*has 10"
    ):
        resolve_queries("family", family, 400, seed=0)


def same_numbers(property_value, n_samples, random_state):
    return np.full((n_samples, 1), property_value, dtype=np.float32), np.zeros(n_samples)


@pytest.mark.parametrize(
    ("properties", "counts"), [((0, 1), {4, 3}), ((0, 1, 2), {3, 2}), (Interval(0, 1), {1})]
)
def test_queries_are_shared_among_the_values(properties, counts):
    queries = draw_queries(
        DistributionFamily.from_function(same_numbers, properties), 7, seed=0
    ).rows
    assert queries.shape == (7, 1)
    assert set(np.unique(queries, return_counts=True)[1].tolist()) <= counts


@pytest.mark.parametrize(
    ("keep", "rows"),
    [
        (slice(0, 30), r"\[30, 30\]"),
        (slice(0, 0), r"\[0, 0\]"),
        (np.arange(40).repeat(2), r"\[80, 80\]"),
    ],
    ids=["fewer", "none", "more"],
)
def test_a_family_returns_as_many_rows_as_it_is_asked_for(keep, rows):
    def sample(property_value, n_samples, random_state):
        X, y = shares(property_value, 40, random_state)
        return X[keep], y[keep]

    family = DistributionFamily.from_function(sample, (0.2, 0.6))
    with pytest.raises(InvalidInputError, match=rf"`sample` of .* asked for, 40; got .*{rows}"):
        draw_sets(family, 4, 40, 0)(0)
    with pytest.raises(InvalidInputError, match=r"`sample` of .* asked for, 15; got"):
        draw_queries(family, 30, seed=0)
