import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl import CausalFeatureSelector, EnvironmentMembershipFamily
from wsl.exceptions import CausalFeaturesWarning

X, Y, ENVIRONMENTS = EnvironmentMembershipFamily.linear_causal().sample(1, 2048, random_state=0)
FRAME = pd.DataFrame(X, columns=["cause", "effect"])


def test_the_cause_is_kept():
    selector = CausalFeatureSelector().fit(FRAME, Y, environments=ENVIRONMENTS)
    assert selector.get_support(indices=True).tolist() == [0]
    assert selector.get_feature_names_out().tolist() == ["cause"]
    assert selector.set_output(transform="pandas").transform(FRAME).columns.tolist() == ["cause"]
    np.testing.assert_array_equal(selector.inverse_transform(X[:, :1])[:, 1], 0)
    tests = selector.tests_
    assert tests["columns"].tolist() == [(0, 1), (0,)]
    assert tests["accepted"].tolist() == [False, True]
    assert (tests["accepted"] == (tests["p_value"] > 0.05)).all()


def test_labels_are_classes_and_floats_are_numbers():
    kinds = [Y, Y > 0, (Y > 0).astype(int), np.where(Y > 0, "a", "b")]
    p = [
        CausalFeatureSelector().fit(X, y, environments=ENVIRONMENTS).tests_["p_value"].iloc[0]
        for y in kinds
    ]
    assert p[1] == pytest.approx(p[2])
    assert p[1] == pytest.approx(p[3])
    assert p[0] != pytest.approx(p[1], rel=1e-3, abs=0)


def test_a_graph_needs_no_outcome_values():
    graph = "digraph {cause -> y; y -> effect}"
    selector = CausalFeatureSelector("graph", graph=graph, outcome="y").fit(FRAME)
    assert selector.transform(FRAME).shape == (2048, 1)
    assert selector.tests_ is None
    blanket = CausalFeatureSelector("graph", graph=graph, outcome="y", keep="markov_blanket")
    assert blanket.fit_transform(FRAME).shape == (2048, 2)


def test_a_refit_keeps_no_tests_of_the_fit_before():
    selector = CausalFeatureSelector().fit(FRAME, Y, environments=ENVIRONMENTS)
    graph = "digraph {effect -> y}"
    selector.set_params(method="graph", graph=graph, outcome="y").fit(FRAME)
    assert selector.tests_ is None
    assert selector.get_feature_names_out().tolist() == ["effect"]


def test_environments_reach_it_in_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler(),
            CausalFeatureSelector().set_fit_request(environments=True),
            LinearRegression(),
        )
        pipeline.fit(FRAME, Y, environments=ENVIRONMENTS)
        results = cross_validate(
            pipeline, FRAME, Y, params={"environments": ENVIRONMENTS}, return_estimator=True
        )
        search = GridSearchCV(
            pipeline, {"causalfeatureselector__significance_level": [0.01, 0.05]}, cv=2
        )
        search.fit(FRAME, Y, environments=ENVIRONMENTS)
    assert pipeline[:-1].get_feature_names_out().tolist() == ["cause"]
    assert pipeline[-1].coef_ == pytest.approx([np.std(X[:, 0])], abs=0.1)
    kept = [fitted[1].get_support().tolist() for fitted in results["estimator"]]
    assert kept.count([True, False]) >= 4
    assert search.best_estimator_[1].get_support().any()


def test_without_routing_a_pipeline_passes_them_by_the_step():
    pipeline = make_pipeline(CausalFeatureSelector(), LinearRegression())
    pipeline.fit(X, Y, causalfeatureselector__environments=ENVIRONMENTS)
    assert pipeline[0].get_support().tolist() == [True, False]


def test_what_is_certain_may_be_nothing():
    with pytest.warns(CausalFeaturesWarning, match="no column is selected: y may have the same"):
        selector = CausalFeatureSelector(keep="parents").fit(X, Y, environments=ENVIRONMENTS)
    assert not selector.get_support().any()


@pytest.mark.parametrize(
    ("parameters", "environments", "named"),
    [
        ({}, ENVIRONMENTS[:-1], "`environments` must have 2048 entries, as X has; got 2047"),
        (
            {"keep": "markov_blanket"},
            ENVIRONMENTS,
            r"`keep` must be 'auto' or one of .*; got 'markov_blanket'",
        ),
        ({"significance_level": 0.0}, ENVIRONMENTS, "'significance_level' parameter"),
        ({"invariance_test": "magic"}, ENVIRONMENTS, "'invariance_test' parameter"),
        ({"method": "guess"}, ENVIRONMENTS, "'method' parameter"),
    ],
)
def test_errors_name_the_parameter(parameters, environments, named):
    with pytest.raises(ValueError, match=named):
        CausalFeatureSelector(**parameters).fit(X, Y, environments=environments)


def test_a_search_without_outcome_is_refused():
    with pytest.raises(ValueError, match="requires y"):
        CausalFeatureSelector().fit(X)
