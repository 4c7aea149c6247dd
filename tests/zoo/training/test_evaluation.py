"""Scores of a zoo's models at each checkpoint, against a slow loop over modules."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsl import Architecture, train_zoo
from wsl.exceptions import DivergedModelWarning, InvalidInputError
from wsl.zoo.training import _evaluation

N_MODELS = 5
ARCHITECTURES = {
    "mse": Architecture(
        nn.Sequential(nn.Linear(16, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2))
    ),
    "binary": Architecture.mlp(16, [5], 1),
    "cross_entropy": Architecture.cnn((1, 4, 4), (3,), (), 3, pool=1),
}
TORCH_LOSSES = {
    "mse": F.mse_loss,
    "binary": lambda outputs, y: F.binary_cross_entropy_with_logits(outputs[:, 0], y.float()),
    "cross_entropy": F.cross_entropy,
}


def draw_set(loss, seed, n_samples):
    rng = np.random.default_rng([seed, 11])
    X = rng.normal(size=(n_samples, 16)).astype("f")
    y = {
        "mse": X[:, :2] + 1,
        "binary": (X[:, 0] > 0).astype(int),
        "cross_entropy": X[:, :3].argmax(1),
    }
    return X, y[loss]


def expected_scores(architecture, loss, row, dataset):
    """Loss and accuracy of one model, by plain torch."""
    X, y = map(torch.tensor, dataset)
    with torch.no_grad():
        outputs = architecture.module(row)(X.reshape(len(X), *architecture.input_shape))
    value = float(TORCH_LOSSES[loss](outputs, y))
    classes = outputs[:, 0] > 0 if loss == "binary" else outputs.argmax(1)
    return value, float((classes == y).double().mean()) if loss != "mse" else None


@pytest.mark.slow
@pytest.mark.parametrize("form", ["shared", "list", "function"])
@pytest.mark.parametrize("loss", ARCHITECTURES)
def test_scores_are_those_of_each_module(loss, form, monkeypatch):
    monkeypatch.setattr(_evaluation, "EVALUATION_BYTES", 4096)  # samples and models in pieces
    architecture = ARCHITECTURES[loss]
    train = [draw_set(loss, i, 30 + 7 * (i % 2)) for i in range(N_MODELS)]
    test = [draw_set(loss, 10 + i, 51 + i % 3) for i in range(N_MODELS)]
    if form == "shared":
        train, test = [train[0]] * N_MODELS, [test[0]] * N_MODELS
    given = {
        "shared": (train[0], test[0]),
        "list": (train, test),
        "function": (train.__getitem__, test.__getitem__),
    }[form]
    zoo = train_zoo(
        architecture,
        given[0],
        n_models=N_MODELS,
        test_set=given[1],
        loss=loss,
        epochs=4,
        batch_size=8,
        learning_rate=0.02,
        checkpoints=[0, 1, 4],
        random_state=0,
        chunk_size=3,
    )
    names = ["test_loss"] if loss == "mse" else ["train_accuracy", "test_loss", "test_accuracy"]
    assert zoo.metadata.columns.tolist()[7:] == names
    for (_, known), row in zip(zoo.metadata.iterrows(), zoo.weights, strict=True):
        model = known["model"]
        value, share = expected_scores(architecture, loss, row, test[model])
        assert known["test_loss"] == pytest.approx(value, rel=1e-4)
        if loss != "mse":
            own = expected_scores(architecture, loss, row, train[model])[1]
            assert known["test_accuracy"] == pytest.approx(share, abs=1e-12)
            assert known["train_accuracy"] == pytest.approx(own, abs=1e-12)
    trained = zoo.metadata[zoo.metadata["epoch"] == 4]
    assert trained["test_loss"].mean() < zoo.metadata["test_loss"][::3].mean()


def test_scores_change_no_weights():
    architecture, dataset = ARCHITECTURES["binary"], draw_set("binary", 0, 40)
    options = {"n_models": 3, "epochs": 2, "batch_size": 8, "random_state": 0}
    plain = train_zoo(architecture, dataset, **options)
    scored = train_zoo(architecture, dataset, test_set=dataset, **options)
    np.testing.assert_array_equal(plain.weights, scored.weights)
    assert plain.metadata.equals(scored.metadata[plain.metadata.columns])
    np.testing.assert_array_equal(
        scored.metadata["train_accuracy"], scored.metadata["test_accuracy"]
    )
    np.testing.assert_array_equal(
        scored.metadata["test_accuracy"], scored.accuracy(*dataset), strict=True
    )


def test_a_diverged_model_has_no_accuracy():
    dataset = draw_set("binary", 0, 40)
    with pytest.warns(DivergedModelWarning):
        zoo = train_zoo(
            ARCHITECTURES["binary"],
            (dataset[0] * 1e4, dataset[1]),
            test_set=dataset,
            optimizer="sgd",
            weight_decay=[0.0, 1e30],
            epochs=10,
            random_state=0,
        )
    finite = [True, False]
    assert np.isfinite(zoo.weights).all(axis=1).tolist() == finite
    assert zoo.metadata["test_accuracy"].notna().tolist() == finite
    assert zoo.metadata["test_loss"].notna().tolist() == finite


X, Y = draw_set("cross_entropy", 0, 20)
WRONG = {
    "columns": ((X[:, :3], Y), "X of `test_set` must have 16 columns, .*; got 3"),
    "length": ((X, Y[1:]), "y of `test_set` must have 20 entries, as X has; got 19"),
    "form": ([X, Y], r"`test_set\[0\]` must be a tuple .*; got a ndarray"),
    "one of two": (
        [(X, Y), (X[:, :3], Y)],
        r"X of `test_set\[1\]` must have 16 columns, .*; got 3",
    ),
    "too few": ([(X, Y)], r"`n_models`, datasets, test_set, .*n_models=2 .*\[1, 2\]"),
    "labels": ((X, Y + 1), "`y` must be whole labels from 0 to 2, .*; got 1 to 3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_test_set(case):
    test_set, said = WRONG[case]
    options = {"n_models": 2, "epochs": 1, "random_state": 0}
    with pytest.raises(InvalidInputError, match=said):
        train_zoo(ARCHITECTURES["cross_entropy"], (X, Y), test_set=test_set, **options)


def test_targets_that_do_not_fit_are_refused_before_training():
    drawn = []
    X, y = draw_set("cross_entropy", 0, 20)

    def draw(model):
        drawn.append(model)
        return X, y

    with pytest.raises(InvalidInputError, match=r"test_set: `y` must be .*; got 3 to 5"):
        train_zoo(ARCHITECTURES["cross_entropy"], draw, n_models=4, test_set=(X, y + 3))
    assert len(drawn) < 4
