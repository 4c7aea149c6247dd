"""The claim of "Distribution Inference Risks" (2023) on its causal set-up, in one audit each."""

import pytest

from wsl import CausalMitigatedRegressor, EnvironmentMembershipFamily, audit


@pytest.fixture(scope="module")
def leakage():
    """What the attacks reach against least squares on all columns, and on the cause alone."""
    family = EnvironmentMembershipFamily.linear_causal()
    tables = {}
    for name, causal_features in (("erm", None), ("cause", [0])):
        learner = CausalMitigatedRegressor(
            (2,),
            penalty=None,
            causal_features=causal_features,
            epochs=10,
            batch_size=32,
            learning_rate=1e-2,
            weight_decay=1e-3,
        )
        report = audit(learner, family, n_targets=128, random_state=0, progress=False)
        accuracy = report.table[report.table["metric"] == "accuracy"]
        tables[name] = accuracy.set_index("attack")
    return tables


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["deepsets", "queries"])
def test_a_plain_learner_gives_the_mixture_away(leakage, attack):
    row = leakage["erm"].loc[attack]
    assert row["metric"] == "accuracy"
    assert row["value"] > 0.85
    assert row["ci_low"] > 0.75


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["deepsets", "queries"])
def test_a_learner_that_sees_only_the_cause_does_not(leakage, attack):
    row = leakage["cause"].loc[attack]
    assert row["ci_low"] <= 0.5 <= row["ci_high"] or abs(row["value"] - 0.5) < 0.1
    assert row["value"] < 0.65
