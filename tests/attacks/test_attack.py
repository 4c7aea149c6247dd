import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
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
    SortedWeights,
    WeightSpaceAutoencoder,
    WeightStatistics,
    train_zoo,
)
from wsl.attacks import STRATEGIES, select_queries
from wsl.exceptions import InvalidInputError

LINEAR = Architecture(nn.Linear(9, 1))
QUERIES = np.random.default_rng(99).normal(size=(64, 9))


def linear_gaussian(n_models, seed, distance=1.0):
    """Linear models N(mean of class, I)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_models)
    mean = (2 * y[:, None] - 1) * distance / np.sqrt(10)
    return (rng.normal(size=(n_models, 10)) + mean).astype(np.float32), y


CAPABLE = [name for name, strategy in STRATEGIES.items() if strategy.has_meta_estimator]

VIEWS = {
    "white box": {"architecture": LINEAR},
    "black box": {"architecture": LINEAR, "queries": QUERIES},
    "features as they stand": {},
}


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
    sets = attack.estimator_.estimator_
    assert isinstance(sets, DeepSetsClassifier)
    np.testing.assert_array_equal(attack.predict(X), sets.predict(X))
    odds = [np.log(p[:, 1] / p[:, 0]) for p in (attack.predict_proba(X), sets.predict_proba(X))]
    assert np.ptp(odds[0] / odds[1]) < 1e-6  # raised to one power, all of them
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


@pytest.mark.parametrize("strategy", CAPABLE)
def test_a_meta_estimator_takes_the_place_of_the_default(strategy):
    X, y = linear_gaussian(60, 0)
    given = {
        "query_labels": QUERIES[:, 0],
        "query_properties": np.arange(64) % 2,
        "autoencoder": PCA(2),
        "queries": QUERIES,
        "architecture": LINEAR,
    }
    meta = RandomForestClassifier(5, random_state=0)
    attack = DistributionInferenceAttack(strategy, meta_estimator=meta, **given).fit(X, y)
    assert isinstance(attack.estimator_[-1], RandomForestClassifier)
    by_hand = clone(meta).fit(attack.estimator_[:-1].transform(X), y)
    np.testing.assert_array_equal(
        attack.predict_proba(X), by_hand.predict_proba(attack.estimator_[:-1].transform(X))
    )
    twin = DistributionInferenceRegressor(strategy, meta_estimator=LinearRegression(), **given)
    assert isinstance(twin.fit(X, X[:, 0]).estimator_[-1], LinearRegression)


def test_features_are_those_of_the_transformers():
    architecture = Architecture.mlp(2, [3], 1)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, architecture.n_weights)).astype(np.float32), np.arange(40) % 2
    for strategy, features in (("sorted", SortedWeights), ("statistics", WeightStatistics)):
        attack = DistributionInferenceAttack(strategy, architecture=architecture).fit(X, y)
        np.testing.assert_array_equal(
            attack.estimator_[0].transform(X), features(architecture).fit(X).transform(X)
        )
        mixed = architecture.permute(X, random_state=1)
        np.testing.assert_allclose(attack.predict_proba(mixed), attack.predict_proba(X), atol=1e-5)


# --- autoencoder


@pytest.mark.parametrize("freeze", [FrozenEstimator, lambda fitted: fitted])
def test_a_fitted_autoencoder_is_used_as_it_is_also_by_copies(freeze):
    X, y = linear_gaussian(60, 0)
    unlabelled, _ = linear_gaussian(200, 1)
    fitted = WeightSpaceAutoencoder(LINEAR, beta=1, gamma=0, epochs=1, random_state=0)
    fitted.fit(unlabelled)
    embedding = fitted.transform(X)
    attack = DistributionInferenceAttack(autoencoder=freeze(fitted), architecture=LINEAR)
    assert attack.fit(X, y).strategy_ == "autoencoder"
    np.testing.assert_array_equal(attack.estimator_[0].transform(X), embedding)
    copied = clone(attack).fit(X[:40], y[:40])
    np.testing.assert_array_equal(copied.estimator_[0].transform(X), embedding)
    assert "WeightSpaceAutoencoder" in repr(attack)
    restored = pickle.loads(pickle.dumps(attack))
    np.testing.assert_array_equal(restored.predict_proba(X), attack.predict_proba(X))


def test_an_unfitted_autoencoder_is_copied_and_fitted():
    X, y = linear_gaussian(60, 0)
    given = PCA(3)
    attack = DistributionInferenceAttack("autoencoder", autoencoder=given).fit(X, y)
    assert not hasattr(given, "components_")
    np.testing.assert_array_equal(
        attack.estimator_[0].transform(X), clone(given).fit(X).transform(X)
    )


# --- what is seen of answers


@pytest.mark.parametrize("output", ["logits", "proba", "label"])
def test_the_adversary_sees_the_output_alone(output):
    architecture = Architecture.mlp(2, [3], 3)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, architecture.n_weights)).astype(np.float32), np.arange(40) % 2
    queries = rng.normal(size=(20, 2))
    given = {
        "query_output": output,
        "query_labels": np.arange(20) % 3,
        "query_properties": np.arange(20) % 2,
        "random_state": 0,
    }
    seen = QueryResponses(architecture, queries, output=output).fit(X).transform(X)
    for strategy in ("queries", "loss", "threshold", "kl"):
        run = DistributionInferenceAttack(
            strategy, architecture=architecture, queries=queries, **given
        ).fit(X, y)
        recorded = DistributionInferenceAttack(strategy, **given).fit(seen, y)
        np.testing.assert_allclose(run.predict_proba(X), recorded.predict_proba(seen), atol=1e-9)


@pytest.mark.parametrize("n_selected", [None, 4])
@pytest.mark.parametrize("strategy", ["queries", "loss", "threshold", "kl"])
def test_what_changes_no_probability_of_classes_changes_nothing(strategy, n_selected):
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(40, 20, 3)), np.arange(40) % 2
    given = {"query_labels": np.arange(20) % 3, "query_properties": np.arange(20) % 2}
    if n_selected and strategy in ("queries", "kl"):
        given["n_selected_queries"] = n_selected
    attack = DistributionInferenceAttack(strategy, **given, random_state=0)
    attack.fit(logits.reshape(40, -1), y)
    shifted = (logits + 5 * rng.normal(size=(40, 20, 1))).reshape(40, -1)
    expected = attack.predict_proba(logits.reshape(40, -1))
    np.testing.assert_allclose(attack.predict_proba(shifted), expected, atol=1e-9)
    np.testing.assert_allclose(clone(attack).fit(shifted, y).predict_proba(shifted), expected)


def test_of_numbers_everything_counts():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    both = rng.normal(size=(60, 10, 1)) + 2 * y[:, None, None] + np.zeros(2)
    X = both.reshape(60, -1)
    numbers = {"query_labels": rng.normal(size=(10, 2))}
    assert DistributionInferenceAttack(**numbers, random_state=0).fit(X, y).score(X, y) > 0.9
    classes = {"query_labels": np.arange(10) % 2}
    assert DistributionInferenceAttack(**classes, random_state=0).fit(X, y).score(X, y) < 0.7


@pytest.mark.parametrize("strategy", ["queries", "kl"])
def test_selected_queries_are_the_only_ones_that_a_target_is_asked(strategy, monkeypatch):
    X, y = linear_gaussian(100, 0)
    attack = DistributionInferenceAttack(
        strategy, architecture=LINEAR, queries=QUERIES, n_selected_queries=5, random_state=0
    ).fit(X, y)
    answers = QueryResponses(LINEAR, QUERIES).fit_transform(X)
    chosen = select_queries(answers, y, 5)
    np.testing.assert_array_equal(attack.selected_queries_, np.sort(chosen))
    recorded = DistributionInferenceAttack(strategy, n_selected_queries=5, random_state=0)
    expected = recorded.fit(answers, y).predict_proba(answers)
    asked = []
    forward = Architecture.forward
    monkeypatch.setattr(
        Architecture, "forward", lambda self, w, q: asked.append(len(q)) or forward(self, w, q)
    )
    np.testing.assert_allclose(attack.predict_proba(X), expected, atol=1e-5)
    assert set(asked) == {5}
    assert DistributionInferenceAttack(random_state=0).fit(X, y).selected_queries_ is None


def test_probabilities_where_the_meta_estimator_has_them():
    X, y = linear_gaussian(80, 0)
    assert hasattr(DistributionInferenceAttack(), "predict_proba")
    attack = DistributionInferenceAttack(meta_estimator=LinearSVC())
    assert not hasattr(attack, "predict_proba")
    assert not hasattr(attack.fit(X, y), "predict_proba")
    assert attack.score(X, y) > 0.6


@pytest.mark.slow
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


@pytest.mark.slow
def test_grid_search_and_cross_validation():
    X, y = linear_gaussian(120, 0)
    attack = DistributionInferenceAttack(architecture=LINEAR, random_state=0)
    attack.set_params(
        queries=QUERIES,
        query_labels=np.where(QUERIES[:, 0] > 0, 0.5, -0.5),
        query_properties=np.arange(64) % 2,
        autoencoder=PCA(4),
    )
    search = GridSearchCV(attack, {"strategy": list(STRATEGIES)}, cv=2, error_score="raise")
    search.fit(X, y)
    assert search.best_score_ > 0.7
    assert set(search.cv_results_["param_strategy"]) == set(STRATEGIES)
    attack.set_params(queries=None, autoencoder=None)
    proba = cross_val_predict(attack, X, y, cv=2, method="predict_proba")
    np.testing.assert_allclose(proba.sum(1), 1)


@pytest.mark.slow
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
    "strategy": (
        {"strategy": "guess"},
        "`strategy` must be one of 'auto', 'deepsets', 'probes'.*'kl'; got 'guess'",
    ),
    "queries missing": ({"strategy": "queries", "architecture": LINEAR}, "`queries`.* got None"),
    "queries features": (
        {"architecture": LINEAR, "queries": np.ones((3, 4))},
        r"`queries` must have 9 columns.* got 4",
    ),
    "queries without architecture": ({"queries": QUERIES}, "architecture"),
    "labels missing": (
        {"strategy": "loss", "query_properties": [0] * 10},
        "`query_labels` must be given for strategy 'loss': the true target.*got None",
    ),
    "properties missing": (
        {"strategy": "threshold", "query_labels": [0] * 10},
        "`query_properties` must be given for strategy 'threshold'.*got None",
    ),
    "a class without queries": (
        {"strategy": "loss", "query_labels": [0.5] * 10, "query_properties": [0] * 10},
        "`query_properties` must contain every class of y; got no query of 1",
    ),
    "labels of other queries": (
        {"architecture": LINEAR, "queries": QUERIES, "query_labels": [0, 1]},
        "`query_labels` must have 64 entries, as queries has; got 2",
    ),
    "answers that cannot be divided": (
        {"query_labels": [0, 1, 0]},
        "X must have the same number of columns per query; got 10 columns for 3 queries",
    ),
    "classes that models do not know": (
        {
            "strategy": "loss",
            "query_output": "proba",
            "query_labels": list("aabbc"),
            "query_properties": [0, 1, 0, 1, 0],
        },
        "`query_labels` must contain all 2 classes.*got 3 classes, 'a' to 'c'",
    ),
    "queries to select for deepsets": (
        {"architecture": LINEAR, "n_selected_queries": 3},
        "`n_selected_queries` must be None for strategy 'deepsets'; got 3.*'queries', 'kl'",
    ),
    "more queries to select than there are": (
        {"architecture": LINEAR, "queries": QUERIES, "n_selected_queries": 65},
        "`n_selected_queries` must be between 1 and 64.*got 65",
    ),
    "meta-estimator for kl": (
        {"strategy": "kl", "meta_estimator": DummyClassifier()},
        "`meta_estimator` must be None for strategy 'kl'.*got DummyClassifier",
    ),
    "autoencoder of other models": (
        {"autoencoder": PCA(2).fit(np.eye(4))},
        "X must have 4 columns, as `autoencoder` was fitted to; got 10",
    ),
    "meta-estimator for deepsets": (
        {"architecture": LINEAR, "meta_estimator": DummyClassifier()},
        "`meta_estimator` must be None for strategy 'deepsets'.*got DummyClassifier",
    ),
    "meta-estimator of the wrong kind": (
        {"meta_estimator": LinearRegression()},
        "`meta_estimator` must be a classifier.*got LinearRegression",
    ),
    "columns": (
        {"architecture": Architecture.mlp(3, [2], 1)},
        "`X` must have 11 columns, .*; got 10",
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
    with pytest.raises(ValueError, match="at least two classes"):
        DistributionInferenceAttack().fit(X, np.ones(40))
    with pytest.raises(ValueError, match="NaN"):
        DistributionInferenceAttack().fit(np.where(X > 1, np.nan, X), y)
    with pytest.raises(
        InvalidInputError, match=r"`meta_estimator` must be a regressor.*got DummyClassifier"
    ):
        DistributionInferenceRegressor(meta_estimator=DummyClassifier()).fit(X, X[:, 0])
