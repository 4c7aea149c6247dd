"""``PrivacyUtilityDisplay``: what settings or learners are worth against what they leak."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .._plotting import GREY, axes_or_new, label
from ..exceptions import InvalidInputError
from ..risk import AuditReport, knee
from ..risk.search._pareto import Z, find_knee, is_pareto_optimal, leakage_of

COLUMNS = (
    "utility", "utility_low", "utility_high", "leakage", "leakage_low", "leakage_high",
)  # fmt: skip
N_COLORS = 10
MARKERS = "osD^vP"  # another one after every round of colors


class PrivacyUtilityDisplay:
    """Utility against leakage with 95% intervals, the Pareto front and its knee.

    Parameters
    ----------
    table : DataFrame
        One row per setting, named by the index; columns ``utility``, ``utility_low``,
        ``utility_high``, ``leakage``, ``leakage_low`` and ``leakage_high``.
    knee : int, optional
        The row to mark; none by default.
    utility_name : str, default="utility"
        The label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes with the points.
    figure_ : matplotlib Figure
        The figure that holds the Axes.
    pareto_front_ : ndarray of shape (n_settings,)
        True for the settings that no other beats in both utility and leakage.

    Raises
    ------
    InvalidInputError
        If the table has no rows or lacks a column.

    See Also
    --------
    wsl.risk.knee : Finds the knee of a search.
    wsl.risk.leakage_scorer : Scores settings of a search by their leakage.
    LeakageDisplay : The metrics of the attacks.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.displays import PrivacyUtilityDisplay
    >>> rows = {"ERM": [0.90, 0.89, 0.91, 0.8, 0.7, 0.9], "IRM": [0.88, 0.87, 0.89, 0.1, 0.0, 0.2]}
    >>> columns = ["utility", "utility_low", "utility_high",
    ...            "leakage", "leakage_low", "leakage_high"]
    >>> table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    >>> PrivacyUtilityDisplay(table, knee=1).plot().pareto_front_
    array([ True,  True])
    """

    def __init__(self, table: pd.DataFrame, knee: int | None = None, utility_name: str = "utility"):
        missing = [name for name in COLUMNS if name not in table]
        if missing or not len(table):
            raise InvalidInputError(
                f"`table` must have one row per setting and the columns {list(COLUMNS)}; got "
                f"{len(table)} rows and no {missing}."
            )
        self.table = table
        self.knee = knee
        self.utility_name = utility_name

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        utility: str = "utility",
        leakage: str = "leakage",
        names: Sequence[str] | None = None,
        ax: Any = None,
    ) -> "PrivacyUtilityDisplay":
        """Plot the settings of a search that was scored by :func:`wsl.risk.leakage_scorer`.

        Parameters
        ----------
        cv_results : dict
            The ``cv_results_`` of the search.
        utility : str, default="utility"
            The name of the utility's score.
        leakage : str, default="leakage"
            The name of the leakage's score.
        names : sequence of str, optional
            The names of the settings; by default their parameters.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        PrivacyUtilityDisplay
            The display, already plotted.
        """
        chosen = knee(cv_results, utility=utility, leakage=leakage)
        n_splits = sum(f"split{i}_test_{utility}" in cv_results for i in range(len(cv_results)))
        mean = np.asarray(cv_results[f"mean_test_{utility}"], dtype=float)
        half = np.zeros(len(mean))
        if n_splits > 1:
            error = np.asarray(cv_results[f"std_test_{utility}"]) / np.sqrt(n_splits - 1)
            half = stats.t.ppf(0.975, n_splits - 1) * error
        middle = np.asarray(cv_results[f"mean_test_{leakage}"], dtype=float)
        ends = {
            end: np.asarray(cv_results.get(f"mean_test_{leakage}_{end}", middle), dtype=float)
            for end in ("low", "high")
        }
        if names is None:
            names = [_setting_name(parameters) for parameters in cv_results["params"]]
        rows = (mean, mean - half, mean + half, middle, ends["low"], ends["high"])
        table = pd.DataFrame(dict(zip(COLUMNS, rows, strict=True)), index=list(names))
        return cls(table, chosen, utility).plot(ax=ax)

    @classmethod
    def from_reports(
        cls, reports: Mapping[str, AuditReport], *, metric: str | None = None, ax: Any = None
    ) -> "PrivacyUtilityDisplay":
        """Plot audits of several learners.

        Parameters
        ----------
        reports : dict from str to AuditReport
            The results of the audits, by the names to show.
        metric : str, optional
            The metric of utility, where higher is better; by default the first of the reports.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        PrivacyUtilityDisplay
            The display, already plotted.

        Raises
        ------
        InvalidInputError
            If a report lacks the metric, or all its attacks were skipped.
        """
        rows = {}
        for name, report in reports.items():
            metrics = report.utility["metric"].tolist() if len(report.utility) else []
            metric = metrics[0] if metric is None and metrics else metric
            if metric not in metrics:
                raise InvalidInputError(
                    f"`metric` must be one of {metrics}, the metrics of report {name!r}; got "
                    f"{metric!r}."
                )
            utility = report.utility.iloc[metrics.index(metric)]
            leakage = leakage_of(report)
            values = (float(utility[end]) for end in ("value", "ci_low", "ci_high"))
            rows[name] = [*values, leakage.value, leakage.low, leakage.high]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
        return cls(table, _knee_of(table) if rows else None, str(metric)).plot(ax=ax)

    def plot(self, ax: Any = None) -> "PrivacyUtilityDisplay":
        """Plot one point per setting: higher is more useful, further left leaks less.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        PrivacyUtilityDisplay
            The display itself.
        """
        ax = axes_or_new(ax, 6.5, 4.5)
        x, y = (self.table[name].to_numpy(float) for name in ("leakage", "utility"))
        self.pareto_front_ = is_pareto_optimal(y, x)
        for i, (name, row) in enumerate(self.table.iterrows()):
            is_knee = i == self.knee
            ax.errorbar(
                row["leakage"],
                row["utility"],
                xerr=_reach(row, "leakage"),
                yerr=_reach(row, "utility"),
                color=f"C{i % N_COLORS}",
                fmt="*" if is_knee else MARKERS[i // N_COLORS % len(MARKERS)],
                markersize=13 if is_knee else 6,
                capsize=3,
                label=label(f"{name} (knee)" if is_knee else name),
            )
        order = np.flatnonzero(self.pareto_front_)[np.argsort(x[self.pareto_front_], kind="stable")]
        ax.plot(x[order], y[order], color=GREY, linewidth=1, zorder=0, label="Pareto front")
        ax.axvline(0, color=GREY, linestyle="--", linewidth=1, zorder=0)
        ax.set_xlabel("advantage of the strongest attack (0 is guessing)")
        ax.set_ylabel(label(self.utility_name.replace("_", " ")))
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _setting_name(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.split('__')[-1]}={value}" for name, value in parameters.items())


def _reach(row: pd.Series, name: str) -> list[list[float]]:
    """Return the distances to the ends of one interval, as matplotlib takes them."""
    value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def _knee_of(table: pd.DataFrame) -> int:
    error = {
        name: ((table[f"{name}_high"] - table[f"{name}_low"]) / (2 * Z)).to_numpy(float)
        for name in ("utility", "leakage")
    }
    utility, leakage = (table[name].to_numpy(float) for name in ("utility", "leakage"))
    cost_error = np.sqrt(error["utility"] ** 2 + error["utility"][utility.argmax()] ** 2)
    return find_knee(utility, cost_error, leakage, error["leakage"])
