import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from wsl import Architecture, ModelZoo, train_zoo
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


def test_errors_name_what_came_and_what_was_wanted():
    rows = np.zeros((4, ARCHITECTURE.n_weights))
    with pytest.raises(InvalidInputError, match=r"weights has shape \(31,\); wanted \(n_models, n"):
        ModelZoo(rows[0], ARCHITECTURE)
    with pytest.raises(InvalidInputError, match=r"weights has 5 columns, but .* takes 31"):
        ModelZoo(rows[:, :5], ARCHITECTURE)
    with pytest.raises(InvalidInputError, match="metadata has 3 entries, but weights has 4"):
        ModelZoo(rows, ARCHITECTURE, pd.DataFrame({"a": [1, 2, 3]}))
    zoo = ModelZoo(rows, ARCHITECTURE)
    with pytest.raises(InvalidInputError, match="y has 2 entries, but X has 5"):
        zoo.accuracy(np.zeros((5, 3)), [0, 1])
    with pytest.raises(InvalidInputError, match=r"inputs has 4 features, but .* takes 3"):
        zoo.accuracy(np.zeros((2, 4)), [0, 1])
    with pytest.raises(InvalidInputError, match="other has 2 entries, but the zoo has 4"):
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
