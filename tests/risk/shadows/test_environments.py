"""Environments of a family reach the learner through meta-estimators, or a warning says not."""

import pickle
import warnings
from contextlib import nullcontext
from typing import ClassVar

import numpy as np
import pytest
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl.distributions import EnvironmentMembershipFamily
from wsl.exceptions import DroppedEnvironmentsWarning
from wsl.risk import Adversary, InferenceGame, audit, leakage_scorer
from wsl.risk.shadows._drawn_sets import draw_sets
from wsl.risk.shadows._jobs import Configured
from wsl.risk.shadows._trainer import Trainer

FAMILY = EnvironmentMembershipFamily.linear_causal()
QUERIES = np.eye(2, dtype=np.float32)
ADVERSARY = Adversary(n_shadows=8, n_queries=4)
QUICK = {
    "adversary": ADVERSARY, "attacks": "queries", "n_targets": 8, "n_samples": 64, "n_repeats": 2,
    "random_state": 0, "progress": False,
}  # fmt: skip
ROUTING = {"enable_metadata_routing": True}


class CountsEnvironments(RegressorMixin, BaseEstimator):
    """Predicts how many environments it was fitted on, 0 without any."""

    __metadata_request__fit: ClassVar = {"environments": True}

    def __init__(self, offset=0):
        self.offset = offset

    def fit(self, X, y, environments=None):
        self.n_ = 0 if environments is None else len(np.unique(environments))
        return self

    def predict(self, X):
        return np.full(len(X), float(self.n_ + self.offset))


class DeclinesEnvironments(CountsEnvironments):
    __metadata_request__fit: ClassVar = {"environments": False}


def environments_of(learner):
    """Return the property of each of four models, and on how many environments it was trained."""
    shadows = Trainer(learner, QUERIES).train(draw_sets(FAMILY, 4, 64, 0), 0)
    return shadows.properties, shadows.responses[:, 0, 0]


@pytest.mark.parametrize(
    ("learner", "routing"),
    [
        (CountsEnvironments(), False),
        (make_pipeline(StandardScaler(), CountsEnvironments()), False),
        (make_pipeline(StandardScaler(), make_pipeline(CountsEnvironments())), False),
        (make_pipeline(StandardScaler(), CountsEnvironments()), True),
        (GridSearchCV(CountsEnvironments(), {"offset": [0]}, cv=2), True),
        (TransformedTargetRegressor(CountsEnvironments()), True),
        (make_pipeline(GridSearchCV(CountsEnvironments(), {"offset": [0]}, cv=2)), True),
    ],
    ids=["bare", "pipeline", "pipelines", "routed", "search", "target", "pipeline of a search"],
)
def test_environments_reach_the_learner_behind_meta_estimators(learner, routing):
    with (
        warnings.catch_warnings(),
        config_context(**ROUTING) if routing else nullcontext(),
    ):
        warnings.simplefilter("error", DroppedEnvironmentsWarning)
        properties, seen = environments_of(learner)
    np.testing.assert_array_equal(seen, 3 + properties)


@pytest.mark.parametrize(
    ("learner", "routing"),
    [
        (GridSearchCV(CountsEnvironments(), {"offset": [0]}, cv=2), False),
        (make_pipeline(DeclinesEnvironments()), True),
        (BaggingRegressor(CountsEnvironments(), n_estimators=2), False),
    ],
    ids=["search", "not requested", "bagging"],
)
def test_environments_that_reach_no_estimator_are_said_to_be_dropped(learner, routing):
    with (
        config_context(**ROUTING) if routing else nullcontext(),
        pytest.warns(DroppedEnvironmentsWarning, match="sEnvironments in") as warned,
    ):
        _, seen = environments_of(learner)
    assert not seen.any()
    assert "enable_metadata_routing=True" in str(warned[0].message)
    assert warned[0].filename == __file__


def test_a_learner_that_knows_no_environments_loses_none():
    with warnings.catch_warnings():
        warnings.simplefilter("error", DroppedEnvironmentsWarning)
        environments_of(make_pipeline(StandardScaler(), LinearRegression()))


def test_workers_have_the_configuration_of_their_creator():
    with config_context(**ROUTING):
        created = pickle.dumps(Configured(get_config))
    in_worker = pickle.loads(created)
    assert in_worker()["enable_metadata_routing"]
    assert not get_config()["enable_metadata_routing"]


def test_audits_games_and_scorers_pass_environments_too():
    learner = make_pipeline(StandardScaler(), CountsEnvironments())
    report = audit(learner, FAMILY, **QUICK)
    assert report.table["value"].tolist() == [1.0, 1.0]  # the number of environments says it all
    game = InferenceGame(
        learner=learner, prior=FAMILY, adversary=ADVERSARY, access="black_box", n_samples=64
    )
    played = game.play(n_targets=8, n_row_sets=0, random_state=0, progress=False)
    assert played.table["risk"].min() == 0
    with config_context(**ROUTING):
        score = leakage_scorer(
            FAMILY, **{name: value for name, value in QUICK.items() if name != "progress"}
        )
        X, y, environments = FAMILY.sample(1, 64, random_state=0)
        fitted = learner.fit(X, y, environments=environments)
        assert score(fitted, X, y)["leakage"] == 1
