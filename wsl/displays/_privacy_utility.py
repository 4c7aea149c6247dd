"""``PrivacyUtilityDisplay``: what settings or learners are good for against what they give away.

The front and its knee are computed by ``wsl.risk``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .._plotting import axes_or_new
from ..exceptions import InvalidInputError
from ..risk import AuditReport, knee
from ..risk.search._pareto import Z, find_knee, leakage_of, on_front

COLUMNS = (
    "utility", "utility_low", "utility_high", "leakage", "leakage_low", "leakage_high",
)  # fmt: skip
N_COLORS = 10
MARKERS = "osD^vP"  # another for each round of colors


class PrivacyUtilityDisplay:
    """Utility against leakage with their 95% intervals, the front of best trades and its knee.

    Parameters
    ----------
    table : DataFrame
        One row a setting, named by the index; columns ``utility``, ``utility_low``,
        ``utility_high``, ``leakage``, ``leakage_low``, ``leakage_high``.
    knee : int, optional
        Position of the row that is marked.
    utility_name : str, default="utility"
        What the vertical axis says.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    front_ : ndarray of bool ``(n_settings,)``
        Settings that no other beats in both figures.

    Raises
    ------
    InvalidInputError
        If the table is empty, or lacks a column.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.displays import PrivacyUtilityDisplay
    >>> rows = {"ERM": [0.90, 0.89, 0.91, 0.8, 0.7, 0.9], "IRM": [0.88, 0.87, 0.89, 0.1, 0.0, 0.2]}
    >>> columns = ["utility", "utility_low", "utility_high",
    ...            "leakage", "leakage_low", "leakage_high"]
    >>> table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    >>> PrivacyUtilityDisplay(table, knee=1).plot().front_
    array([ True,  True])
    """

    def __init__(self, table: pd.DataFrame, knee: int | None = None, utility_name: str = "utility"):
        missing = [name for name in COLUMNS if name not in table]
        if missing or not len(table):
            raise InvalidInputError(
                f"table has {len(table)} rows and lacks the columns {missing}; wanted one row a "
                f"setting and the columns {list(COLUMNS)}"
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
        """Draw the settings of a search that was scored by ``leakage_scorer``.

        Parameters
        ----------
        cv_results : dict
            ``cv_results_`` of the search.
        utility, leakage : str
            Names of the scores.
        names : sequence of str, optional
            What the settings are called; by default their parameters.
        ax : matplotlib Axes, optional

        Returns
        -------
        PrivacyUtilityDisplay
        """
        chosen = knee(cv_results, utility=utility, leakage=leakage)
        n_splits = sum(f"split{i}_test_{utility}" in cv_results for i in range(len(cv_results)))
        mean = np.asarray(cv_results[f"mean_test_{utility}"], dtype=float)
        half = np.zeros(len(mean))
        if n_splits > 1:
            spread = np.asarray(cv_results[f"std_test_{utility}"]) / np.sqrt(n_splits - 1)
            half = stats.t.ppf(0.975, n_splits - 1) * spread
        middle = np.asarray(cv_results[f"mean_test_{leakage}"], dtype=float)
        ends = {
            end: np.asarray(cv_results.get(f"mean_test_{leakage}_{end}", middle), dtype=float)
            for end in ("low", "high")
        }
        if names is None:
            names = [_named(parameters) for parameters in cv_results["params"]]
        rows = (mean, mean - half, mean + half, middle, ends["low"], ends["high"])
        table = pd.DataFrame(dict(zip(COLUMNS, rows, strict=True)), index=list(names))
        return cls(table, chosen, utility).plot(ax=ax)

    @classmethod
    def from_reports(
        cls, reports: Mapping[str, AuditReport], *, metric: str | None = None, ax: Any = None
    ) -> "PrivacyUtilityDisplay":
        """Draw audits of several learners under the names that they are given.

        Parameters
        ----------
        reports : dict of str to AuditReport
        metric : str, optional
            The figure of utility, more of which is better; by default the first that the
            reports have.
        ax : matplotlib Axes, optional

        Returns
        -------
        PrivacyUtilityDisplay
        """
        rows = {}
        for name, report in reports.items():
            known = report.utility["metric"].tolist() if len(report.utility) else []
            metric = known[0] if metric is None and known else metric
            if metric not in known:
                raise InvalidInputError(
                    f"metric={metric!r}; wanted one of {known}, which report {name!r} has"
                )
            useful = report.utility.iloc[known.index(metric)]
            leaked = leakage_of(report)
            values = (float(useful[end]) for end in ("value", "ci_low", "ci_high"))
            rows[name] = [*values, leaked.value, leaked.low, leaked.high]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
        return cls(table, _knee_of(table) if rows else None, str(metric)).plot(ax=ax)

    def plot(self, ax: Any = None) -> "PrivacyUtilityDisplay":
        """Draw one point a setting; up is more useful, left gives away less."""
        ax = axes_or_new(ax, 6.5, 4.5)
        x, y = (self.table[name].to_numpy(float) for name in ("leakage", "utility"))
        self.front_ = on_front(y, x)
        for position, (name, row) in enumerate(self.table.iterrows()):
            ax.errorbar(
                row["leakage"],
                row["utility"],
                xerr=_reach(row, "leakage"),
                yerr=_reach(row, "utility"),
                color=f"C{position % N_COLORS}",
                fmt="*" if position == self.knee else MARKERS[position // N_COLORS % len(MARKERS)],
                markersize=13 if position == self.knee else 6,
                capsize=3,
                label=f"{name} (knee)" if position == self.knee else str(name),
            )
        order = np.flatnonzero(self.front_)[np.argsort(x[self.front_], kind="stable")]
        ax.plot(x[order], y[order], color="0.6", linewidth=1, zorder=0, label="front")
        ax.axvline(0, color="0.8", linestyle="--", linewidth=1, zorder=0)
        ax.set_xlabel("advantage of the strongest attack (0 is guessing)")
        ax.set_ylabel(self.utility_name.replace("_", " "))
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _named(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.split('__')[-1]}={value}" for name, value in parameters.items())


def _reach(row: pd.Series, name: str) -> list[list[float]]:
    """Return how far the interval reaches to both sides, as matplotlib takes it."""
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
