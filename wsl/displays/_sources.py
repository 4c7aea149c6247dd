"""``SourcesDisplay``: where the advantage of an attack comes from, for one or several learners."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .._plotting import GREY, axes_or_new, interval_reach, label
from ..distributions import DistributionFamily
from ..exceptions import InvalidInputError
from ..risk import SourcesReport, leakage_sources
from ..risk.reports._sources_report import SOURCES

TITLES = {**SOURCES, "rest": "none of these"}


class SourcesDisplay:
    """Parts of the advantage of attacks with their 95% intervals, one group per learner.

    Parameters
    ----------
    reports : dict from str to SourcesReport
        The results of the analyses, by the names to show.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes with the bars.
    figure_ : matplotlib Figure
        The figure that holds the Axes.

    Raises
    ------
    InvalidInputError
        If there are no reports.

    See Also
    --------
    wsl.risk.leakage_sources : Runs the analysis.
    LeakageDisplay : How well attacks work.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.displays import SourcesDisplay
    >>> from wsl.risk import SourcesReport
    >>> rows = [("sample", 0.5, 0.4, 0.6), ("rest", 0.1, 0.0, 0.2), ("total", 0.6, 0.5, 0.7)]
    >>> table = pd.DataFrame(rows, columns=["source", "advantage", "ci_low", "ci_high"])
    >>> report = SourcesReport(table, pd.DataFrame(), pd.DataFrame())
    >>> SourcesDisplay({"least squares": report}).plot().ax_.get_ylabel()
    'part of the advantage'
    """

    def __init__(self, reports: Mapping[str, SourcesReport]):
        if not reports:
            raise InvalidInputError("`reports` must hold at least one report; got none.")
        self.reports = dict(reports)

    @classmethod
    def from_report(cls, report: SourcesReport, *, ax: Any = None) -> "SourcesDisplay":
        """Plot one report under the name of its learner.

        Parameters
        ----------
        report : SourcesReport
            The result of an analysis.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        SourcesDisplay
            The display, already plotted.
        """
        return cls({str(report.settings.get("learner", "learner")): report}).plot(ax=ax)

    @classmethod
    def from_reports(
        cls, reports: Mapping[str, SourcesReport], *, ax: Any = None
    ) -> "SourcesDisplay":
        """Plot several reports side by side.

        Parameters
        ----------
        reports : dict from str to SourcesReport
            The results of the analyses, by the names to show.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        SourcesDisplay
            The display, already plotted.
        """
        return cls(reports).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, learner: Any, family: DistributionFamily, *, ax: Any = None, **options: Any
    ) -> "SourcesDisplay":
        """Analyse a learner and plot the result.

        Parameters
        ----------
        learner : estimator
            The learner to analyse.
        family : DistributionFamily
            Where training sets come from.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.
        **options : dict
            Further arguments of :func:`wsl.risk.leakage_sources`.

        Returns
        -------
        SourcesDisplay
            The display, already plotted.
        """
        return cls.from_report(leakage_sources(learner, family, **options), ax=ax)

    def plot(self, ax: Any = None) -> "SourcesDisplay":
        """Plot one bar per source and learner, and a mark at each learner's total advantage.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        SourcesDisplay
            The display itself.
        """
        ax = axes_or_new(ax, 3.5 + 1.5 * len(self.reports), 4.0)
        x = np.arange(len(self.reports))
        tables = [report.table.set_index("source") for report in self.reports.values()]
        shown = [name for name in TITLES if any(name in table.index for table in tables)]
        width = 0.8 / len(shown)
        for i, source in enumerate(shown):
            rows = pd.concat([table.reindex([source]) for table in tables])
            ax.bar(
                x + width * (i + 0.5) - 0.4, rows["advantage"], width,
                yerr=interval_reach(rows, "advantage"), capsize=3, alpha=0.8,
                color=GREY if source == "rest" else f"C{i}", label=TITLES[source],
            )  # fmt: skip
        total = [table["advantage"]["total"] for table in tables]
        ax.hlines(total, x - 0.42, x + 0.42, colors="k", linestyles=":", label="all")
        ax.axhline(0, color=GREY, linewidth=1)
        ax.set_xticks(x, [label(name) for name in self.reports])
        ax.set_ylabel("part of the advantage")
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        self.ax_, self.figure_ = ax, ax.figure
        return self
