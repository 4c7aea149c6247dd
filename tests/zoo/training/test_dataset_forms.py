"""The forms in which ``train_zoo`` takes data, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris

from wsl import Architecture, train_zoo
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.mlp(3, [4], 3)
BINARY = Architecture.mlp(3, [4], 1)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3)).astype(np.float32)
Y = np.arange(30) % 3
OPTIONS = {"n_models": 2, "epochs": 2, "random_state": 0, "progress": False}


def weights(y=Y, inputs=X, architecture=ARCHITECTURE, **options):
    return train_zoo(architecture, (inputs, y), **OPTIONS | options).weights


LABELS = {
    "float": Y.astype(float),
    "float32": Y.astype(np.float32),
    "column": Y[:, None],
    "float column": Y[:, None].astype(float),
    "big-endian": Y.astype(">i4"),
    "uint8": Y.astype(np.uint8),
    "list": Y.tolist(),
    "tensor": torch.tensor(Y),
    "nullable": pd.Series(Y, dtype="Int64"),
    "categories": pd.Series(Y).astype("category"),
    "objects": Y.astype(object),
    "not masked": np.ma.array(Y),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind_train_the_same_zoo(kind):
    np.testing.assert_array_equal(weights(LABELS[kind]), weights())


@pytest.mark.parametrize("form", [">f8", "longdouble", "object"])
def test_inputs_of_every_type_train_the_same_zoo(form):
    np.testing.assert_array_equal(weights(inputs=X.astype(form)), weights())


def test_floats_are_targets_of_a_regression_where_they_are_no_classes():
    zeros = (Y > 0).astype(float)  # one output: classes are not told apart from targets
    expected = weights(zeros, architecture=BINARY, loss="mse")
    np.testing.assert_array_equal(weights(zeros, architecture=BINARY), expected)
    columns = np.eye(3)[Y]
    np.testing.assert_array_equal(weights(columns), weights(columns, loss="mse"))
    with pytest.raises(InvalidInputError, match=r"`y` must have 3 columns, .*; got 1"):
        weights(Y + 0.5)


REFUSED = {
    "masked": (np.ma.array(Y, mask=Y == 1), "y of `datasets` must have no missing .*masked"),
    "dates": (Y.astype("M8[D]"), "whole labels from 0 to 2"),
    "NaN": (np.where(Y == 1, np.nan, Y), "y of `datasets` must be finite"),
    "one value": (1, "y of `datasets` must have an entry per sample"),
    "text": (np.array(["a", "b", "c"])[Y], "whole labels from 0 to 2"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_labels_that_are_no_classes_are_refused(kind):
    labels, words = REFUSED[kind]
    with pytest.raises(InvalidInputError, match=words):
        weights(labels)
    with pytest.raises(InvalidInputError, match=words.replace("datasets", "test_set")):
        train_zoo(ARCHITECTURE, (X, Y), test_set=(X, labels), **OPTIONS)


def test_dates_are_no_targets_of_a_regression():
    with pytest.raises(InvalidInputError, match=r"`y` must hold real numbers; got datetime64"):
        weights(Y.astype("M8[D]"), architecture=BINARY, loss="mse")


def test_masked_inputs_are_refused():
    with pytest.raises(InvalidInputError, match=r"X of `datasets` must .*masked"):
        weights(inputs=np.ma.array(X, mask=X > 1))


def test_a_dict_stands_for_a_tuple():
    weight = RNG.random(30)
    expected = train_zoo(ARCHITECTURE, (X, Y, None, weight), **OPTIONS).weights
    parts = {"X": X, "y": Y, "sample_weight": weight}
    for datasets in (parts, [parts, parts], lambda model: parts):
        zoo = train_zoo(ARCHITECTURE, datasets, **OPTIONS)
        np.testing.assert_allclose(zoo.weights, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        (load_iris(), r"`datasets` must have the keys .*Pass \(bunch.data, bunch.target\)"),
        ({"X": X, "y": Y, "labels": Y}, r"`datasets` must have the keys 'X' and 'y', .*'labels'"),
        ({0: (X, Y)}, r"`datasets` must have the keys 'X' and 'y', .*got \['0'\]"),
        ([{"X": X}, {"X": X}], r"`datasets\[0\]` must have the keys 'X' and 'y'"),
    ],
    ids=["bunch", "unknown key", "by index", "without y"],
)
def test_dicts_with_other_keys_are_refused(datasets, words):
    with pytest.raises(InvalidInputError, match=words):
        train_zoo(ARCHITECTURE, datasets, **OPTIONS)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (2.0, r"one weight per sample; got \(\)"),
        (np.ma.array(np.ones(30), mask=Y == 1), "masked"),
        (np.where(Y == 1, np.nan, 1), "finite numbers of at least 0; got nan"),
    ],
    ids=["scalar", "masked", "NaN"],
)
def test_sample_weights_are_one_number_per_sample(weight, words):
    with pytest.raises(InvalidInputError, match=rf"sample_weight of `datasets` must .*{words}"):
        train_zoo(ARCHITECTURE, (X, Y, None, weight), **OPTIONS)


def test_numbers_as_objects_are_weights():
    weight = np.linspace(0.1, 2, 30)
    zoos = [
        train_zoo(ARCHITECTURE, (X, Y, None, own), **OPTIONS)
        for own in (weight, weight.astype(object), pd.Series(weight, dtype="Float64"))
    ]
    for zoo in zoos[1:]:
        np.testing.assert_array_equal(zoo.weights, zoos[0].weights)
    with pytest.raises(InvalidInputError, match="real numbers; got 'much'"):
        train_zoo(ARCHITECTURE, (X, Y, None, np.array([*weight[1:], "much"], object)), **OPTIONS)
