import numpy as np
import pytest

from wsl import Architecture, WeightStatistics
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.cnn((1, 6, 6), [3], [5], 4)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, ARCHITECTURE.n_weights)).astype(np.float32)


def test_each_parameter_of_each_model_by_numpy(rows):
    quantiles = (0.1, 0.5, 1.0)
    statistics = WeightStatistics(ARCHITECTURE, quantiles=quantiles).fit(rows)
    expected = []
    for row in rows:
        of_model = []
        for values in ARCHITECTURE.state_dict(row).values():
            values = values.numpy().ravel()
            of_model += [values.mean(), values.var(), *np.quantile(values, quantiles)]
        expected.append(of_model)
    np.testing.assert_allclose(statistics.transform(rows), expected, rtol=1e-4, atol=1e-6)


def test_names_line_up_with_values(rows):
    statistics = WeightStatistics(ARCHITECTURE).set_output(transform="pandas").fit(rows)
    table = statistics.transform(rows)
    bias = ARCHITECTURE.slices["1.bias"]
    np.testing.assert_allclose(table["1.bias_quantile1"], rows[:, bias].max(axis=1))
    np.testing.assert_allclose(table["1.bias_quantile0.5"], np.median(rows[:, bias], axis=1))


def test_without_an_architecture_the_row_is_one_part(rows):
    statistics = WeightStatistics(quantiles=(0.0,)).fit(rows)
    expected = np.c_[rows.mean(1), rows.var(1), rows.min(1)]
    np.testing.assert_allclose(statistics.transform(rows), expected, rtol=1e-4, atol=1e-6)
    assert statistics.get_feature_names_out().tolist() == [
        "row_mean", "row_variance", "row_quantile0",
    ]  # fmt: skip


def test_hidden_units_may_change_places(rows):
    statistics = WeightStatistics(ARCHITECTURE).fit(rows)
    moved = ARCHITECTURE.permute(rows, random_state=0)
    np.testing.assert_allclose(
        statistics.transform(moved), statistics.transform(rows), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("quantiles", [(0.5, 1.5), (-0.1,), [[0.5]], (np.nan,)])
def test_wrong_quantiles_are_named(rows, quantiles):
    with pytest.raises(InvalidInputError, match=r"`quantiles` must be.*; got"):
        WeightStatistics(quantiles=quantiles).fit(rows)


def test_wrong_number_of_weights_is_named(rows):
    message = f"`X` must have {ARCHITECTURE.n_weights} columns, .*; got 10"
    with pytest.raises(InvalidInputError, match=message):
        WeightStatistics(ARCHITECTURE).fit(rows[:, :10])
