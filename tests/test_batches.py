"""Batches of bounded bytes: they cover all rows once, and what is joined is what was asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsl import _batches

COUNTS = st.integers(1, 200)


@given(n_rows=COUNTS, row_bytes=COUNTS, budget=COUNTS)
def test_slices_cover_the_rows_within_the_budget(n_rows, row_bytes, budget):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_batches, "BATCH_BYTES", budget)
        slices = list(_batches.row_slices(n_rows, row_bytes))
    covered = [i for part in slices for i in range(part.start, part.stop)]
    assert covered == list(range(n_rows))
    for part in slices:
        size = part.stop - part.start
        assert size == 1 or size * row_bytes <= budget


@given(n_rows=COUNTS, budget=COUNTS)
def test_what_is_computed_in_batches_is_joined_in_order(n_rows, budget):
    rows = np.arange(3.0 * n_rows).reshape(n_rows, 3)
    sizes = []

    def cumulated(batch):
        sizes.append(batch.nbytes)
        return batch.cumsum(axis=1).astype(np.float32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_batches, "BATCH_BYTES", 24 * budget)
        joined = _batches.map_rows(cumulated, rows)
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, rows.cumsum(axis=1))
    assert max(sizes) <= 24 * budget


def test_labels_of_any_type_are_joined(monkeypatch):
    monkeypatch.setattr(_batches, "BATCH_BYTES", 1)
    names = np.asarray(["none", "some", "all"])
    rows = np.asarray([[2], [0], [1], [1]])
    assert _batches.map_rows(lambda batch: names[batch[:, 0]], rows).tolist() == [
        "all", "none", "some", "some",
    ]  # fmt: skip


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_are_those_of_numpy(offset):
    rows = offset + np.random.default_rng(0).normal(size=(50, 4))
    mean, variance = _batches.column_moments(lambda: np.array_split(rows, 7))
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(variance, rows.var(axis=0), rtol=1e-9)
