import numpy as np
import pytest

from wsl.distributions import DistributionFamily, Interval
from wsl.exceptions import InvalidInputError


class Constant(DistributionFamily):
    properties = ("low", "high")

    def sample(self, property_value, n_samples, random_state=None):
        return np.zeros((n_samples, 1)), np.zeros(n_samples)


def draw_ones(property_value, n_samples, random_state=None):
    return np.full((n_samples, 2), property_value, dtype=np.float32), np.ones(n_samples)


def test_two_classes_and_an_interval_are_told_apart():
    classes = DistributionFamily.from_function(draw_ones, (0, 1))
    interval = DistributionFamily.from_function(draw_ones, Interval(0, 1))
    assert not classes.is_numeric
    assert interval.is_numeric
    assert set(classes.draw_properties(50, 0).tolist()) == {0, 1}
    assert len(np.unique(interval.draw_properties(50, 0))) == 50


@pytest.mark.parametrize("n_values", [2, 7, 100])
def test_drawn_classes_are_balanced_and_shuffled(n_values):
    values = Constant().draw_properties(n_values, 3)
    counts = [(values == c).sum() for c in Constant.properties]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == n_values
    if n_values == 100:
        assert (values[:50] == "low").sum() not in (0, 50)


def test_drawn_numbers_fill_their_intervals():
    one = DistributionFamily.from_function(draw_ones, Interval(-1, 3)).draw_properties(4000, 0)
    assert one.min() >= -1
    assert one.max() <= 3
    assert abs(one.mean() - 1) < 4 * np.sqrt(16 / 12 / 4000)
    several = DistributionFamily.from_function(draw_ones, [Interval(0, 1), Interval(10, 20)])
    drawn = several.draw_properties(100, 0)
    assert drawn.shape == (100, 2)
    assert (drawn[:, 1] >= 10).all()


def test_classes_of_several_types_stay_what_they_are():
    family = DistributionFamily.from_function(draw_ones, (0, "one"))
    assert set(family.draw_properties(4, 0).tolist()) == {0, "one"}


def test_an_own_family_needs_only_sample_and_properties():
    X, _ = Constant().sample("low", 5)
    assert X.shape == (5, 1)
    assert repr(Constant()) == "Constant(properties=('low', 'high'))"
    with pytest.raises(TypeError, match="abstract"):
        DistributionFamily()


@pytest.mark.parametrize(
    "properties",
    [None, (), (1,), "ab", (1, 1), 3, [Interval(0, 1), 2], [[]]],
    ids=repr,
)
def test_useless_properties_are_refused(properties):
    with pytest.raises(InvalidInputError, match="propert"):
        DistributionFamily.from_function(draw_ones, properties)


@pytest.mark.parametrize("bounds", [(1, 0), (0, 0), (0, np.inf), (0, np.nan), ("a", "b")])
def test_an_interval_has_finite_ordered_bounds(bounds):
    with pytest.raises(InvalidInputError, match="`low` and `high` must be finite"):
        Interval(*bounds)


@pytest.mark.parametrize(
    ("properties", "good", "bad"),
    [
        ((0, 1), np.int64(1), 2),
        (Interval(0, 1), 0.5, 1.5),
        (Interval(0, 1), np.float32(0.5), "a"),
        ([Interval(0, 1), Interval(0, 2)], (0.5, 2.0), (0.5, 2.1)),
        ([Interval(0, 1), Interval(0, 2)], [0.5, 2.0], 0.5),
        (((0.2, 0.8), (0.5, 0.5)), (0.2, 0.8), (0.8, 0.2)),
        (np.array([[0.2, 0.8], [0.5, 0.5]]), (0.2, 0.8), 0.2),
    ],
)
def test_a_value_outside_is_named(properties, good, bad):
    def any_rows(property_value, n_samples, random_state):
        return np.zeros((n_samples, 1)), np.zeros(n_samples)

    family = DistributionFamily.from_function(any_rows, properties)
    family.sample(good, 3)
    with pytest.raises(InvalidInputError, match="property_value"):
        family.sample(bad, 3)
    with pytest.raises(InvalidInputError, match=r"`n_samples` must be .*got 0"):
        family.sample(good, 0)
