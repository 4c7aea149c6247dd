"""``LeakageDisplay``: how well attacks work against several learners, side by side."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .._plotting import GREY, axes_or_new, interval_reach, label, metric_title, row_names
from ..distributions import DistributionFamily
from ..exceptions import InvalidInputError
from ..risk import AuditReport, audit
from ..risk.evaluation._tables import headline

COLUMNS = ("audit", "attack", "metric", "value", "ci_low", "ci_high")


class LeakageDisplay:
    """Metrics of audits with their 95% intervals, one group per audit.

    Parameters
    ----------
    table : DataFrame
        One row per audit, attack and metric, with columns ``audit``, ``attack``, ``metric``,
        ``value``, ``ci_low`` and ``ci_high``. A column ``chance`` holds what guessing reaches, and
        is drawn as dashed lines. Metrics are accuracies, or errors of one or several properties.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes with the metrics.
    figure_ : matplotlib Figure
        The figure that holds the Axes.

    Raises
    ------
    InvalidInputError
        If the table has no rows or lacks a column, or if it holds accuracies beside errors.

    See Also
    --------
    AttackRocDisplay : The ROC curves of the attacks.
    PrivacyUtilityDisplay : Leakage against utility.
    wsl.audit : Runs an audit.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.displays import LeakageDisplay
    >>> row = ("ERM", "queries", "accuracy", 0.9, 0.85, 0.94, 0.5)
    >>> columns = ["audit", "attack", "metric", "value", "ci_low", "ci_high", "chance"]
    >>> LeakageDisplay(pd.DataFrame([row], columns=columns)).plot().ax_.get_ylabel()
    'accuracy of the guess'
    """

    def __init__(self, table: pd.DataFrame):
        missing = [name for name in COLUMNS if name not in table]
        if not len(table) or missing:
            raise InvalidInputError(
                f"`table` must have the columns {list(COLUMNS)} and at least one row; got "
                f"{len(table)} rows and no {missing}."
            )
        units = {metric.startswith("mean_absolute_error") for metric in table["metric"]}
        if len(units) > 1:
            raise InvalidInputError(
                "`table` must hold either accuracies or errors; got the metrics "
                f"{sorted(set(table['metric']))}. Plot them apart."
            )
        self.table = table

    @classmethod
    def from_report(cls, report: AuditReport, *, ax: Any = None) -> "LeakageDisplay":
        """Plot one report under the name of its learner.

        Parameters
        ----------
        report : AuditReport
            The result of an audit.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        LeakageDisplay
            The display, already plotted.
        """
        return cls.from_reports({str(report.settings.get("learner", "learner")): report}, ax=ax)

    @classmethod
    def from_estimator(
        cls, learner: Any, family: DistributionFamily, *, ax: Any = None, **options: Any
    ) -> "LeakageDisplay":
        """Audit a learner and plot the result.

        Parameters
        ----------
        learner : estimator
            The learner to audit.
        family : DistributionFamily
            Where training sets come from.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.
        **options : dict
            Further arguments of :func:`wsl.audit`.

        Returns
        -------
        LeakageDisplay
            The display, already plotted.
        """
        return cls.from_report(audit(learner, family, **options), ax=ax)

    @classmethod
    def from_reports(
        cls, reports: Mapping[str, AuditReport], *, ax: Any = None
    ) -> "LeakageDisplay":
        """Plot several audits side by side.

        Parameters
        ----------
        reports : dict from str to AuditReport
            The results of the audits, by the names to show.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        LeakageDisplay
            The display, already plotted.

        Raises
        ------
        InvalidInputError
            If there are no reports, or accuracies beside errors.
        """
        if not reports:
            raise InvalidInputError("`reports` must hold at least one report; got none.")
        tables = []
        for name, report in reports.items():
            table = headline(report.table)
            chance = [report.chance.get(metric, np.nan) for metric in table["metric"]]
            tables.append(table.assign(audit=name, chance=chance))
        return cls(pd.concat(tables, ignore_index=True)).plot(ax=ax)

    def plot(self, ax: Any = None) -> "LeakageDisplay":
        """Plot one point per audit, attack and metric.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        LeakageDisplay
            The display itself.
        """
        table = self.table.assign(series=row_names(self.table))
        audits, series = table["audit"].unique(), table["series"].unique()
        ax = axes_or_new(ax, 3.5 + 1.3 * len(audits), 4.0)
        step = min(0.2, 0.8 / len(series))
        for i, name in enumerate(series):
            group = table[table["series"] == name].set_index("audit").reindex(audits)
            x = np.arange(len(audits)) + step * (i - (len(series) - 1) / 2)
            value = group["value"].to_numpy(float)
            ax.errorbar(x, value, yerr=interval_reach(group), fmt="o", capsize=4, label=name)
            if "chance" in group:
                ax.hlines(
                    group["chance"], x - 0.5 * step, x + 0.5 * step, colors=GREY, linestyles="--",
                    linewidth=1, label=None if i else "guessing",
                )  # fmt: skip
        ax.set_xticks(range(len(audits)), [label(name) for name in audits])
        ax.set_ylabel(metric_title(list(table["metric"].unique())))
        ax.margins(x=0.15)
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        self.ax_, self.figure_ = ax, ax.figure
        return self
