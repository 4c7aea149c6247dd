import pickle

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from torch import nn

from wsl import (
    Architecture,
    DeepSetsClassifier,
    DeepSetsRegressor,
    DistributionInferenceAttack,
    DistributionInferenceRegressor,
    QueryResponses,
    train_zoo,
)
from wsl.exceptions import InvalidInputError

LINEAR = Architecture(nn.Linear(9, 1))
QUERIES = np.random.default_rng(99).normal(size=(64, 9))


def linear_gaussian(n_models, seed, distance=1.0):
    """Linear models N(mean of class, I): the best possible accuracy is Phi(distance)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_models)
    mean = (2 * y[:, None] - 1) * distance / np.sqrt(10)
    return (rng.normal(size=(n_models, 10)) + mean).astype(np.float32), y


VIEWS = {
    "white box": {"architecture": LINEAR},
    "black box": {"architecture": LINEAR, "queries": QUERIES},
    "features as they stand": {},
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("distance", [0.5, 1.5])
def test_close_to_the_best_possible_and_not_above(view, distance):
    best = norm.cdf(distance)
    X, y = linear_gaussian(1000, 0, distance)
    X_test, y_test = linear_gaussian(4000, 1, distance)
    noise = np.sqrt(best * (1 - best) / len(y_test))
    attack = DistributionInferenceAttack(**VIEWS[view], random_state=0).fit(X, y)
    assert best - 0.04 < attack.score(X_test, y_test) < best + 3 * noise


@pytest.mark.parametrize("view", VIEWS)
def test_chance_when_the_label_has_nothing_to_do_with_the_models(view):
    rng = np.random.default_rng(3)
    X, X_test = rng.normal(size=(2, 1000, 10))
    y, y_test = rng.integers(2, size=(2, 1000))
    attack = DistributionInferenceAttack(**VIEWS[view], random_state=0).fit(X[:300], y[:300])
    assert abs(attack.score(X_test, y_test) - 0.5) < 3 * np.sqrt(0.25 / 1000)


def test_a_class_between_two_others_is_found_though_no_line_cuts_it_off():
    rng = np.random.default_rng(0)
    share = rng.uniform(size=600)
    X = share[:, None] + 0.1 * rng.normal(size=(600, 50))
    y = np.abs(share - 0.5) < 0.25
    attack = DistributionInferenceAttack(random_state=0).fit(X[:300], y[:300])
    assert attack.score(X[300:], y[300:]) > 0.9
    assert LogisticRegression().fit(X[:300], y[:300]).score(X[300:], y[300:]) < 0.7


def test_auto_chooses_by_what_is_given():
    X, y = linear_gaussian(80, 0)
    chosen = {
        view: DistributionInferenceAttack(**given, random_state=0).fit(X, y).strategy_
        for view, given in VIEWS.items()
    }
    assert chosen == {
        "white box": "deepsets",
        "black box": "queries",
        "features as they stand": "queries",
    }


def test_deepsets_is_the_estimator_of_that_name():
    X, y = linear_gaussian(80, 0)
    attack = DistributionInferenceAttack("deepsets", architecture=LINEAR, random_state=0).fit(X, y)
    assert isinstance(attack.estimator_, DeepSetsClassifier)
    np.testing.assert_array_equal(attack.predict_proba(X), attack.estimator_.predict_proba(X))
    twin = DistributionInferenceRegressor("deepsets", architecture=LINEAR).fit(X, X[:, 0])
    assert isinstance(twin.estimator_, DeepSetsRegressor)


def test_queries_are_query_responses_and_a_meta_estimator():
    X, y = linear_gaussian(80, 0)
    meta = RandomForestClassifier(10, random_state=0)
    attack = DistributionInferenceAttack(
        "queries", architecture=LINEAR, queries=QUERIES, meta_estimator=meta
    )
    by_hand = make_pipeline(QueryResponses(LINEAR, QUERIES), clone(meta)).fit(X, y)
    np.testing.assert_array_equal(attack.fit(X, y).predict_proba(X), by_hand.predict_proba(X))
    assert not hasattr(meta, "estimators_")


def test_probabilities_where_the_meta_estimator_has_them():
    X, y = linear_gaussian(80, 0)
    assert hasattr(DistributionInferenceAttack(), "predict_proba")
    attack = DistributionInferenceAttack(meta_estimator=LinearSVC())
    assert not hasattr(attack, "predict_proba")
    assert not hasattr(attack.fit(X, y), "predict_proba")
    assert attack.score(X, y) > 0.6


@pytest.mark.parametrize("view", VIEWS)
def test_regressor_of_one_property_and_of_several(view):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 10))
    y = X @ rng.normal(size=(10, 2)) + 0.1 * rng.normal(size=(600, 2))
    attack = DistributionInferenceRegressor(**VIEWS[view], random_state=0)
    for target in (y, y[:, 0]):
        score = attack.fit(X[:400], target[:400]).score(X[400:], target[400:])
        assert attack.predict(X).shape == target.shape
        assert score > 0.9


@pytest.mark.parametrize("view", VIEWS)
def test_same_seed_same_result_also_through_pickle(view):
    X, y = linear_gaussian(100, 0)
    attack = DistributionInferenceAttack(**VIEWS[view], random_state=7)
    first = attack.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(attack).fit(X, y).predict_proba(X), first)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(attack)).predict_proba(X), first)


def test_grid_search_and_cross_validation():
    X, y = linear_gaussian(120, 0)
    attack = DistributionInferenceAttack(architecture=LINEAR, random_state=0)
    grid = {"strategy": ["deepsets"]}, {"strategy": ["queries"], "queries": [QUERIES]}
    search = GridSearchCV(attack, list(grid), cv=2, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.7
    proba = cross_val_predict(attack, X, y, cv=2, method="predict_proba")
    np.testing.assert_allclose(proba.sum(1), 1)


def test_shadow_models_of_two_labelling_rules():
    architecture = Architecture.mlp(4, [8], 1)
    rng = np.random.default_rng(1)
    rules = rng.normal(size=(2, architecture.n_weights))
    rules[1] = rules[0] + 0.2 * rng.normal(size=architecture.n_weights)
    y = np.arange(160) % 2

    def dataset(index):
        inputs = 2 * np.random.default_rng(index).normal(size=(256, 4)).astype(np.float32)
        return inputs, architecture.forward(rules[[y[index]]], inputs)[0]

    zoo = train_zoo(
        architecture, dataset, n_models=160, epochs=10, batch_size=32, learning_rate=1e-2,
        loss="mse", random_state=0,
    )  # fmt: skip
    queries = 2 * rng.normal(size=(64, 4))
    for given in ({}, {"queries": queries}):
        attack = DistributionInferenceAttack(architecture=architecture, random_state=0, **given)
        attack.fit(zoo.weights[:80], y[:80])
        assert attack.score(zoo.weights[80:], y[80:]) > 0.9


WRONG = {
    "strategy": ({"strategy": "guess"}, "strategy='guess'.*'auto', 'deepsets', 'queries'"),
    "queries missing": ({"strategy": "queries", "architecture": LINEAR}, "queries=None"),
    "queries features": (
        {"architecture": LINEAR, "queries": np.ones((3, 4))},
        "queries has 4 features, but the architecture takes 9",
    ),
    "queries without architecture": ({"queries": QUERIES}, "architecture"),
    "queries for deepsets": (
        {"strategy": "deepsets", "architecture": LINEAR, "queries": QUERIES},
        "queries were given",
    ),
    "meta-estimator for deepsets": (
        {"architecture": LINEAR, "meta_estimator": DummyClassifier()},
        "meta_estimator=DummyClassifier",
    ),
    "meta-estimator of the wrong kind": (
        {"meta_estimator": LinearRegression()},
        "meta_estimator=.*wanted a classifier",
    ),
    "columns": (
        {"architecture": Architecture.mlp(3, [2], 1)},
        "X has 10 columns, but the architecture takes 11",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_parameters_are_named(case):
    parameters, message = WRONG[case]
    X, y = linear_gaussian(40, 0)
    with pytest.raises(InvalidInputError, match=message):
        DistributionInferenceAttack(**parameters).fit(X, y)


def test_wrong_models_are_named():
    X, y = linear_gaussian(40, 0)
    with pytest.raises(ValueError, match="one class"):
        DistributionInferenceAttack().fit(X, np.ones(40))
    with pytest.raises(ValueError, match="NaN"):
        DistributionInferenceAttack().fit(np.where(X > 1, np.nan, X), y)
    with pytest.raises(InvalidInputError, match="wanted a regressor"):
        DistributionInferenceRegressor(meta_estimator=DummyClassifier()).fit(X, X[:, 0])
