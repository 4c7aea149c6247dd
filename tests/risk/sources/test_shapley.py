from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsl.risk.sources._shapley import limit_weights, shapley_values, subsets

NAMES = ("a", "b", "c")


def by_orders(names, figures):
    """Return the values as they are defined: the mean of what is added over all orders."""
    values = dict.fromkeys(names, 0.0)
    orders = list(permutations(names))
    for order in orders:
        on = frozenset()
        for name in order:
            values[name] += (figures[on | {name}] - figures[on]) / len(orders)
            on = on | {name}
    return values


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_values_are_the_mean_over_orders_and_add_up(numbers):
    figures = dict(zip(subsets(NAMES), numbers, strict=True))
    values = shapley_values(NAMES, figures)
    for name, value in by_orders(NAMES, figures).items():
        assert values[name] == pytest.approx(value, abs=1e-12)
    total = figures[frozenset(NAMES)] - figures[frozenset()]
    assert sum(values.values()) == pytest.approx(total, abs=1e-12)


def test_switches_that_do_the_same_have_the_same_value_and_idle_ones_none():
    figures = {on: float(bool(on & {"a", "b"})) for on in subsets(NAMES)}
    assert shapley_values(NAMES, figures) == pytest.approx({"a": 0.5, "b": 0.5, "c": 0})


def test_arrays_are_taken_element_by_element():
    rng = np.random.default_rng(0)
    figures = {on: rng.normal(size=(3, 4)) for on in subsets(NAMES)}
    values = shapley_values(NAMES, figures)
    at = shapley_values(NAMES, {on: own[1, 2] for on, own in figures.items()})
    assert {name: own[1, 2] for name, own in values.items()} == pytest.approx(at)


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_a_curve_of_the_rate_is_followed_to_its_limit(rate):
    growth = (1, 2, 4, 8)
    curve = 0.3 + 0.4 * np.array(growth) ** -rate
    assert limit_weights(growth, rate) @ curve == pytest.approx(0.3)
    assert limit_weights(growth, rate).sum() == pytest.approx(1)
