import numpy as np
import pandas as pd
import pytest

from wsl.risk import AuditReport, knee
from wsl.risk.search._pareto import find_knee, is_pareto_optimal, leakage_of

NO_ERROR = np.zeros(4)


def results(utility, leakage, **more):
    """What a search says of settings, from scores ``(n_splits, n_settings)``."""
    scores = {"utility": utility, "leakage": leakage, **more}
    return {
        f"split{i}_test_{name}": np.asarray(row, dtype=float)
        for name, rows in scores.items()
        for i, row in enumerate(np.atleast_2d(rows))
    }


def test_the_front_is_what_no_other_beats():
    rng = np.random.default_rng(0)
    utility, leakage = rng.integers(5, size=(2, 40)).astype(float)
    utility[0] = np.nan
    expected = [
        np.isfinite(u) and not any(
            (v >= u and m <= k) and (v > u or m < k) for v, m in zip(utility, leakage, strict=True)
        )
        for u, k in zip(utility, leakage, strict=True)
    ]  # fmt: skip
    assert is_pareto_optimal(utility, leakage).tolist() == expected
    assert 0 < sum(expected) < 40


def test_without_noise_the_knee_is_the_point_farthest_from_the_chord():
    """On a smooth front, from (0, 0) to (1, 1) once scaled, by another computation."""
    leakage = np.linspace(0, 1, 50)
    utility = 0.6 + 0.3 * (1 - np.exp(-6 * leakage)) / (1 - np.exp(-6))
    ends = np.array([[leakage[0], utility[0]], [leakage[-1], utility[-1]]])
    scaled = (np.c_[leakage, utility] - ends[0]) / (ends[1] - ends[0])
    distances = (scaled[:, 1] - scaled[:, 0]) / np.sqrt(2)
    zero = np.zeros(50)
    assert find_knee(utility, zero, leakage, zero) == distances.argmax()
    assert find_knee(10 * utility, zero, 100 * leakage, zero) == distances.argmax()


def test_a_learner_that_collapses_is_no_knee():
    utility, leakage = np.array([0.90, 0.88, 0.5, 0.7]), np.array([0.95, 0.2, 0.0, 0.9])
    assert find_knee(utility, NO_ERROR, leakage, NO_ERROR) == 1


def test_what_noise_explains_counts_neither_way():
    utility, leakage = np.array([0.90, 0.89, 0.88]), np.array([0.50, 0.45, 0.42])
    three = np.ones(3)
    # leakage within its errors: nothing is saved, so the most useful stays
    assert find_knee(utility, 0 * three, leakage, 0.1 * three) == 0
    # utility within its errors: nothing is paid, so the least leakage wins
    assert find_knee(utility, 0.02 * three, leakage, 0.001 * three) == 2


def test_a_search_is_judged_by_paired_differences():
    """Folds differ much and settings little, but in each fold alike: the cost is no noise."""
    folds = np.array([[0.7], [0.8], [0.9]])
    utility = folds + np.array([[0.05, 0.0]])
    interval = {"leakage_low": [[0.28, 0.26]] * 3, "leakage_high": [[0.32, 0.30]] * 3}
    found = results(utility, [[0.30, 0.28]] * 3, **interval)
    assert knee(found) == 0
    swapped = results(utility + np.array([[0, 0.2], [0, 0.0], [0, -0.05]]), [[0.9, 0.1]] * 3)
    assert knee(swapped) == 1


def test_errors_change_no_scale():
    """A cost that noise explains almost counts almost nothing."""
    utility, leakage = np.array([0.90, 0.89, 0.88]), np.array([0.5, 0.3, 0.1])
    error = np.full(3, 0.0199)
    assert find_knee(utility, error, leakage, np.full(3, 1e-3)) == 2


def test_settings_that_failed_are_left_out():
    assert knee(results([[np.nan, 0.9]], [[np.nan, 0.5]])) == 1
    with pytest.raises(ValueError, match="`cv_results` must have a setting with finite utility"):
        knee(results([[np.nan]], [[0.3]]))
    with pytest.raises(ValueError, match="`cv_results` must have the score 'utility'"):
        knee({"mean_test_score": np.ones(2)})


def report(rows, chance):
    frame = pd.DataFrame(rows, columns=list(AuditReport.COLUMNS))
    return AuditReport(frame, chance=chance)


def test_leakage_is_the_advantage_of_the_strongest_attack():
    strong = ("deepsets", "accuracy", 0.9, 0.85, 0.94, 0.8, np.nan)
    weak = ("queries", "accuracy", 0.6, 0.55, 0.64, 0.2, np.nan)
    found = leakage_of(report([weak, strong], {"accuracy": 0.5}))
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.7, 0.88))
    error = ("queries", "mean_absolute_error", 0.1, 0.08, 0.15, 0.6, np.nan)
    found = leakage_of(report([error], {"mean_absolute_error": 0.25}))
    assert (found.value, found.low, found.high) == pytest.approx((0.6, 0.4, 0.68))
    with pytest.raises(ValueError, match="`attacks` must have one that is applicable"):
        leakage_of(report([], {}))
