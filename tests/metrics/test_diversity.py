"""Distances between rows of weights, against slow loops."""

import numpy as np
import pytest

from wsl import metrics
from wsl.exceptions import InvalidInputError

RNG = np.random.default_rng(0)
ROWS, ZOO = RNG.normal(size=(5, 7)), RNG.normal(size=(9, 7))


def test_the_nearest_distance_is_the_least_of_all():
    expected = [min(np.linalg.norm(row - other) for other in ZOO) for row in ROWS]
    np.testing.assert_allclose(metrics.nearest_distance(ROWS, ZOO), expected)
    np.testing.assert_allclose(metrics.nearest_distance(ZOO[:3], ZOO), 0.0, atol=1e-6)


def test_the_compression_factor_is_weights_over_latents():
    assert metrics.compression_factor(ROWS, ROWS[:, :4]) == 7 / 4


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(InvalidInputError, match="`zoo` must have 7 columns, as `rows` has; got 6"):
        metrics.nearest_distance(ROWS, ZOO[:, :6])
    with pytest.raises(
        InvalidInputError, match="`latents` must have 5 entries, as rows has; got 9"
    ):
        metrics.compression_factor(ROWS, ZOO)
