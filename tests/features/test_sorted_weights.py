import numpy as np
import pytest

from wsl import Architecture, SortedWeights, _batches
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.mlp(3, [5, 4], 2)
every_order = pytest.mark.parametrize("order", ["aligned", "norm"])


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(8, ARCHITECTURE.n_weights)).astype(np.float32)


@every_order
def test_the_order_of_units_is_forgotten_and_the_function_is_kept(order, rows):
    sort = SortedWeights(ARCHITECTURE, order=order).fit(rows)
    mixed = ARCHITECTURE.permute(rows, random_state=1)
    assert not np.array_equal(mixed, rows)
    np.testing.assert_array_equal(sort.transform(mixed), sort.transform(rows))
    queries = np.random.default_rng(2).normal(size=(6, 3))
    answers = ARCHITECTURE.forward(sort.transform(rows), queries)
    np.testing.assert_allclose(answers, ARCHITECTURE.forward(rows, queries), atol=1e-4)


def test_norm_sorts_each_hidden_layer_by_what_comes_in(rows):
    by_norm = SortedWeights(ARCHITECTURE, order="norm").fit_transform(rows)
    for row in by_norm:
        state = ARCHITECTURE.state_dict(row)
        for layer in ("0", "2"):
            incoming = np.c_[state[f"{layer}.weight"].numpy(), state[f"{layer}.bias"].numpy()]
            assert (np.diff(np.linalg.norm(incoming, axis=1)) <= 1e-6).all()


def test_aligned_models_come_close_to_the_first(rows):
    near = rows[:1] + 0.05 * np.random.default_rng(3).normal(size=rows.shape).astype(np.float32)
    mixed = ARCHITECTURE.permute(near, random_state=4)
    sort = SortedWeights(ARCHITECTURE).fit(rows)
    distances = np.abs(sort.transform(mixed) - sort.reference_).max(axis=1)
    assert (distances < 0.3).all()
    np.testing.assert_array_equal(sort.reference_, ARCHITECTURE.canonicalize(rows[:1])[0])


@every_order
def test_batches_change_nothing(order, rows, monkeypatch):
    sort = SortedWeights(ARCHITECTURE, order=order).fit(rows)
    whole = sort.transform(rows)
    monkeypatch.setattr(_batches, "BATCH_BYTES", 4 * 8 * 3 * rows.shape[1])
    np.testing.assert_array_equal(sort.transform(rows), whole)


def test_names_line_up_with_values(rows):
    table = SortedWeights(ARCHITECTURE).set_output(transform="pandas").fit(rows).transform(rows)
    states = [ARCHITECTURE.state_dict(row) for row in table.to_numpy()]
    for name, place in (("2.weight", (3, 1)), ("4.bias", (1,))):
        column = table["_".join([name, *map(str, place)])]
        np.testing.assert_array_equal(column, [state[name][place] for state in states])


def test_wrong_number_of_weights_is_named(rows):
    message = f"`X` must have {ARCHITECTURE.n_weights} columns, .*; got 7"
    with pytest.raises(InvalidInputError, match=message):
        SortedWeights(ARCHITECTURE).fit(rows[:, :7])
