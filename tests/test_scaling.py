"""Columns of one scale."""

import numpy as np

from wsl._scaling import standardized

COLUMNS = np.column_stack([[1.0, 2.0, 6.0], [0.1] * 3, [5.0, -5.0, 0.0]])


def test_columns_have_mean_0_and_variance_1_unless_they_are_constant():
    scaled = standardized(COLUMNS)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-15)
    np.testing.assert_allclose(scaled.var(0)[[0, 2]], 1)
    np.testing.assert_array_equal(scaled[:, 1], 0)


def test_what_varies_within_the_tolerance_is_constant():
    columns = np.column_stack([[0.0, 0.0, 1e-12], [1e6, 1e6, 1e6 + 1e-5]])
    np.testing.assert_array_equal(standardized(columns, 1e-9), 0)
    assert (standardized(columns).std(0) > 0.99).all()
