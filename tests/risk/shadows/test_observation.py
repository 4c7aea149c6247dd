import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from wsl import Architecture
from wsl.risk.shadows._observation import read_weights, respond, score, score_zoo

X, IRIS = load_iris(return_X_y=True)
BINARY = (IRIS == 2).astype(int)
NUMBERS = X @ [1.0, -2.0, 0.5, 3.0] + IRIS


def decision(model, X):
    """What a model computes before its link function."""
    if hasattr(model, "decision_function"):
        return model.decision_function(X)
    if hasattr(model, "predict_log_proba"):
        p = model.predict_proba(X)
        return np.log(p[:, 1] / p[:, 0])
    return model.predict(X)


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (LinearRegression(), NUMBERS),
        (Lasso(0.01, fit_intercept=False), NUMBERS),
        (LogisticRegression(max_iter=1000), BINARY),
        (LogisticRegression(max_iter=1000), IRIS),
        (RidgeClassifier(), IRIS),
        (LinearSVC(), BINARY),
        (MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0), NUMBERS),
        (make_pipeline(StandardScaler(), LogisticRegression()), IRIS),
        (make_pipeline(RobustScaler(), MinMaxScaler(), LinearRegression()), NUMBERS),
        (
            make_pipeline(StandardScaler(with_mean=False), "passthrough", LinearRegression()),
            NUMBERS,
        ),
        (
            make_pipeline(StandardScaler(), MLPClassifier((5, 4), max_iter=20, random_state=0)),
            BINARY,
        ),
    ],
    ids=lambda value: repr(value) if hasattr(value, "fit") else "",
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_weights_read_compute_the_models_own_function(model, y):
    model.fit(X, y)
    row, architecture = read_weights(model, 4)
    outputs = architecture.forward(row[None], X)[0]
    expected = np.reshape(decision(model, X), outputs.shape)
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(3),
        make_pipeline(PCA(2), LogisticRegression()),
        make_pipeline(MinMaxScaler(clip=True), LogisticRegression()),
        make_pipeline(StandardScaler(), RandomForestClassifier(3)),
    ],
    ids=repr,
)
def test_other_models_are_black_boxes(model):
    assert read_weights(model.fit(X, IRIS), 4) is None


def test_classifiers_answer_with_probabilities():
    model = LogisticRegression(max_iter=1000).fit(X, IRIS)
    answers = respond(model, X)
    np.testing.assert_allclose(answers.responses, model.predict_proba(X), rtol=1e-6)
    assert (answers.output, answers.classes.tolist()) == ("proba", [0, 1, 2])


def test_classifiers_without_probabilities_answer_with_decision_values():
    answers = respond(LinearSVC().fit(X, BINARY), X)
    assert answers.responses.shape == (150, 1)
    assert (answers.output, answers.classes) == ("logits", None)


def test_regressors_answer_with_predictions():
    model = DecisionTreeRegressor().fit(X, NUMBERS)
    answers = respond(model, X)
    np.testing.assert_allclose(answers.responses[:, 0], model.predict(X), rtol=1e-6)
    assert (answers.output, answers.classes) == ("logits", None)
    assert respond(DecisionTreeRegressor().fit(X, X[:, :2]), X).responses.shape == (150, 2)


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(9,), (9, 9, 9, 9), (9, 4, 9, 5)], ids=str)
@pytest.mark.parametrize("classes", [None, np.array(["a", "b", "c"])], ids=["numbers", "classes"])
def test_a_zoo_is_scored_as_its_models_are(n_outputs, sizes, classes):
    rng = np.random.default_rng(0)
    architecture = Architecture.mlp(2, [3], n_outputs)
    rows = rng.normal(size=(4, architecture.n_weights)).astype(np.float32)
    tests = []
    for size in sizes:
        y = rng.normal(size=(size, n_outputs)).squeeze()
        if classes is not None:
            y = rng.choice(classes[: max(2, n_outputs)], size)
        tests.append((rng.normal(size=(size, 2)).astype(np.float32), y))
    tests[-1][1][:] = tests[-1][1][0]  # targets that are all alike have no variance to explain

    def predictor(row):
        def predict(X):
            outputs = architecture.forward(row[None], X)[0]
            if classes is None:
                return outputs.squeeze()
            return classes[outputs.argmax(1) if n_outputs > 1 else (outputs[:, 0] > 0).astype(int)]

        return predict

    found = score_zoo(architecture, rows, tests, classes)
    for i, row in enumerate(rows):
        expected = score(predictor(row), *tests[i % len(tests)], classes is not None)
        assert set(found) == set(expected)
        for metric, value in expected.items():
            assert found[metric][i] == pytest.approx(value, rel=1e-4), metric
