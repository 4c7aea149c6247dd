"""What users set for the output of transformers changes no result."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl import Architecture, CausalFeatureSelector
from wsl.attacks import DistributionInferenceAttack, DistributionInferenceRegressor
from wsl.distributions import EnvironmentMembershipFamily, SubsampledFamily
from wsl.risk import Adversary, InferenceGame, audit, leakage_sources

FAMILY = EnvironmentMembershipFamily.linear_causal()
ADVERSARY = Adversary(n_shadows=16, n_queries=8)
QUICK = {
    "adversary": ADVERSARY, "n_targets": 8, "n_samples": 64, "n_repeats": 2, "random_state": 0,
    "progress": False,
}  # fmt: skip
ARCHITECTURE = Architecture.mlp(2, [3], 1)
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(40, ARCHITECTURE.n_weights)).astype(np.float32)
INPUTS = RNG.normal(size=(10, 2))
TABLE = pd.DataFrame({"age": RNG.normal(size=200), "town": RNG.choice(["a", "b"], 200)})


@pytest.fixture(params=["pandas", "polars"])
def in_frames(request):
    return config_context(transform_output=request.param)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["queries", "sorted", "statistics", "threshold", "loss"])
def test_audits_do_not_depend_on_it(attack, in_frames):
    expected = audit(Ridge(), FAMILY, attacks=attack, **QUICK)
    with in_frames:
        report = audit(Ridge(), FAMILY, attacks=attack, **QUICK)
    pd.testing.assert_frame_equal(report.table, expected.table)


@pytest.mark.slow
def test_weights_behind_a_scaler_of_frames_are_read(in_frames):
    learner = make_pipeline(StandardScaler(), Ridge())
    expected = audit(learner, FAMILY, attacks="sorted", **QUICK)
    with in_frames:
        report = audit(learner, FAMILY, attacks="sorted", **QUICK)
    pd.testing.assert_frame_equal(report.table, expected.table)


@pytest.mark.parametrize("strategy", ["sorted", "statistics", "queries", "kl"])
def test_attacks_do_not_depend_on_it(strategy, in_frames):
    guesses = []
    for context in (config_context(), in_frames):
        with context:
            attack = DistributionInferenceAttack(
                strategy, architecture=ARCHITECTURE, queries=INPUTS, random_state=0
            ).fit(ROWS, ROWS[:, 0] > 0)
            guesses.append(attack.predict_proba(ROWS))
    np.testing.assert_allclose(*guesses, rtol=1e-12)


def test_attacks_on_numbers_do_not_depend_on_it(in_frames):
    guesses = []
    for context in (config_context(), in_frames):
        with context:
            attack = DistributionInferenceRegressor(
                "queries", architecture=ARCHITECTURE, queries=INPUTS
            )
            guesses.append(attack.fit(ROWS, ROWS[:, 0]).predict(ROWS))
    np.testing.assert_allclose(*guesses, rtol=1e-12)


@pytest.mark.slow
def test_games_do_not_depend_on_it(in_frames):
    game = InferenceGame(
        learner=Ridge(), prior=FAMILY, adversary=ADVERSARY, n_samples=64, access="black_box"
    )
    options = {"n_targets": 8, "n_repeats": 2, "n_row_sets": 32, "random_state": 0}
    expected = game.play(**options)
    with in_frames:
        report = game.play(**options)
    pd.testing.assert_frame_equal(report.table, expected.table)


@pytest.mark.slow
def test_sources_do_not_depend_on_it(in_frames):
    options = QUICK | {"sample_size_multipliers": (1,)}
    expected = leakage_sources(Ridge(), FAMILY, **options)
    with in_frames:
        report = leakage_sources(Ridge(), FAMILY, **options)
    assert report.explain() == expected.explain()


def test_tables_do_not_depend_on_it(in_frames):
    town = (TABLE["town"] == "a").to_numpy()
    family = SubsampledFamily(TABLE[["age"]], TABLE["age"] > 0, town, properties=(0.2, 0.8))
    options = QUICK | {"n_samples": 40}
    expected = audit(LogisticRegression(), family, attacks="queries", **options)
    with in_frames:
        report = audit(LogisticRegression(), family, attacks="queries", **options)
    pd.testing.assert_frame_equal(report.table, expected.table)


@pytest.mark.parametrize("test", ["linear", "additive", "kernel"])
def test_tests_of_invariance_do_not_depend_on_it(test, in_frames):
    X, y, environments = FAMILY.sample(1, 60, random_state=0)
    selector = CausalFeatureSelector(invariance_test=test)
    expected = selector.fit(X, y, environments=environments).tests_
    with in_frames:
        tests = selector.fit(X, y, environments=environments).tests_
    pd.testing.assert_frame_equal(tests, expected)
