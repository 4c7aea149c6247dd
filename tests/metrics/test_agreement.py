"""The metrics against slow loops and cases known in closed form."""

import itertools

import numpy as np
import pytest
from scipy.special import softmax

from wsl import metrics
from wsl.exceptions import InvalidInputError


@pytest.fixture
def outputs():
    return np.random.default_rng(0).normal(size=(5, 11, 3))


@pytest.fixture
def other():
    return np.random.default_rng(1).normal(size=(5, 11, 3))


def test_agreement_is_the_share_of_equal_predictions(outputs, other):
    expected = [
        np.mean([a.argmax() == b.argmax() for a, b in zip(one, two, strict=True)])
        for one, two in zip(outputs, other, strict=True)
    ]
    np.testing.assert_allclose(metrics.agreement(outputs, other, average="none"), expected)
    assert metrics.agreement(outputs, other) == pytest.approx(np.mean(expected))
    assert metrics.agreement(outputs, outputs) == 1.0


def test_shuffled_agreement_is_the_mean_over_all_wrong_pairs(outputs, other):
    pairs = itertools.permutations(range(5), 2)
    expected = np.mean([(outputs[i].argmax(-1) == other[j].argmax(-1)).mean() for i, j in pairs])
    assert metrics.shuffled_agreement(outputs, other) == pytest.approx(expected)
    assert metrics.disagreement(outputs) == pytest.approx(
        1 - metrics.shuffled_agreement(outputs, outputs)
    )


def test_one_model_for_everybody_agrees_as_well_with_the_wrong_original(outputs):
    collapsed = np.repeat(outputs[:1], 5, axis=0)
    classes = outputs.argmax(-1)
    wrong = [(classes[i] == classes[0]).mean() for i in range(5)]
    assert metrics.shuffled_agreement(outputs, collapsed) == pytest.approx(np.mean(wrong))
    assert metrics.disagreement(collapsed) == 0.0


def test_a_single_output_is_a_binary_logit():
    outputs = np.array([[[-1.0], [2.0], [0.5]]])
    np.testing.assert_array_equal(metrics.predicted_classes(outputs), [[0, 1, 1]])
    np.testing.assert_allclose(metrics.accuracy(outputs, [0, 1, 0]), [2 / 3])
    assert metrics.agreement(outputs, -outputs) == 0.0


def test_accuracy_is_that_of_each_model(outputs):
    y = np.arange(11) % 3
    expected = [(one.argmax(-1) == y).mean() for one in outputs]
    np.testing.assert_allclose(metrics.accuracy(outputs, y), expected)


def test_behavioral_r2_has_its_floor_and_its_ceiling(outputs, other):
    probabilities = softmax(outputs, axis=-1)
    average = np.log(np.broadcast_to(probabilities.mean(0), outputs.shape))
    assert metrics.behavioral_r2(outputs, outputs + 7.0) == pytest.approx(1.0)
    assert metrics.behavioral_r2(outputs, average) == pytest.approx(0.0)
    lost = ((probabilities - softmax(other, axis=-1)) ** 2).sum()
    total = ((probabilities - probabilities.mean(0)) ** 2).sum()
    assert metrics.behavioral_r2(outputs, other) == pytest.approx(1 - lost / total)


def test_behavioral_r2_takes_a_single_output_as_it_stands():
    outputs = np.array([[[0.0], [3.0]], [[2.0], [3.0]]])
    assert metrics.behavioral_r2(outputs, outputs + 1.0) == pytest.approx(1 - 4 / 2)


def test_r2_of_equal_models_is_that_of_scikit_learn(outputs):
    same = np.repeat(outputs[:1], 3, axis=0)
    assert metrics.behavioral_r2(same, same) == 1.0
    assert metrics.behavioral_r2(same, -same) == 0.0


def test_explained_variance_of_the_mean_is_zero():
    rows = np.random.default_rng(0).normal(size=(6, 4))
    assert metrics.explained_variance(rows, rows) == 1.0
    mean = np.broadcast_to(rows.mean(0), rows.shape)
    assert metrics.explained_variance(rows, mean) == pytest.approx(0.0)


def test_diversity_is_the_distance_over_pairs():
    rows = np.random.default_rng(0).normal(size=(6, 4))
    squares = [((rows[i] - rows[j]) ** 2).sum() for i, j in itertools.permutations(range(6), 2)]
    assert metrics.diversity(rows) == pytest.approx(np.sqrt(np.mean(squares)))
    assert metrics.variance_ratio(rows, 0.5 * rows + 3.0) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda o: metrics.agreement(o, o[:, :4]),
            r"`other` must have the shape of.*; got \(5, 4, 3\)",
        ),
        (lambda o: metrics.agreement(o, o, average="all"), "`average` must be .* got 'all'"),
        (
            lambda o: metrics.agreement(o[0], o[0]),
            r"\(n_models, n_queries, n_outputs\); got \(11, 3\)",
        ),
        (lambda o: metrics.accuracy(o, [0, 1]), r"`y` must have shape \(11,\), .* got \(2,\)"),
        (lambda o: metrics.behavioral_r2(o, o * np.nan), "`rebuilt` must be finite"),
        (lambda o: metrics.shuffled_agreement(o[:1], o[:1]), "at least 2"),
        (lambda o: metrics.diversity(o[:1, 0]), "at least 2"),
    ],
)
def test_errors_name_the_argument(outputs, call, message):
    with pytest.raises(InvalidInputError, match=message):
        call(outputs)
