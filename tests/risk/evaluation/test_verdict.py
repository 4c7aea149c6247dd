"""Verdicts, by intervals and never by points."""

import numpy as np
import pandas as pd
import pytest

from wsl.exceptions import InvalidInputError
from wsl.risk.evaluation._tables import COLUMNS
from wsl.risk.evaluation._thresholds import check_thresholds
from wsl.risk.evaluation._verdict import advantage_intervals, audit_verdict, targets_needed

CHANCE = {"accuracy": 0.5, "auc": 0.5, "tpr_at_1%_fpr": 0.01, "mean_absolute_error": 0.25}


def table(*rows):
    return pd.DataFrame(
        [
            (attack, metric, value, low, high, 0.0, np.nan)
            for attack, metric, value, low, high in rows
        ],
        columns=list(COLUMNS),
    )


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([("a", "accuracy", 0.9, 0.8, 0.95)], "leaks"),
        ([("a", "accuracy", 0.77, 0.48, 0.92)], "not shown"),
        ([("a", "accuracy", 0.77, 0.48, 0.92), ("a", "auc", 0.8, 0.62, 0.95)], "leaks"),
        ([("a", "accuracy", 0.5, 0.45, 0.58), ("b", "tpr_at_1%_fpr", 0.1, 0.02, 0.2)], "leaks"),
        ([("a", "accuracy", 0.5, 0.45, 0.58)], "bounded"),
        ([("a", "accuracy", 0.5, 0.45, 0.58), ("b", "accuracy", 0.5, 0.4, 0.7)], "not shown"),
        ([("a", "accuracy", 0.5, 0.45, 0.60)], "bounded"),
        ([("a", "accuracy", 0.3, 0.2, 0.4)], "bounded"),
        ([("a", "mean_absolute_error", 0.1, 0.05, 0.2)], "leaks"),
        ([("a", "mean_absolute_error", 0.24, 0.21, 0.3)], "bounded"),
        ([("a", "mean_absolute_error", 0.24, 0.1, 0.3)], "not shown"),
        ([("a", "mean_absolute_error", 0.4, 0.3, 0.5)], "bounded"),
        ([], "not shown"),
    ],
)
def test_the_verdict_follows_the_rule(rows, outcome):
    verdict = audit_verdict(table(*rows), CHANCE)
    assert verdict.outcome == outcome
    assert (verdict.evidence is None) == (outcome != "leaks")


def test_the_evidence_is_the_interval_farthest_from_chance():
    rows = [("a", "accuracy", 0.9, 0.55, 0.95), ("b", "auc", 0.8, 0.7, 0.9)]
    assert audit_verdict(table(*rows), CHANCE).evidence == 1


def test_advantages_of_errors_are_turned_around():
    ends = advantage_intervals(table(("a", "mean_absolute_error", 0.1, 0.05, 0.2)), CHANCE)
    assert ends.iloc[0].tolist() == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize(
    ("low", "high", "needed"), [(-0.2, 0.2, 100), (-0.4, 0.4, 400), (0, 0.9, 510)]
)
def test_four_times_the_models_halve_the_interval(low, high, needed):
    assert targets_needed(pd.DataFrame({"low": [low, -9], "high": [high, 9]}), 100) == needed


def test_a_threshold_is_kept_only_if_the_interval_ends_below_it():
    rows = [("a", "accuracy", 0.55, 0.5, 0.61), ("b", "accuracy", 0.55, 0.5, 0.59)]
    checks = check_thresholds({"advantage": 0.2}, table(*rows), CHANCE)
    assert checks["passed"].tolist() == [False, True]
    assert checks["ci_high"].tolist() == pytest.approx([0.22, 0.18])
    checks = check_thresholds({"accuracy": 0.6, "advantage": 0.3}, table(*rows), CHANCE)
    assert checks["passed"].tolist() == [False, True, True, True]
    errors = table(("a", "mean_absolute_error", 0.24, 0.19, 0.3))
    (check,) = check_thresholds({"advantage": 0.2}, errors, CHANCE).to_dict("records")
    assert not check["passed"], "an error of 0.19 is an advantage of 0.24"


def test_a_metric_that_no_attack_has_is_not_kept():
    checks = check_thresholds({"auc": 0.9}, table(("a", "accuracy", 0.5, 0.4, 0.6)), CHANCE)
    assert checks[["attack", "passed"]].to_numpy().tolist() == [["", False]]


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"fun": 0.1}, "must have keys among .* got 'fun'"),
        ({"mean_absolute_error": 0.1}, "must have keys among .* got 'mean_absolute_error'"),
        ({"auc": np.nan}, r"`thresholds\['auc'\]` must be a finite number; got nan"),
        ({"auc": "0.6"}, "must be a finite number; got '0.6'"),
    ],
)
def test_other_thresholds_are_refused(thresholds, message):
    with pytest.raises(InvalidInputError, match=message):
        check_thresholds(thresholds, table(("a", "accuracy", 0.5, 0.4, 0.6)), CHANCE)
