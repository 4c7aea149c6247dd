import math

import numpy as np
import pytest
from scipy.stats import binom

from wsl.exceptions import InvalidInputError
from wsl.risk import n_leaked
from wsl.risk.evaluation._n_leaked import advantage

PROPORTIONS = [(0.2, 0.5), (0.5, 0.2), (0.4, 0.6), (0.1, 0.9), (0.0, 0.3), (0.6, 1.0)]


def best_accuracy(n_rows, proportion_0, proportion_1):
    """What the best test on ``n_rows`` rows of either distribution reaches, exactly."""
    counts = np.arange(n_rows + 1)
    either = [binom.pmf(counts, n_rows, p) for p in (proportion_0, proportion_1)]
    return float(np.maximum(*either).sum() / 2)


@pytest.mark.parametrize("proportions", PROPORTIONS)
@pytest.mark.parametrize("n_rows", [1, 3, 10, 30])
def test_no_fewer_rows_reveal_as_much(proportions, n_rows):
    accuracy = best_accuracy(n_rows, *proportions)
    assert 0 < n_leaked(min(accuracy, 1 - 1e-12), *proportions) <= n_rows + 1e-9


def test_it_grows_with_the_accuracy_and_falls_with_the_gap():
    estimates = [n_leaked(a, 0.2, 0.5) for a in (0.5, 0.6, 0.8, 0.99)]
    assert estimates == sorted(estimates)
    assert n_leaked(0.9, 0.45, 0.5) > n_leaked(0.9, 0.2, 0.5)


def test_the_ends():
    assert n_leaked(0.5, 0.2, 0.5) == 0
    assert n_leaked(0.3, 0.2, 0.5) == 0
    assert n_leaked(1.0, 0.2, 0.5) == math.inf
    assert n_leaked(1.0, 0.0, 1.0) == 1


def test_the_published_formula_is_met():
    solved = n_leaked(0.8, 0.3, 0.5)
    assert 0.5 + 0.5 * math.sqrt(1 - (0.5 / 0.7) ** solved) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((1.2, 0.2, 0.5), "accuracy"),
        ((0.9, -0.2, 0.5), "proportion_0"),
        ((0.9, 0.2, 0.2), "got 0.2 for both"),
    ],
)
def test_errors_name_the_parameter(arguments, named):
    with pytest.raises(InvalidInputError, match=named):
        n_leaked(*arguments)


@pytest.mark.parametrize(
    ("value", "chance", "perfect", "expected"),
    [
        (0.5, 0.5, 1, 0),
        (1, 0.5, 1, 1),
        (0.75, 0.5, 1, 0.5),
        (0.1, 0.25, 0, 0.6),
        (0.25, 0.25, 0, 0),
    ],
)
def test_advantage_is_zero_at_chance_and_one_when_perfect(value, chance, perfect, expected):
    assert advantage(value, chance, perfect) == pytest.approx(expected)
