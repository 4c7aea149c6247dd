from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from wsl import Architecture, CausalMitigatedClassifier, CausalMitigatedRegressor
from wsl._random import resolve_random_state
from wsl.distributions import DistributionFamily, EnvironmentMembershipFamily
from wsl.exceptions import DivergedModelWarning, InvalidInputError, TrainingFailedError
from wsl.risk.shadows import _trainer
from wsl.risk.shadows._drawn_sets import draw_sets, redraw_sets
from wsl.risk.shadows._trainer import Trainer

QUERIES = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
CAUSAL = EnvironmentMembershipFamily.linear_causal()


class ZooOfLines:
    """A learner of many least-squares lines that meets the contract of ``fit_zoo``, no more."""

    diverged = ()

    def fit_zoo(self, datasets, n_models):
        architecture = Architecture.mlp(2, [], 1)
        lines = [LinearRegression().fit(*datasets(i)[:2]) for i in range(n_models)]
        weights = architecture.flatten(lines)
        weights[list(self.diverged)] = np.nan
        return SimpleNamespace(weights=weights, architecture=architecture)


class WantsEnvironments(RegressorMixin, BaseEstimator):
    def fit(self, X, y, environments=None):
        self.seen_ = len(set(environments.tolist()))
        return self

    def predict(self, X):
        return np.full(len(X), self.seen_)


def test_a_model_does_not_depend_on_the_number_of_workers():
    learner = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5)
    draws = draw_sets(CAUSAL, 6, 40, seed=0)
    with pytest.warns(Warning, match="converge"):
        one = Trainer(learner, QUERIES, n_jobs=1).train(draws, 0)
    two = Trainer(learner, QUERIES, n_jobs=2).train(draws, 0)
    np.testing.assert_array_equal(one.weights, two.weights)
    np.testing.assert_array_equal(one.responses, two.responses)
    assert one.architecture == two.architecture
    assert len(np.unique(one.weights[:, 0])) == 6


def test_a_zoo_is_seen_as_its_models_one_by_one_are():
    draws = draw_sets(CAUSAL, 5, 200, seed=0)
    tests = {"own": redraw_sets(draws, seed=1)}
    zoo = Trainer(ZooOfLines(), QUERIES).train(draws, 0, tests)
    each = Trainer(LinearRegression(), QUERIES).train(draws, 0, tests)
    np.testing.assert_allclose(zoo.weights, each.weights, rtol=1e-5)
    np.testing.assert_allclose(zoo.responses, each.responses, rtol=1e-4, atol=1e-5)
    assert set(zoo.utility) == {("own", "r2"), ("own", "mean_squared_error")}
    for metric, values in zoo.utility.items():
        np.testing.assert_allclose(values, each.utility[metric], rtol=1e-4)


def test_a_zoo_does_not_depend_on_the_workers_and_comes_in_pieces(monkeypatch):
    monkeypatch.setattr(_trainer, "ZOO_CHUNK", 4)
    learner = CausalMitigatedRegressor((3,), penalty=None, epochs=1, batch_size=16)
    draws = draw_sets(CAUSAL, 10, 40, seed=0)
    one, two, few = (
        Trainer(learner, QUERIES, n_jobs=n_jobs).train(own, 0, {"own": redraw_sets(own, seed=1)})
        for n_jobs, own in ((1, draws), (2, draws), (None, draw_sets(CAUSAL, 8, 40, seed=0)))
    )
    np.testing.assert_allclose(one.weights, two.weights, rtol=1e-5)
    np.testing.assert_allclose(one.weights[:8], few.weights, rtol=1e-5)
    np.testing.assert_allclose(one.utility["own", "r2"], two.utility["own", "r2"], rtol=1e-4)
    assert one.models.tolist() == list(range(10))
    assert len(np.unique(one.weights[:, 0])) == 10


def test_labels_alone_need_classes():
    with pytest.raises(InvalidInputError, match=r"`adversary\.labels_only` must be False"):
        Trainer(ZooOfLines(), QUERIES, labels_only=True).train(draw_sets(CAUSAL, 4, 40, seed=0), 0)


def test_nothing_is_left_where_all_models_diverged():
    learner = ZooOfLines()
    learner.diverged = (0, 1, 2)
    with (
        pytest.warns(DivergedModelWarning),
        pytest.raises(TrainingFailedError, match="all models diverged"),
    ):
        Trainer(learner, QUERIES).train(draw_sets(CAUSAL, 3, 40, seed=0), 0)


class ZooOfLogits:
    """One model, which says "b" where the first feature is positive."""

    def fit_zoo(self, datasets, n_models):
        architecture = Architecture.mlp(2, [], 1)
        return SimpleNamespace(
            weights=np.array([[1.0, 0, 0]] * n_models), architecture=architecture
        )


def test_a_zoo_of_classifiers_is_scored_by_its_labels():
    family = DistributionFamily.from_function(two_classes, (0, 1))
    draws = draw_sets(family, 4, 50, seed=0)
    tests = {"own": redraw_sets(draws, seed=1)}
    utility = Trainer(ZooOfLogits(), QUERIES).train(draws, 0, tests).utility
    np.testing.assert_array_equal(utility["own", "accuracy"], 1.0)


def two_classes(property_value, n_samples, random_state):
    X = resolve_random_state(random_state).normal(size=(n_samples, 2))
    return X, np.where(X[:, 0] > 0, "b", "a")


def test_utility_is_the_learners_own_score():
    draws = draw_sets(CAUSAL, 3, 100, seed=0)
    X, y, _ = CAUSAL.sample(1, 500, random_state=9)
    population = Trainer(LinearRegression(), QUERIES).train(draws, 0, {"held out": (X, y)})
    for index in range(3):
        model = LinearRegression().fit(*draws(index)[:2])
        assert population.utility["held out", "r2"][index] == pytest.approx(
            model.score(X, y), abs=1e-6
        )


def test_diverged_models_are_left_out_and_named():
    learner = ZooOfLines()
    learner.diverged = (1, 3)
    with pytest.warns(DivergedModelWarning, match=r"2 of 5 .* \[1, 3\]\. They are left out"):
        population = Trainer(learner, QUERIES).train(draw_sets(CAUSAL, 5, 50, seed=0), 0)
    assert len(population) == len(population.weights) == 3


def test_environments_reach_a_learner_that_takes_them():
    draws = draw_sets(CAUSAL, 4, 50, seed=0)
    population = Trainer(WantsEnvironments(), QUERIES).train(draws, 0)
    np.testing.assert_array_equal(population.responses[:, 0, 0], 3 + draws.properties)


def rare_class(property_value, n_samples, random_state):
    X = resolve_random_state(random_state).normal(size=(n_samples, 2))
    y = np.where(X[:, 0] > 0, "a", "b").astype(object)
    if property_value == 1:
        y[:3] = "c"
    return X, y.astype(str)


def test_a_class_that_some_models_never_saw_is_answered_with_zero():
    family = DistributionFamily.from_function(rare_class, (0, 1))
    draws = draw_sets(family, 6, 60, seed=0)
    population = Trainer(LogisticRegression(), QUERIES).train(draws, 0)
    assert population.classes.tolist() == ["a", "b", "c"]
    without = draws.properties == 0
    assert (population.responses[without][:, :, 2] == 0).all()
    assert (population.responses[~without][:, :, 2] > 0).all()
    np.testing.assert_allclose(population.responses.sum(2), 1, rtol=1e-5)
    assert population.weights is None


def shares(property_value, n_samples, random_state):
    """Three classes, of which the last is as frequent as the property says."""
    rng = resolve_random_state(random_state)
    y = rng.choice(["a", "b", "c"], n_samples, p=[0.5 - property_value / 2] * 2 + [property_value])
    X = rng.normal(size=(n_samples, 2)) + np.c_[y == "a", y == "c"]
    return X.astype(np.float32), y


SHARES = DistributionFamily.from_function(shares, (0.2, 0.6))


def two_of(family):
    """The family without class "b"."""

    def sample(property_value, n_samples, random_state):
        X, y = family.sample(property_value, 4 * n_samples, random_state)
        return X[y != "b"][:n_samples], y[y != "b"][:n_samples]

    return DistributionFamily.from_function(sample, family.properties)


@pytest.mark.parametrize(
    "learner", [DecisionTreeClassifier(max_depth=2), LinearSVC()], ids=["tree", "svm"]
)
def test_labels_only_are_one_hot_predictions(learner):
    queries = shares(0.3, 20, 1)[0]
    draws = draw_sets(SHARES, 4, 80, 0)
    seen = Trainer(learner.set_params(random_state=0), queries, True).train(draws, 0)
    assert (seen.output, seen.classes.tolist()) == ("label", ["a", "b", "c"])
    for index in range(4):
        model = learner.fit(*draws(index))
        expected = [[float(label == c) for c in "abc"] for label in model.predict(queries)]
        if isinstance(learner, DecisionTreeClassifier):  # whatever its seed
            assert np.mean(seen.responses[index] == expected) > 0.95
        assert set(np.unique(seen.responses[index])) <= {0, 1}
        np.testing.assert_array_equal(seen.responses[index].sum(1), 1)


@pytest.mark.parametrize("family", [SHARES, two_of(SHARES)], ids=["three", "two"])
def test_labels_only_of_a_zoo_are_one_hot_predictions(family):
    learner = CausalMitigatedClassifier((3,), penalty=None, epochs=2)
    queries = shares(0.3, 20, 1)[0]
    logits, labels = (
        Trainer(learner, queries, only).train(draw_sets(family, 3, 80, 0), 0)
        for only in (False, True)
    )
    decided = logits.responses.argmax(2)
    if len(labels.classes) == 2:
        decided = (logits.responses[:, :, 0] > 0).astype(int)
    np.testing.assert_array_equal(labels.responses, np.eye(len(labels.classes))[decided])
