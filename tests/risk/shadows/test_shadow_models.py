from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from wsl import CausalMitigatedRegressor
from wsl._random import resolve_random_state
from wsl.attacks import STRATEGIES, DistributionInferenceAttack
from wsl.distributions import DistributionFamily, EnvironmentMembershipFamily
from wsl.exceptions import AttackNotApplicableWarning
from wsl.risk import Adversary, audit, train_shadows

CAUSAL = EnvironmentMembershipFamily.linear_causal()
QUICK = {
    "adversary": Adversary(n_shadows=16, n_queries=8),
    "n_targets": 12,
    "n_samples": 60,
    "n_repeats": 2,
    "random_state": 0,
    "progress": False,
}


def knowing(**changed):
    return QUICK | {"adversary": replace(QUICK["adversary"], **changed)}


def shares(property_value, n_samples, random_state):
    """Three classes, of which the last is as frequent as the property says."""
    rng = resolve_random_state(random_state)
    y = rng.choice(["a", "b", "c"], n_samples, p=[0.5 - property_value / 2] * 2 + [property_value])
    X = rng.normal(size=(n_samples, 2)) + np.c_[y == "a", y == "c"]
    return X.astype(np.float32), y


SHARES = DistributionFamily.from_function(shares, (0.2, 0.6))


@pytest.mark.slow
def test_shadow_models_serve_several_audits():
    learner = LinearRegression()
    shadows = train_shadows(
        learner, CAUSAL, adversary=QUICK["adversary"], n_samples=60, random_state=0, progress=False
    )
    assert len(shadows) == 16
    alone = audit(learner, CAUSAL, **QUICK)
    settings = {name: value for name, value in QUICK.items() if name != "adversary"}
    shared = audit(learner, CAUSAL, shadows=shadows, **settings)
    pd.testing.assert_frame_equal(alone.table, shared.table)
    assert alone.settings == shared.settings
    fewer = settings | {"adversary": Adversary(n_selected_queries=2), "attacks": "queries"}
    assert audit(learner, CAUSAL, shadows=shadows, **fewer).settings["n_selected_queries"] == 2
    for field, value in (("learner", Ridge()), ("queries", np.eye(2)), ("n_shadows", 16)):
        other = Adversary(**{field: value})
        with pytest.raises(ValueError, match=f"`adversary.{field}` must be left at its default"):
            audit(learner, CAUSAL, shadows=shadows, adversary=other, **settings)
    with pytest.raises(ValueError, match="`shadows` must be trained for the properties"):
        audit(LogisticRegression(), SHARES, shadows=shadows, **settings)
    with pytest.raises(TypeError, match="`shadows` must be what train_shadows returns; got 3"):
        audit(learner, CAUSAL, shadows=3, **settings)


def test_the_adversary_may_believe_in_another_learner():
    report = audit(LinearRegression(), CAUSAL, **knowing(learner=Ridge(1e-6), n_samples=70))
    assert not report.skipped, "two linear models have weights of one meaning"
    assert report.settings["adversary_learner"] == repr(Ridge(1e-6))
    assert report.settings["adversary_n_samples"] == 70
    mlp = CausalMitigatedRegressor((3,), penalty=None, epochs=1)
    with pytest.warns(AttackNotApplicableWarning, match="'deepsets' skipped"):
        report = audit(LinearRegression(), CAUSAL, **knowing(learner=mlp))
    assert "have different architectures" in report.skipped["deepsets"]
    assert report.table["attack"].unique().tolist() == ["queries"]


def test_a_regressor_predicts_no_labels():
    with pytest.raises(
        ValueError, match=r"`adversary\.labels_only` must be False .* LinearRegression"
    ):
        audit(LinearRegression(), CAUSAL, **knowing(labels_only=True))
    report = audit(LogisticRegression(), SHARES, attacks="queries", **knowing(labels_only=True))
    assert report.settings["labels_only"] is True


BLACK_BOXES = [name for name, strategy in STRATEGIES.items() if not strategy.white_box]
WHITE_BOXES = [name for name, strategy in STRATEGIES.items() if strategy.white_box]


@pytest.mark.slow
@pytest.mark.parametrize("labels_only", [False, True], ids=["proba", "labels"])
def test_every_black_box_attack_infers_that_a_class_is_frequent(labels_only):
    report = audit(
        LogisticRegression(),
        SHARES,
        attacks=BLACK_BOXES,
        **knowing(labels_only=labels_only, n_shadows=40, n_queries=60)
        | {"n_samples": 200, "n_targets": 40},
    )
    accuracy = report.table[report.table["metric"] == "accuracy"].set_index("attack")["value"]
    assert accuracy.index.tolist() == BLACK_BOXES
    # the loss test compares rows that are harder under one property: it needs no better than chance
    assert (accuracy.drop("loss") > 0.8).all(), accuracy


@pytest.mark.slow
def test_every_white_box_attack_infers_from_the_coefficients_of_a_line():
    sizes = {"n_samples": 1000, "n_targets": 32}
    report = audit(LinearRegression(), CAUSAL, attacks=WHITE_BOXES, **knowing(n_shadows=64) | sizes)
    accuracy = report.table[report.table["metric"] == "accuracy"].set_index("attack")["value"]
    assert accuracy.index.tolist() == WHITE_BOXES
    assert (accuracy > 0.7).all(), accuracy


@pytest.mark.parametrize("queries", ["random", np.eye(2)], ids=["random", "given"])
def test_queries_of_another_kind(queries):
    report = audit(LinearRegression(), CAUSAL, attacks="queries", **knowing(queries=queries))
    assert report.settings["queries"] == ("random" if isinstance(queries, str) else "given")
    assert report.settings["n_queries"] == (8 if isinstance(queries, str) else 2)


@pytest.mark.parametrize(
    ("changed", "error", "named"),
    [
        ({"queries": "any"}, ValueError, r"`adversary\.queries` must be .* got 'any'"),
        ({"queries": [[np.nan, 1]]}, ValueError, r"`adversary\.queries` must be a 2-D array"),
        ({"queries": [1, 2]}, ValueError, r"`adversary\.queries` must be a 2-D array"),
        ({"learner": "ols"}, TypeError, r"`adversary\.learner` must be .* got 'ols'"),
        ({"n_samples": 0}, ValueError, r"`adversary\.n_samples` must be .* got 0"),
        ({"labels_only": 1}, ValueError, r"`adversary\.labels_only` must be True or False; got 1"),
        (
            {"n_selected_queries": 0},
            ValueError,
            r"`adversary\.n_selected_queries` must be .* got 0",
        ),
    ],
)
def test_errors_name_the_parameter(changed, error, named):
    with pytest.raises(error, match=named):
        audit(LinearRegression(), CAUSAL, **knowing(**changed))


def test_attacks_of_one_strategy_have_names():
    attacks = {
        "default": "queries",
        "linear": DistributionInferenceAttack("queries", meta_estimator=LogisticRegression()),
    }
    report = audit(LinearRegression(), CAUSAL, attacks=attacks, **QUICK)
    assert list(report.guesses) == ["default", "linear"]
