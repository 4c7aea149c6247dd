from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl import Architecture, CausalMitigatedRegressor
from wsl._random import resolve_random_state
from wsl.distributions import DistributionFamily, EnvironmentMembershipFamily, Interval
from wsl.exceptions import DivergedModelWarning, InvalidInputError, TrainingFailedError
from wsl.risk.shadows import _trainer
from wsl.risk.shadows._drawn_sets import draw, draw_queries, redraw
from wsl.risk.shadows._jobs import seeded
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


def test_draws_repeat_and_redraws_share_the_property_alone():
    draws = draw(CAUSAL, 6, 40, seed=3)
    others = redraw(draws, seed=4)
    for index in range(6):
        for a, b in zip(draws(index), draws(index), strict=True):
            np.testing.assert_array_equal(a, b)
        assert (3 in draws(index)[2]) == (3 in others(index)[2]) == draws.properties[index]
        assert not np.array_equal(draws(index)[0], others(index)[0])
    assert not np.array_equal(draws(0)[0], draws(1)[0])


def same_numbers(property_value, n_samples, random_state):
    return np.full((n_samples, 1), property_value, dtype=np.float32), np.zeros(n_samples)


@pytest.mark.parametrize(
    ("properties", "counts"), [((0, 1), {4, 3}), ((0, 1, 2), {3, 2}), (Interval(0, 1), {1})]
)
def test_queries_are_shared_among_the_values(properties, counts):
    queries = draw_queries(
        DistributionFamily.from_function(same_numbers, properties), 7, seed=0
    ).rows
    assert queries.shape == (7, 1)
    assert set(np.unique(queries, return_counts=True)[1].tolist()) <= counts


def test_a_model_does_not_depend_on_the_number_of_workers():
    learner = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5)
    draws = draw(CAUSAL, 6, 40, seed=0)
    with pytest.warns(Warning, match="converge"):
        one = Trainer(learner, QUERIES, n_jobs=1).train(draws, 0)
    two = Trainer(learner, QUERIES, n_jobs=2).train(draws, 0)
    np.testing.assert_array_equal(one.weights, two.weights)
    np.testing.assert_array_equal(one.responses, two.responses)
    assert one.architecture == two.architecture
    assert len(np.unique(one.weights[:, 0])) == 6


def test_a_zoo_is_seen_as_its_models_one_by_one_are():
    draws = draw(CAUSAL, 5, 200, seed=0)
    tests = {"own": redraw(draws, seed=1)}
    zoo = Trainer(ZooOfLines(), QUERIES).train(draws, 0, tests)
    each = Trainer(LinearRegression(), QUERIES).train(draws, 0, tests)
    np.testing.assert_allclose(zoo.weights, each.weights, rtol=1e-5)
    np.testing.assert_allclose(zoo.responses, each.responses, rtol=1e-4, atol=1e-5)
    assert set(zoo.utility) == {("own", "r2"), ("own", "mean_squared_error")}
    for metric, values in zoo.utility.items():
        np.testing.assert_allclose(values, each.utility[metric], rtol=1e-4)


def test_a_zoo_does_not_depend_on_the_workers_and_comes_in_pieces(monkeypatch):
    monkeypatch.setattr(_trainer, "ZOO_PIECE", 4)
    learner = CausalMitigatedRegressor((3,), penalty=None, epochs=1, batch_size=16)
    draws = draw(CAUSAL, 10, 40, seed=0)
    one, two, few = (
        Trainer(learner, QUERIES, n_jobs=n_jobs).train(own, 0, {"own": redraw(own, seed=1)})
        for n_jobs, own in ((1, draws), (2, draws), (None, draw(CAUSAL, 8, 40, seed=0)))
    )
    np.testing.assert_allclose(one.weights, two.weights, rtol=1e-5)
    np.testing.assert_allclose(one.weights[:8], few.weights, rtol=1e-5)
    np.testing.assert_allclose(one.utility["own", "r2"], two.utility["own", "r2"], rtol=1e-4)
    assert one.models.tolist() == list(range(10))
    assert len(np.unique(one.weights[:, 0])) == 10


def test_labels_alone_need_classes():
    with pytest.raises(InvalidInputError, match="labels are numbers"):
        Trainer(ZooOfLines(), QUERIES, labels_only=True).train(draw(CAUSAL, 4, 40, seed=0), 0)


def test_nothing_is_left_where_all_models_diverged():
    learner = ZooOfLines()
    learner.diverged = (0, 1, 2)
    with (
        pytest.warns(DivergedModelWarning),
        pytest.raises(TrainingFailedError, match="all models diverged"),
    ):
        Trainer(learner, QUERIES).train(draw(CAUSAL, 3, 40, seed=0), 0)


class ZooOfLogits:
    """One model, which says "b" where the first feature is positive."""

    def fit_zoo(self, datasets, n_models):
        architecture = Architecture.mlp(2, [], 1)
        return SimpleNamespace(
            weights=np.array([[1.0, 0, 0]] * n_models), architecture=architecture
        )


def test_a_zoo_of_classifiers_is_scored_by_its_labels():
    family = DistributionFamily.from_function(two_classes, (0, 1))
    draws = draw(family, 4, 50, seed=0)
    tests = {"own": redraw(draws, seed=1)}
    utility = Trainer(ZooOfLogits(), QUERIES).train(draws, 0, tests).utility
    np.testing.assert_array_equal(utility["own", "accuracy"], 1.0)


def two_classes(property_value, n_samples, random_state):
    X = resolve_random_state(random_state).normal(size=(n_samples, 2))
    return X, np.where(X[:, 0] > 0, "b", "a")


def test_utility_is_the_learners_own_score():
    draws = draw(CAUSAL, 3, 100, seed=0)
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
    with pytest.warns(
        DivergedModelWarning, match=r"2 of 5 models diverged .* \[1, 3\]\. They are left out"
    ):
        population = Trainer(learner, QUERIES).train(draw(CAUSAL, 5, 50, seed=0), 0)
    assert len(population) == len(population.weights) == 3


def test_environments_reach_a_learner_that_takes_them():
    draws = draw(CAUSAL, 4, 50, seed=0)
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
    draws = draw(family, 6, 60, seed=0)
    population = Trainer(LogisticRegression(), QUERIES).train(draws, 0)
    assert population.classes.tolist() == ["a", "b", "c"]
    without = draws.properties == 0
    assert (population.responses[without][:, :, 2] == 0).all()
    assert (population.responses[~without][:, :, 2] > 0).all()
    np.testing.assert_allclose(population.responses.sum(2), 1, rtol=1e-5)
    assert population.weights is None


def test_every_seed_in_a_learner_is_set():
    nested = make_pipeline(StandardScaler(), MLPRegressor())
    first, again, other = (seeded(nested, seed) for seed in (1, 1, 2))
    name = "mlpregressor__random_state"
    assert first.get_params()[name] == again.get_params()[name] != other.get_params()[name]
    assert nested.get_params()[name] is None
