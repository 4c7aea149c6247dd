from functools import cache

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, LinearSVC

from wsl import Architecture
from wsl.exceptions import InvalidInputError, UnsupportedModuleError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"max_iter": 4, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
TARGETS = {
    "two classes": RNG.integers(2, size=60),
    "three classes": RNG.choice(["a", "b", "c"], 60),
    "a number": X @ RNG.normal(size=4) + RNG.normal(size=60),
    "two numbers": X @ RNG.normal(size=(4, 2)),
    "one column": X @ RNG.normal(size=(4, 1)),
    "counts": RNG.integers(5, size=60),
}
MODELS = [
    (MLPClassifier((5, 3), activation="tanh", **SMALL), "two classes", X),
    (MLPClassifier((), activation="relu", **SMALL), "three classes", X),
    (MLPClassifier((5,), early_stopping=True, **SMALL), "two classes", X),
    (MLPClassifier((5,), activation="logistic", **SMALL), "three classes", X.astype("f")),
    (MLPRegressor(hidden_layer_sizes=(5,), activation="identity", **SMALL), "a number", X),
    (MLPRegressor(hidden_layer_sizes=(5,), **SMALL), "two numbers", X),
    (LogisticRegression(), "two classes", X),
    (LogisticRegression(fit_intercept=False), "three classes", X),
    (LogisticRegression(), "three classes", X.astype("f")),
    (LinearSVC(), "two classes", X),
    (SGDClassifier(random_state=0), "three classes", X),
    (LinearRegression(), "a number", X),
    (LinearRegression(fit_intercept=False), "a number", X),
    (LinearRegression(fit_intercept=False), "two numbers", X),
    (LinearRegression(), "one column", X),
    (Ridge(), "two numbers", X),
    (PoissonRegressor(), "counts", X),
]
NAMES = {
    f"{type(model).__name__} {place}, {target}": place
    for place, (model, target, _) in enumerate(MODELS)
}


@cache
def fitted(name):
    model, target, data = MODELS[NAMES[name]]
    return clone(model).fit(data, TARGETS[target])


def decisions(model):
    """Return what a model puts out before any link, by its own public methods."""
    if hasattr(model, "decision_function"):
        return model.decision_function(X)
    if isinstance(model, MLPClassifier):
        odds = np.log(model.predict_proba(X))
        return odds[:, 1] - odds[:, 0] if odds.shape[1] == 2 else odds
    return np.log(model.predict(X)) if isinstance(model, PoissonRegressor) else model.predict(X)


def moved(architecture, model):
    """Return another row, near the model's own so that no probability becomes 0."""
    noise = np.random.default_rng(1).normal(0, 0.3, (1, architecture.n_weights))
    return (architecture.flatten(model) + noise).astype("f")


@pytest.mark.parametrize("name", NAMES)
def test_a_row_comes_back_as_a_model_that_predicts_as_forward_does(name):
    like = fitted(name)
    architecture = Architecture.from_sklearn(like)
    row = moved(architecture, like)
    model = architecture.to_sklearn(row[0], like)
    outputs, expected = architecture.forward(row, X)[0], decisions(model)
    if isinstance(like, MLPClassifier) and outputs.shape[1] > 1:  # up to what softmax leaves out
        outputs = outputs - outputs.mean(1, keepdims=True)
        expected = expected - expected.mean(1, keepdims=True)
    np.testing.assert_allclose(outputs, expected.reshape(outputs.shape), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(architecture.flatten(model), row)
    assert not np.allclose(decisions(like), decisions(model))
    assert model.predict(X).shape == like.predict(X).shape
    assert set(vars(model)) == set(vars(like))


@pytest.mark.parametrize("name", NAMES)
def test_the_own_row_gives_the_model_itself_in_its_own_types(name):
    like = fitted(name)
    architecture = Architecture.from_sklearn(like)
    row = architecture.flatten(like)
    model = architecture.to_sklearn(row[0], like)
    np.testing.assert_allclose(decisions(model), decisions(like), rtol=1e-4, atol=1e-4)
    for key in ("coef_", "intercept_"):
        if hasattr(like, key) and np.size(like.intercept_) == len(np.atleast_2d(like.coef_)):
            assert np.shape(getattr(model, key)) == np.shape(getattr(like, key))
    for key in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(model, key, ()), getattr(like, key, ()), strict=True):
            assert one.dtype == other.dtype
            assert one.shape == other.shape
    np.testing.assert_array_equal(architecture.flatten([like, model]), np.tile(row, (2, 1)))


def test_the_way_back_leaves_the_model_given_alone():
    like = fitted("LinearRegression 11, a number")
    before = like.coef_.copy()
    architecture = Architecture.from_sklearn(like)
    model = architecture.to_sklearn(moved(architecture, like)[0], like)
    model.coef_ += 1
    np.testing.assert_array_equal(like.coef_, before)


def test_a_model_of_another_architecture_is_refused():
    tanh = fitted("MLPClassifier 0, two classes")
    architecture = Architecture.mlp(4, [5, 3], 1, "relu")
    with pytest.raises(
        InvalidInputError, match=r"`like` must be of .*ReLU.*; got a MLPClassifier of .*Tanh"
    ):
        architecture.to_sklearn(np.zeros(architecture.n_weights), tanh)
    with pytest.raises(InvalidInputError, match=r"must have 47 columns.*got 9"):
        Architecture.mlp(4, [5, 3], 1, "tanh").to_sklearn(np.zeros(9), tanh)
    with pytest.raises(UnsupportedModuleError, match="fitted"):
        architecture.to_sklearn(np.zeros(architecture.n_weights), MLPClassifier((5, 3)))


def test_errors_name_the_model():
    two, three = (fitted(f"MLPClassifier {n}") for n in ("0, two classes", "3, three classes"))
    architecture = Architecture.from_sklearn(two)
    with pytest.raises(InvalidInputError, match=r"models\[1\]: .* must have 6 arrays.*got .* 4\."):
        architecture.flatten([two, three])
    with pytest.raises(
        UnsupportedModuleError, match=r"models\[2\]: .* fitted .* got a MLPClassifier"
    ):
        architecture.flatten([two, two, MLPClassifier()])
    linear = fitted("LinearRegression 11, a number")
    with pytest.raises(
        InvalidInputError, match=r"models\[0\]: '0.weight' must have shape .* got \(2, 4\)"
    ):
        Architecture.from_sklearn(linear).flatten([fitted("Ridge 15, two numbers")])


@pytest.mark.parametrize("model", [PLSRegression(2), SVC(kernel="linear")])
def test_models_that_are_more_than_their_coefficients_are_refused(model):
    model.fit(X, TARGETS["two classes"])
    with pytest.raises(UnsupportedModuleError, match=type(model).__name__):
        Architecture.from_sklearn(model)
