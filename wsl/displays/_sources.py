"""``SourcesDisplay``: where an attack's advantage comes from, of one learner or several.

The figures come from ``wsl.risk.leakage_sources``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._plotting import axes_or_new
from ..distributions import DistributionFamily
from ..exceptions import InvalidInputError
from ..risk import SourcesReport, leakage_sources
from ..risk.reports._sources_report import SOURCES

TITLES = {**SOURCES, "rest": "none of these"}


class SourcesDisplay:
    """Parts of attacks' advantages with their 95% intervals, one group a learner.

    Parameters
    ----------
    reports : dict from name to SourcesReport

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Raises
    ------
    InvalidInputError
        If there are no reports.

    References
    ----------
    Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of leakage",
    SaTML 2023.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl import Adversary
    >>> from wsl.displays import SourcesDisplay
    >>> from wsl.distributions import GaussianFamily
    >>> display = SourcesDisplay.from_estimator(
    ...     LinearRegression(), GaussianFamily("mean"), reference_learner=LinearRegression(),
    ...     adversary=Adversary(n_shadows=16), n_targets=16, n_samples=32, n_repeats=2,
    ...     progress=False)
    >>> display.ax_.get_ylabel()
    'part of the advantage'
    """

    def __init__(self, reports: Mapping[str, SourcesReport]):
        if not reports:
            raise InvalidInputError("reports is empty; wanted at least one")
        self.reports = dict(reports)

    @classmethod
    def from_report(cls, report: SourcesReport, *, ax: Any = None) -> "SourcesDisplay":
        """Draw one report under the name of its learner."""
        return cls({str(report.settings.get("learner", "learner")): report}).plot(ax=ax)

    @classmethod
    def from_reports(
        cls, reports: Mapping[str, SourcesReport], *, ax: Any = None
    ) -> "SourcesDisplay":
        """Draw several reports under the names that they are given."""
        return cls(reports).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, learner: Any, family: DistributionFamily, *, ax: Any = None, **options: Any
    ) -> "SourcesDisplay":
        """Analyse a learner with ``leakage_sources(learner, family, **options)``, and draw it."""
        return cls.from_report(leakage_sources(learner, family, **options), ax=ax)

    def plot(self, ax: Any = None) -> "SourcesDisplay":
        """Draw a bar a source and learner, and a mark at each learner's whole advantage."""
        ax = axes_or_new(ax, 3.5 + 1.5 * len(self.reports), 4.0)
        places = np.arange(len(self.reports))
        tables = [report.table.set_index("source") for report in self.reports.values()]
        shown = [name for name in TITLES if any(name in table.index for table in tables)]
        for i, source in enumerate(shown):
            rows = [table.reindex([source]) for table in tables]
            value, low, high = (
                np.array([row[name].iloc[0] for row in rows], dtype=float)
                for name in ("advantage", "ci_low", "ci_high")
            )
            color = "0.6" if source == "rest" else f"C{i}"
            at = places + 0.8 * ((i + 0.5) / len(shown) - 0.5)
            ax.bar(
                at, value, 0.8 / len(shown), yerr=[value - low, high - value], capsize=3,
                color=color, alpha=0.8, label=TITLES[source],
            )  # fmt: skip
        whole = [table["advantage"]["total"] for table in tables]
        ax.hlines(whole, places - 0.42, places + 0.42, colors="k", linestyles=":", label="all")
        ax.axhline(0, color="0.4", linewidth=1)
        ax.set_xticks(places, list(self.reports))
        ax.set_ylabel("part of the advantage")
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        self.ax_, self.figure_ = ax, ax.figure
        return self
