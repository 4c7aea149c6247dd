import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from sklearn.tree import DecisionTreeClassifier

from wsl import DistributionInferenceAttack, DistributionInferenceRegressor
from wsl.attacks.black_box._loss_based import GroupLosses
from wsl.attacks.black_box._responses import ResponseFormat, infer_format
from wsl.exceptions import InvalidInputError

N_MODELS, N_QUERIES = 40, 30
GROUPS = np.array(["a", "b", "c"])
RNG = np.random.default_rng(0)
PROPERTIES = GROUPS[np.arange(N_QUERIES) % 3]
LOGITS = RNG.normal(size=(N_MODELS, N_QUERIES, 3))
LABELS = RNG.integers(3, size=N_QUERIES)
NUMBERS = RNG.normal(size=N_QUERIES)

# what a model answers, the labels, the loss on some queries by scikit-learn
CASES = {
    "logits": (LOGITS, LABELS, lambda y, z: log_loss(y, softmax(z, 1), labels=[0, 1, 2])),
    "proba": (
        softmax(LOGITS, 2), LABELS, lambda y, z: log_loss(y, z, labels=[0, 1, 2])
    ),
    "label": (
        LOGITS.argmax(2)[:, :, None], LABELS, lambda y, z: 1 - accuracy_score(y, z[:, 0])
    ),
    "single logit": (
        LOGITS[:, :, :1], LABELS > 0, lambda y, z: log_loss(y, expit(z[:, 0]), labels=[0, 1])
    ),
    "number": (LOGITS[:, :, :1], NUMBERS, lambda y, z: mean_squared_error(y, z[:, 0])),
    "numbers": (
        LOGITS[:, :, :2], np.c_[NUMBERS, -NUMBERS], lambda y, z: mean_squared_error(y, z)
    ),
}  # fmt: skip


def group_losses(case):
    """The slow way: the loss of each model on each group."""
    answers, labels, loss = CASES[case]
    return np.array(
        [
            [loss(labels[g == PROPERTIES], model[g == PROPERTIES]) for g in GROUPS]
            for model in answers
        ]
    )


def settings(case):
    return {
        "query_labels": CASES[case][1],
        "query_properties": PROPERTIES,
        "query_output": case if case in ("proba", "label") else "logits",
    }


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_class_of_least_loss_is_predicted(case):
    X = CASES[case][0].reshape(N_MODELS, -1)
    y = GROUPS[np.arange(N_MODELS) % 3]
    attack = DistributionInferenceAttack("loss", **settings(case)).fit(X, y)
    losses = group_losses(case)
    np.testing.assert_allclose(attack.estimator_[-1].losses_.transform(X), losses, rtol=5e-3)
    clear = np.diff(np.sort(losses, axis=1)[:, :2], axis=1)[:, 0] > 1e-2
    assert clear.sum() > 10
    expected = GROUPS[losses.argmin(axis=1)]
    np.testing.assert_array_equal(attack.predict(X)[clear], expected[clear])
    fewer = DistributionInferenceAttack("loss", **settings(case)).fit(X[:3], y[:3])
    np.testing.assert_array_equal(fewer.predict(X), attack.predict(X))  # shadows do not move it


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_thresholds_are_those_of_a_tree_on_the_losses_of_the_groups(case):
    X = CASES[case][0].reshape(N_MODELS, -1)
    losses = group_losses(case)
    y = np.digitize(losses[:, 1], np.quantile(losses[:, 1], [0.3, 0.6]))
    attack = DistributionInferenceAttack("threshold", **settings(case), random_state=0).fit(X, y)
    tree = DecisionTreeClassifier(max_leaf_nodes=3, random_state=0).fit(losses, y)
    assert attack.estimator_[-1].get_n_leaves() == tree.get_n_leaves() == 3
    assert attack.score(X, y) == tree.score(losses, y)
    if case != "label":  # errors come in steps, so that more leaves would be needed
        assert attack.score(X, y) == 1


def test_a_number_is_that_of_the_group_of_least_loss():
    properties = np.random.default_rng(1).permutation(N_QUERIES) / N_QUERIES
    X = LOGITS[:, :, 0]
    attack = DistributionInferenceRegressor(
        "loss", query_labels=NUMBERS, query_properties=properties
    ).fit(X, np.arange(N_MODELS))
    groups = attack.estimator_[-1].losses_.groups_
    order = properties.argsort()
    parts = [order[np.arange(N_QUERIES) * 16 // N_QUERIES == g] for g in range(16)]
    np.testing.assert_allclose(groups, [properties[part].mean() for part in parts])
    losses = [[np.mean((x[part] - NUMBERS[part]) ** 2) for part in parts] for x in X]
    np.testing.assert_allclose(attack.predict(X), groups[np.argmin(losses, axis=1)])
    with pytest.raises(
        InvalidInputError, match="`query_properties` must have as many columns as y"
    ):
        attack.fit(X, np.ones((N_MODELS, 2)))


def test_classes_may_have_names():
    names = np.array(["left", "right", "middle"])  # sorted: left, middle, right
    answers = ResponseFormat("logits", N_QUERIES, 3)
    places = answers.target_values(names[LABELS])
    np.testing.assert_array_equal(places, np.array([0, 2, 1])[LABELS])
    X = LOGITS.reshape(N_MODELS, -1)
    expected = -np.take_along_axis(log_softmax(LOGITS, 2), places[None, :, None], 2)[:, :, 0]
    np.testing.assert_allclose(answers.losses(X, places), expected)


KINDS = [
    (6, 3, "logits", [0, 1, 0], "logits"),  # two outputs, two classes
    (3, 3, "logits", [0, 1, 0], "logits"),  # the logit of class 1
    (3, 3, "logits", [0.5, 1, 0], "number"),
    (3, 3, "logits", [0, 1, 2], "number"),  # a single logit knows but two classes
    (3, 3, "logits", None, "number"),
    (6, 3, "logits", None, "logits"),
    (6, 3, "logits", [[0.5, 1], [1, 2], [2, 3]], "number"),
    (3, 3, "proba", [0, 1, 0], "proba"),
    (3, 3, "label", [0, 1, 2], "label"),
]


@pytest.mark.parametrize(("n_columns", "n_queries", "output", "labels", "kind"), KINDS)
def test_what_answers_are(n_columns, n_queries, output, labels, kind):
    assert infer_format(n_columns, n_queries, output, labels).kind == kind


def test_wrong_properties_are_named():
    losses = GroupLosses(ResponseFormat("number", 2, 1), [0.5, 1], [[0], [1]], False)
    with pytest.raises(
        InvalidInputError,
        match=r"`query_properties` must have one value per query.*got shape \(2, 1\)",
    ):
        losses.fit(np.ones((3, 2)))
    with pytest.raises(
        InvalidInputError, match="X must have one column per query; got 6 columns for 3 queries"
    ):
        infer_format(6, 3, "label")


def test_several_numbers_are_those_of_the_samples_with_least_loss():
    """Two numbers, six values of the pair: the slow way finds the pair of least mean loss."""
    pairs = np.random.default_rng(3).normal(size=(6, 2))
    of_query = np.arange(N_QUERIES) % 6
    X = LOGITS[:, :, 0]
    attack = DistributionInferenceRegressor(
        "loss", query_labels=NUMBERS, query_properties=pairs[of_query]
    ).fit(X, pairs[np.arange(N_MODELS) % 6])
    squares = (X - NUMBERS) ** 2
    losses = np.stack([squares[:, of_query == g].mean(1) for g in range(6)], axis=1)
    np.testing.assert_allclose(attack.predict(X), pairs[losses.argmin(axis=1)], rtol=1e-6)
    many = DistributionInferenceRegressor(
        "threshold", query_labels=NUMBERS, query_properties=RNG.normal(size=(N_QUERIES, 2))
    ).fit(X, pairs[np.arange(N_MODELS) % 6])
    assert many.predict(X).shape == (N_MODELS, 2)
    with pytest.raises(
        InvalidInputError, match="`query_properties` must have as many columns as y"
    ):
        DistributionInferenceRegressor(
            "loss", query_labels=NUMBERS, query_properties=pairs[of_query]
        ).fit(X, NUMBERS[np.arange(N_MODELS) % N_QUERIES])
