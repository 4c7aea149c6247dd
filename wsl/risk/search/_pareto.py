"""Utility against leakage: what a report's leakage is, the front of best trades, and its knee.

Settings are scored in ``_scorer``; pictures are drawn in ``wsl.displays``.
"""

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

    Raises InvalidInputError if every attack was left out.
    """
    if not len(report.table):
        raise InvalidInputError(f"attacks were all left out: {report.skipped}")
    guessing = report.table["metric"].str.match("accuracy|mean_absolute_error")
    table = report.table[guessing]  # and not how well guesses are ranked
    row = table.iloc[int(table["advantage"].argmax())]
    chance = report.chance[row["metric"]]
    perfect = float(row["metric"] == "accuracy")  # an error is perfect at 0
    low, high = sorted(advantage(float(row[c]), chance, perfect) for c in ("ci_low", "ci_high"))
    return Estimate(float(row["advantage"]), low, high)


def on_front(utility: np.ndarray, leakage: np.ndarray) -> np.ndarray:
    """Return which settings no other beats, ``(n_settings,)`` of bool.

    One setting beats another if it is no worse in both figures and better in one.
    """
    no_worse = (utility[:, None] >= utility) & (leakage[:, None] <= leakage)
    better = (utility[:, None] > utility) | (leakage[:, None] < leakage)
    known = np.isfinite(utility) & np.isfinite(leakage)
    return known & ~(no_worse & better & known[:, None]).any(0)


def find_knee(
    utility: np.ndarray, cost_error: np.ndarray, leakage: np.ndarray, leakage_error: np.ndarray
) -> int:
    r"""Return the index of the setting that saves most leakage for the utility that it costs.

    Parameters
    ----------
    utility, leakage : ndarray ``(n_settings,)``
    cost_error : ndarray ``(n_settings,)``
        Standard error of the difference in utility to the best setting.
    leakage_error : ndarray ``(n_settings,)``
        Standard error of the leakage.

    Notes
    -----
    See :func:`knee` for the rule.
    """
    known = np.isfinite(utility) & np.isfinite(leakage)
    if not known.any():
        raise InvalidInputError("no setting has a finite utility and leakage; wanted one at least")
    best = int(np.where(known, utility, -np.inf).argmax())
    error = np.sqrt(leakage_error**2 + leakage_error[best] ** 2)
    costs = np.maximum(utility[best] - utility - cost_error, 0)
    saves = np.maximum(leakage[best] - leakage - error, 0)
    front = on_front(utility, leakage)
    gain = saves / _reach(leakage[front]) - costs / _reach(utility[front])
    gain[best] = 0
    candidates = np.flatnonzero(front & (gain >= gain[front].max() - 1e-12))
    return int(candidates[utility[candidates].argmax()])


def _reach(values: np.ndarray) -> float:
    return float(np.ptp(values)) or 1.0


def knee(
    cv_results: Mapping[str, Any], *, utility: str = "utility", leakage: str = "leakage"
) -> int:
    r"""Return the setting of a search at the knee of its utility-leakage front.

    Parameters
    ----------
    cv_results : dict
        ``cv_results_`` of a search with both figures among its scores.
    utility, leakage : str
        Names of the scores; more utility is better, and less leakage.

    Returns
    -------
    int
        Index of the setting, so that ``knee`` serves as ``refit`` of a search.

    Raises
    ------
    InvalidInputError
        If the search has no such score, or no setting was scored.

    Notes
    -----
    With b the setting of highest mean utility, setting i costs
    :math:`c_i = (u_b - u_i - \mathrm{SE}(u_b - u_i))_+` and saves
    :math:`s_i = (l_b - l_i - \mathrm{SE}(l_b - l_i))_+`: what noise explains counts neither way.
    On the front F, the settings that no other beats in both figures, the knee maximises

    .. math:: \frac{s_i}{\max_F l - \min_F l} - \frac{c_i}{\max_F u - \min_F u},

    as the point farthest from the chord between the front's ends does. If none saves leakage, it is
    b; ties go to the higher utility. The ends set the scale, so a grid should reach to settings
    that give nothing away, useless as they may be; a front of two settings has no knee to speak of.

    The standard error of a difference in utility is that of the mean over folds of paired
    differences; that of the leakage comes from the scores ``{leakage}_low`` and
    ``{leakage}_high``, a 95% interval, or else from the folds. Like any figure that a setting is
    chosen by, the knee's own are optimistic: audit the chosen setting again with another seed.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.risk import knee
    >>> results = {
    ...     "split0_test_utility": [0.90, 0.89, 0.60], "split1_test_utility": [0.92, 0.90, 0.60],
    ...     "split0_test_leakage": [0.95, 0.30, 0.25], "split1_test_leakage": [0.95, 0.30, 0.25],
    ... }
    >>> knee(results)
    1
    """
    useful, leaked = _of_splits(cv_results, utility), _of_splits(cv_results, leakage)
    means = useful.mean(0)
    best = int(np.where(np.isfinite(means), means, -np.inf).argmax())
    cost_error = _error_of_mean(useful[:, [best]] - useful)
    leakage_error = _error_of_mean(leaked)
    if f"split0_test_{leakage}_low" in cv_results:
        low, high = (_of_splits(cv_results, f"{leakage}_{end}") for end in ("low", "high"))
        leakage_error = (high - low).mean(0) / (2 * Z)
    return find_knee(means, cost_error, leaked.mean(0), leakage_error)


def _of_splits(cv_results: Mapping[str, Any], score: str) -> np.ndarray:
    """Return a score ``(n_splits, n_settings)``."""
    names = [f"split{i}_test_{score}" for i in range(len(cv_results))]
    columns = [cv_results[name] for name in names if name in cv_results]
    if not columns:
        raise InvalidInputError(
            f"cv_results has no score {score!r}; wanted those of a search with leakage_scorer"
        )
    return np.array(columns, dtype=float)


def _error_of_mean(values: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean over the first axis; 0 for a single value."""
    n = len(values)
    return values.std(0, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(values.shape[1])
