"""Utility against leakage: a report's leakage, the Pareto front, and its knee."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...exceptions import InvalidInputError
from ..evaluation._confidence_intervals import Estimate
from ..evaluation._n_leaked import advantage
from ..reports._audit_report import AuditReport

Z = 1.96  # half of a 95% interval, in standard errors


def leakage_of(report: AuditReport) -> Estimate:
    """Return the advantage of the strongest attack of a report, with its 95% interval.

    Raises InvalidInputError if every attack was skipped.
    """
    if not len(report.table):
        raise InvalidInputError(
            f"`attacks` must have one that is applicable; all were skipped: {report.skipped}."
        )
    is_of_guesses = report.table["metric"].str.match("accuracy|mean_absolute_error")
    table = report.table[is_of_guesses]  # and not of rankings
    row = table.iloc[int(table["advantage"].argmax())]
    chance = report.chance[row["metric"]]
    perfect = float(row["metric"] == "accuracy")  # an error is perfect at 0
    low, high = sorted(advantage(float(row[c]), chance, perfect) for c in ("ci_low", "ci_high"))
    return Estimate(float(row["advantage"]), low, high)


def is_pareto_optimal(utility: np.ndarray, leakage: np.ndarray) -> np.ndarray:
    """Return which settings are not dominated by another, ``(n_settings,)`` of bool.

    One setting dominates another if it is no worse in both scores and better in one.
    """
    no_worse = (utility[:, None] >= utility) & (leakage[:, None] <= leakage)
    better = (utility[:, None] > utility) | (leakage[:, None] < leakage)
    is_finite = np.isfinite(utility) & np.isfinite(leakage)
    return is_finite & ~(no_worse & better & is_finite[:, None]).any(0)


def find_knee(
    utility: np.ndarray, cost_error: np.ndarray, leakage: np.ndarray, leakage_error: np.ndarray
) -> int:
    r"""Return the index of the setting that saves most leakage for its cost in utility.

    Parameters
    ----------
    utility, leakage : ndarray of shape (n_settings,)
    cost_error : ndarray of shape (n_settings,)
        Standard error of the difference in utility to the best setting.
    leakage_error : ndarray of shape (n_settings,)
        Standard error of the leakage.

    Notes
    -----
    See :func:`knee` for the rule.
    """
    is_finite = np.isfinite(utility) & np.isfinite(leakage)
    if not is_finite.any():
        raise InvalidInputError(
            "`cv_results` must have a setting with finite utility and leakage; got none."
        )
    best = int(np.where(is_finite, utility, -np.inf).argmax())
    error = np.sqrt(leakage_error**2 + leakage_error[best] ** 2)
    costs = np.maximum(utility[best] - utility - cost_error, 0)
    savings = np.maximum(leakage[best] - leakage - error, 0)
    front = is_pareto_optimal(utility, leakage)
    gain = savings / _range_of(leakage[front]) - costs / _range_of(utility[front])
    gain[best] = 0
    candidates = np.flatnonzero(front & (gain >= gain[front].max() - 1e-12))
    return int(candidates[utility[candidates].argmax()])


def _range_of(values: np.ndarray) -> float:
    return float(np.ptp(values)) or 1.0


def knee(
    cv_results: Mapping[str, Any], *, utility: str = "utility", leakage: str = "leakage"
) -> int:
    r"""Return the setting of a search at the knee of its Pareto front of utility and leakage.

    Parameters
    ----------
    cv_results : dict
        ``cv_results_`` of a search that has both among its scores.
    utility : str, default="utility"
        Name of the score that should be large.
    leakage : str, default="leakage"
        Name of the score that should be small.

    Returns
    -------
    int
        Index of the setting, so that ``knee`` can be passed to a search as ``refit``.

    Raises
    ------
    InvalidInputError
        If the search has no such score, or no setting has been scored.

    See Also
    --------
    leakage_scorer : The scorer whose results this selects from.
    wsl.displays.PrivacyUtilityDisplay : Plot of the front and its knee.

    Notes
    -----
    With b the setting of highest mean utility, setting i costs
    :math:`c_i = (u_b - u_i - \mathrm{SE}(u_b - u_i))_+` and saves
    :math:`s_i = (l_b - l_i - \mathrm{SE}(l_b - l_i))_+`, so that differences within the noise
    count as 0. On the Pareto front F, the settings that no other dominates, the knee maximises

    .. math:: \frac{s_i}{\max_F l - \min_F l} - \frac{c_i}{\max_F u - \min_F u},

    as the point farthest from the chord between the ends of the front does. If none saves leakage,
    it is b; ties go to the higher utility. The ends set the scale, so that a grid should include
    settings that leak nothing, however useless; a front of two settings has no meaningful knee.

    The standard error of a difference in utility is that of the mean over folds of paired
    differences; that of the leakage comes from the scores ``{leakage}_low`` and
    ``{leakage}_high``, a 95% interval, or else from the folds. Like all scores by which a setting
    was selected, those of the knee are optimistic: audit it again with another seed.

    Examples
    --------
    >>> from wsl.risk import knee
    >>> results = {
    ...     "split0_test_utility": [0.90, 0.89, 0.60], "split1_test_utility": [0.92, 0.90, 0.60],
    ...     "split0_test_leakage": [0.95, 0.30, 0.25], "split1_test_leakage": [0.95, 0.30, 0.25],
    ... }
    >>> knee(results)
    1
    """
    utilities, leakages = _split_scores(cv_results, utility), _split_scores(cv_results, leakage)
    means = utilities.mean(0)
    best = int(np.where(np.isfinite(means), means, -np.inf).argmax())
    cost_error = _standard_error(utilities[:, [best]] - utilities)
    leakage_error = _standard_error(leakages)
    if f"split0_test_{leakage}_low" in cv_results:
        low, high = (_split_scores(cv_results, f"{leakage}_{end}") for end in ("low", "high"))
        leakage_error = (high - low).mean(0) / (2 * Z)
    return find_knee(means, cost_error, leakages.mean(0), leakage_error)


def _split_scores(cv_results: Mapping[str, Any], score: str) -> np.ndarray:
    """Return a score ``(n_splits, n_settings)``."""
    names = [f"split{i}_test_{score}" for i in range(len(cv_results))]
    columns = [cv_results[name] for name in names if name in cv_results]
    if not columns:
        raise InvalidInputError(
            f"`cv_results` must have the score {score!r}, as a search with leakage_scorer has; got "
            f"{sorted(cv_results)}."
        )
    return np.array(columns, dtype=float)


def _standard_error(values: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean over the first axis; 0 for a single value."""
    n = len(values)
    return values.std(0, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(values.shape[1])
