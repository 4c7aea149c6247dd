import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from wsl.risk.shadows._observation import respond

X, IRIS = load_iris(return_X_y=True)
BINARY = (IRIS == 2).astype(int)
NUMBERS = X @ [1.0, -2.0, 0.5, 3.0] + IRIS


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
