"""Utility of models, against scikit-learn's metrics and simulated test sets."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)
from sklearn.svm import SVC

from wsl import Architecture
from wsl.risk.evaluation._tables import utility_table
from wsl.risk.shadows._utility import CLASS_METRICS, score_model, score_zoo, utility_entries


class Fixed:
    """A model of given outputs per row of X, which are their indices."""

    def __init__(self, predicted, scores=None, classes=None):
        self.predicted, self.scores, self.classes_ = predicted, scores, classes
        if scores is not None:
            self.predict_proba = lambda X: self.scores[X]

    def predict(self, X):
        return self.predicted[X]


def labelled(rng, n_rows, n_classes):
    classes = np.array(["a", "b", "c", "d"])[:n_classes]
    scores = rng.dirichlet([3, *np.ones(n_classes - 1)], n_rows)
    truth = (scores + 0.4 * rng.random(scores.shape)).argmax(1)
    return Fixed(classes[scores.argmax(1)], scores, classes), classes[truth]


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_metrics_of_classes_are_scikit_learns(n_classes):
    model, y = labelled(np.random.default_rng(0), 80, n_classes)
    found = score_model(model, np.arange(80), y, True)
    scores = model.scores[:, 1] if n_classes == 2 else model.scores
    expected = {
        "accuracy": accuracy_score(y, model.predicted),
        "balanced_accuracy": balanced_accuracy_score(y, model.predicted),
        "base_rate": max((y == label).mean() for label in model.classes_),
        "auc": roc_auc_score(y, scores, multi_class="ovr"),
    }
    assert list(found) == list(CLASS_METRICS)
    assert {metric: values[0, 0] for metric, values in found.items()} == pytest.approx(expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_decision_values_rank_two_classes(n_classes):
    """With more, they may be those of pairs of classes."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.array(["a", "b", "c"])[(4 * X[:, 0]).astype(int) % n_classes]
    model = SVC(decision_function_shape="ovo").fit(X, y)
    area = score_model(model, X, y, True)["auc"][0, 0]
    if n_classes == 2:
        assert area == pytest.approx(roc_auc_score(y, model.decision_function(X)))
    else:
        assert np.isnan(area)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_metrics_of_numbers_are_scikit_learns(n_outputs):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(50, n_outputs)).squeeze()
    predicted = y + 0.5 * rng.normal(size=y.shape)
    found = score_model(Fixed(predicted), np.arange(50), y, False)
    expected = {
        "r2": r2_score(y, predicted),
        "mean_squared_error": mean_squared_error(y, predicted),
    }
    assert {metric: values[0, 0] for metric, values in found.items()} == pytest.approx(expected)


@pytest.mark.slow
def test_the_stated_variance_is_that_over_test_sets():
    rng = np.random.default_rng(0)

    def classify():
        model, y = labelled(rng, 120, 3)
        return score_model(model, np.arange(120), y, True)

    def regress():
        y = rng.normal(size=120)
        return score_model(Fixed(0.3 * y + rng.normal(size=120)), np.arange(120), y, False)

    for draw in (classify, regress):
        runs = [draw() for _ in range(400)]
        for metric in runs[0]:
            values, variances = np.array([run[metric][0] for run in runs]).T
            assert variances.mean() == pytest.approx(values.var(), rel=0.25), metric


def test_what_a_model_cannot_show_is_nan():
    y = np.array(["a", "b", "a", "b"])
    labels_alone = score_model(Fixed(y), np.arange(4), y, True)
    assert labels_alone["accuracy"][0, 0] == 1
    assert np.isnan(labels_alone["auc"]).all()
    known, one = LogisticRegression().fit([[0], [1]], ["a", "b"]), np.array(["a", "a"])
    assert np.isnan(score_model(known, [[0], [1]], one, True)["auc"]).all(), "one class alone"
    strange = score_model(known, [[0], [1]], np.array(["a", "z"]), True)
    assert np.isnan(strange["auc"]).all(), "a class that training never saw"
    assert strange["accuracy"][0, 0] == 0.5


def test_the_interval_of_one_test_set_for_all_holds_its_rows():
    rng = np.random.default_rng(1)
    easy = rng.random(40)  # rows that all models find easy or hard
    hits = (rng.random((30, 40)) < easy).astype(float)
    scores = {"accuracy": np.stack([hits.mean(1), hits.var(1) / 40], axis=1)}
    fixed, own = (utility_table(utility_entries("", scores, f)).iloc[0] for f in (True, False))
    assert fixed["metric"] == own["metric"] == "accuracy"
    assert fixed["value"] == own["value"] == pytest.approx(hits.mean())
    spread = hits.var(1).mean() / 40
    t = 2.045229642
    assert own["ci_high"] - own["value"] == pytest.approx(
        t * np.sqrt(hits.mean(1).var(ddof=1) / 30)
    )
    assert fixed["ci_high"] - fixed["value"] == pytest.approx(
        t * np.sqrt(hits.mean(1).var(ddof=1) / 30 + spread)
    )


def test_metrics_that_few_models_have_are_averaged_over_those():
    values = np.array([[0.5, 0], [0.7, 0], [np.nan, np.nan]])
    scores = {"auc": values, "accuracy": np.full((3, 2), np.nan)}
    table = utility_table(utility_entries("", scores, False))
    assert table["metric"].tolist() == ["auc"]
    assert table["value"].tolist() == pytest.approx([0.6])


class OneOfZoo:
    """A network as a scikit-learn model."""

    def __init__(self, architecture, row, classes):
        self.architecture, self.row = architecture, row
        if classes is not None:
            self.classes_ = classes
            self.predict_proba = self.probabilities

    def outputs(self, X):
        return self.architecture.forward(self.row[None], X)[0]

    def probabilities(self, X):
        outputs = self.outputs(X)
        if outputs.shape[1] > 1:
            return softmax(outputs, axis=1)
        return np.concatenate([expit(-outputs), expit(outputs)], axis=1)

    def predict(self, X):
        if not hasattr(self, "classes_"):
            return self.outputs(X).squeeze()
        return self.classes_[self.probabilities(X).argmax(1)]


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(9,), (9, 9, 9, 9), (9, 4, 9, 5)], ids=str)
@pytest.mark.parametrize("classes", [None, np.array(["a", "b", "c"])], ids=["numbers", "classes"])
def test_a_zoo_is_scored_as_its_models_are(n_outputs, sizes, classes):
    rng = np.random.default_rng(0)
    architecture = Architecture.mlp(2, [3], n_outputs)
    rows = rng.normal(size=(4, architecture.n_weights)).astype(np.float32)
    n_classes = max(2, n_outputs)
    tests = []
    for size in sizes:
        y = rng.normal(size=(size, n_outputs)).squeeze()
        if classes is not None:
            y = rng.choice(classes[:n_classes], size)
        tests.append((rng.normal(size=(size, 2)).astype(np.float32), y))
    tests[-1][1][:] = tests[-1][1][0]  # targets that are all alike have no variance to explain

    known = None if classes is None else classes[:n_classes]
    found = score_zoo(architecture, rows, tests, known)
    for i, row in enumerate(rows):
        expected = score_model(
            OneOfZoo(architecture, row, known), *tests[i % len(tests)], classes is not None
        )
        assert set(found) == set(expected)
        for metric, value in expected.items():
            np.testing.assert_allclose(found[metric][i], value[0], rtol=1e-4, err_msg=metric)
