import copy
import html
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from wsl import Architecture, ModelZoo, WeightStatistics, _batches, train_zoo
from wsl.exceptions import InvalidInputError

ARCHITECTURES = {
    "one output": Architecture.mlp(3, [4], 1),
    "three outputs": Architecture.mlp(3, [4], 3),
    "cnn": Architecture.cnn((1, 6, 6), [2], [], 3),
}
ARCHITECTURE = ARCHITECTURES["three outputs"]
N_MODELS = 8


def make_zoo(architecture=ARCHITECTURE, seed=0):
    """A zoo whose first weight and metadata both tell the number of the model."""
    weights = np.random.default_rng(seed).normal(size=(N_MODELS, architecture.n_weights))
    weights[:, 0] = np.arange(N_MODELS)
    names = [f"model {i}" for i in range(N_MODELS)]
    table = pd.DataFrame({"name": names, "number": np.arange(N_MODELS)}, index=names)
    return ModelZoo(weights, architecture, table)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (2, [2]),
        (-1, [7]),
        (np.int64(3), [3]),
        (slice(1, 6, 2), [1, 3, 5]),
        (slice(None, None, -1), [7, 6, 5, 4, 3, 2, 1, 0]),
        (slice(20, None), []),
        ([5, 0, 5], [5, 0, 5]),
        (np.array([-2, 1]), [6, 1]),
        (np.arange(N_MODELS) % 3 == 0, [0, 3, 6]),
        (pd.Series(np.arange(N_MODELS) > 5), [6, 7]),
        ([True, False] * 4, [0, 2, 4, 6]),
        (np.zeros(N_MODELS, bool), []),
    ],
    ids=str,
)
def test_what_an_index_picks(index, expected):
    picked = make_zoo()[index]
    assert isinstance(picked, ModelZoo)
    assert len(picked) == len(expected)
    assert picked.weights.shape == (len(expected), ARCHITECTURE.n_weights)
    assert picked.weights[:, 0].tolist() == expected
    assert picked.metadata["number"].tolist() == expected
    assert picked.metadata["name"].tolist() == [f"model {i}" for i in expected]
    assert picked.metadata.index.tolist() == list(range(len(expected)))
    assert picked.architecture is ARCHITECTURE


@pytest.mark.parametrize("index", [slice(2, 5), slice(None, None, -2), 3, -1, np.int64(0)])
def test_slices_and_single_models_are_views(index):
    zoo = make_zoo()
    picked = zoo[index]
    assert np.shares_memory(picked.weights, zoo.weights)
    assert not np.shares_memory(zoo[[1, 2]].weights, zoo.weights)
    picked.metadata["new"] = 0
    assert "new" not in zoo.metadata


@pytest.mark.parametrize("batch_size", [1, 3, N_MODELS, 100, None])
def test_batches_are_the_zoo_in_order(batch_size, monkeypatch):
    zoo = make_zoo()
    monkeypatch.setattr(_batches, "BATCH_BYTES", 5 * zoo.weights[0].nbytes + 1)
    pieces = list(zoo.batches(batch_size))
    assert [len(piece) for piece in pieces][:-1] == [batch_size or 5] * (len(pieces) - 1)
    assert 0 < len(pieces[-1]) <= (batch_size or 5)
    assert all(np.shares_memory(piece.weights, zoo.weights) for piece in pieces)
    np.testing.assert_array_equal(np.concatenate([p.weights for p in pieces]), zoo.weights)
    assert pd.concat([p.metadata for p in pieces], ignore_index=True).equals(zoo.metadata)


def test_a_zoo_is_taken_as_the_array_of_its_weights():
    zoo = make_zoo()
    assert np.shares_memory(np.asarray(zoo), zoo.weights)
    assert not np.shares_memory(np.array(zoo), zoo.weights)
    assert np.asarray(zoo, dtype=np.float64).dtype == np.float64
    assert (zoo.shape, zoo.dtype) == (zoo.weights.shape, np.float32)
    numbers = zoo.metadata["number"]
    for estimator in (PCA(2), WeightStatistics(ARCHITECTURE)):
        expected = estimator.fit_transform(zoo.weights)
        np.testing.assert_array_equal(clone(estimator).fit_transform(zoo), expected)
        scored = make_pipeline(estimator, Ridge())
        np.testing.assert_array_equal(
            cross_val_score(scored, zoo, numbers, cv=3),
            cross_val_score(scored, zoo.weights, numbers, cv=3),
        )
    train, test = train_test_split(zoo, test_size=2, random_state=0)
    assert (len(train), len(test), type(test)) == (N_MODELS - 2, 2, ModelZoo)
    X = np.ones((4, 3))
    np.testing.assert_array_equal(ARCHITECTURE.forward(zoo, X), zoo.forward(X))


def test_batches_of_nothing():
    assert list(make_zoo()[:0].batches()) == []
    assert make_zoo()[:0].accuracy(np.zeros((2, 3)), [0, 1]).shape == (0,)
    with pytest.raises(InvalidInputError, match="`batch_size` must be at least 1 or None; got 0"):
        make_zoo().batches(0)


def test_html_shows_size_architecture_and_escaped_metadata():
    table = pd.DataFrame({"<b>": [f"<i>{i}</i>" for i in range(N_MODELS)], "seed": range(N_MODELS)})
    zoo = make_zoo()
    page = ModelZoo(zoo.weights, zoo.architecture, table)._repr_html_()
    assert f"{N_MODELS} models of {ARCHITECTURE.n_weights} weights" in page
    assert html.escape(repr(ARCHITECTURE)) in page
    assert "&lt;b&gt;" in page
    assert "&lt;i&gt;4&lt;/i&gt;" in page
    assert "<i>" not in page
    assert "&lt;i&gt;5" not in page  # the first five rows only
    assert "first 5 rows" in page
    plain = ModelZoo(zoo.weights, zoo.architecture)._repr_html_()
    assert "Metadata" not in plain
    wide = pd.DataFrame({f"column_{i}": range(N_MODELS) for i in range(50)})
    assert "12 of 50 columns" in ModelZoo(zoo.weights, zoo.architecture, wide)._repr_html_()


@pytest.mark.parametrize("mmap", [False, True])
def test_scores_do_not_depend_on_batches(mmap, tmp_path, monkeypatch):
    zoo, other = make_zoo(), make_zoo(seed=1)
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(50, 3)), rng.integers(3, size=50)
    expected = zoo.accuracy(X, y), zoo.agreement(other, X), zoo.forward(X)
    zoo = ModelZoo.load(zoo.save(tmp_path), mmap=mmap)
    read, forward = [], Architecture.forward

    def recording(architecture, weights, *rest):
        read.append(len(weights))
        return forward(architecture, weights, *rest)

    monkeypatch.setattr(Architecture, "forward", recording)
    for n_bytes, n_rows in [(4 * 50 * ARCHITECTURE.forward_pass.activation_size, 1), (2**13, 8)]:
        monkeypatch.setattr(_batches, "BATCH_BYTES", n_bytes)
        read.clear()
        np.testing.assert_array_equal(zoo.accuracy(X, y), expected[0])
        np.testing.assert_array_equal(zoo.agreement(other, X), expected[1])
        assert max(read) == n_rows
    np.testing.assert_allclose(zoo.forward(X), expected[2], atol=1e-6)


def test_an_index_that_is_not_there():
    zoo = make_zoo()
    for index in (N_MODELS, -N_MODELS - 1, [0, 99], np.ones(3, bool)):
        with pytest.raises(IndexError):
            zoo[index]


def test_iteration_gives_each_model_as_a_zoo():
    numbers = [zoo.metadata["number"].item() for zoo in make_zoo()]
    assert numbers == list(range(N_MODELS))


def test_picks_of_picks():
    zoo = make_zoo()[::2][[3, 0]]
    assert zoo.weights[:, 0].tolist() == zoo.metadata["number"].tolist() == [6, 0]


def test_sorting_by_what_is_known_of_the_models():
    zoo = make_zoo()
    zoo.metadata["loss"] = np.random.default_rng(0).permutation(N_MODELS)
    best = zoo[zoo.metadata["loss"].argsort()]
    assert best.metadata["loss"].tolist() == list(range(N_MODELS))
    assert best.weights[:, 0].tolist() == best.metadata["number"].tolist()


def test_rows_are_float32_and_not_copied_if_they_are():
    weights = np.zeros((2, ARCHITECTURE.n_weights), np.float32)
    assert ModelZoo(weights, ARCHITECTURE).weights is weights
    assert ModelZoo(weights.tolist(), ARCHITECTURE).weights.dtype == np.float32
    zoo = ModelZoo(weights, ARCHITECTURE)
    assert zoo.metadata.shape == (2, 0)
    assert repr(zoo) == f"ModelZoo(2 models of {ARCHITECTURE!r})"


def test_the_table_given_is_not_changed():
    table = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    zoo = ModelZoo(np.zeros((2, ARCHITECTURE.n_weights)), ARCHITECTURE, table)
    zoo.metadata["b"] = 0
    assert table.columns.tolist() == ["a"]
    assert table.index.tolist() == ["x", "y"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_accuracy_and_agreement_as_in_a_loop(name):
    architecture = ARCHITECTURES[name]
    first, second = make_zoo(architecture), make_zoo(architecture, seed=1)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(50, architecture.n_inputs)).astype("f")
    y = rng.integers(max(2, architecture.n_outputs), size=50)

    def predictions(zoo):
        outputs = [architecture.forward(row[None], X)[0] for row in zoo.weights]
        if architecture.n_outputs == 1:
            return [(own[:, 0] > 0).astype(int) for own in outputs]
        return [own.argmax(1) for own in outputs]

    pairs = list(zip(predictions(first), predictions(second), strict=True))
    np.testing.assert_allclose(first.accuracy(X, y), [np.mean(a == y) for a, _ in pairs])
    np.testing.assert_allclose(first.agreement(second, X), [np.mean(a == b) for a, b in pairs])
    assert (first.agreement(first, X) == 1).all()
    outputs = first.forward(X)
    assert outputs.shape == (N_MODELS, 50, architecture.n_outputs)
    np.testing.assert_array_equal(first.forward(X, batch_size=7).shape, outputs.shape)


def test_copies_are_equal():
    zoo = make_zoo()
    for twin in (copy.deepcopy(zoo), pickle.loads(pickle.dumps(zoo))):
        np.testing.assert_array_equal(twin.weights, zoo.weights)
        assert twin.metadata.equals(zoo.metadata)
        assert twin.architecture == zoo.architecture


def test_a_diverged_model_may_stay():
    weights = np.zeros((2, ARCHITECTURE.n_weights))
    weights[1] = np.nan
    zoo = ModelZoo(weights, ARCHITECTURE)
    assert len(zoo[np.isfinite(zoo.weights).all(axis=1)]) == 1


def test_errors_name_the_parameter_and_its_value():
    rows = np.zeros((4, ARCHITECTURE.n_weights))
    with pytest.raises(
        InvalidInputError, match=r"`weights` must have shape \(n_models, n.*; got \(31,\)"
    ):
        ModelZoo(rows[0], ARCHITECTURE)
    with pytest.raises(InvalidInputError, match=r"`weights` must have 31 columns, .*; got 5"):
        ModelZoo(rows[:, :5], ARCHITECTURE)
    with pytest.raises(
        InvalidInputError, match="`metadata` must have 4 entries, as weights has; got 3"
    ):
        ModelZoo(rows, ARCHITECTURE, pd.DataFrame({"a": [1, 2, 3]}))
    zoo = ModelZoo(rows, ARCHITECTURE)
    with pytest.raises(InvalidInputError, match="`y` must have 5 entries, as X has; got 2"):
        zoo.accuracy(np.zeros((5, 3)), [0, 1])
    with pytest.raises(InvalidInputError, match=r"`inputs` must have 3 columns, .* got 4"):
        zoo.accuracy(np.zeros((2, 4)), [0, 1])
    with pytest.raises(
        InvalidInputError, match="`other` must have 4 entries, as the zoo has; got 2"
    ):
        zoo.agreement(zoo[:2], np.zeros((5, 3)))


def test_a_trained_zoo_is_indexed_by_its_metadata():
    X = np.random.default_rng(0).normal(size=(20, 3))
    zoo = train_zoo(
        ARCHITECTURE,
        (X, np.arange(20) % 3),
        n_models=4,
        epochs=2,
        checkpoints=[0, 2],
        random_state=0,
    )
    last = zoo[zoo.metadata["epoch"] == 2]
    assert last.metadata["model"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(last.weights, zoo.weights[1::2])
