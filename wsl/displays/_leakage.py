"""``LeakageDisplay``: how well attacks do against several learners, side by side.

The figures come from reports of ``wsl.risk.audit``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .._plotting import axes_or_new
from ..distributions import DistributionFamily
from ..exceptions import InvalidInputError
from ..risk import AuditReport, audit
from ..risk.evaluation._tables import headline


class LeakageDisplay:
    """Figures of audits with their 95% intervals, one group an audit.

    Parameters
    ----------
    table : DataFrame
        Columns ``audit``, ``attack``, ``metric``, ``value``, ``ci_low``, ``ci_high``.
    chance : float, optional
        What guessing reaches, drawn as a line.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Raises
    ------
    InvalidInputError
        If there is no figure to draw.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.displays import LeakageDisplay
    >>> row = ("ERM", "queries", "accuracy", 0.9, 0.85, 0.94)
    >>> columns = ["audit", "attack", "metric", "value", "ci_low", "ci_high"]
    >>> LeakageDisplay(pd.DataFrame([row], columns=columns), chance=0.5).plot().ax_.get_ylabel()
    'accuracy of the attack'
    """

    def __init__(self, table: pd.DataFrame, chance: float | None = None):
        if not len(table):
            raise InvalidInputError("table is empty; wanted at least one figure of an audit")
        self.table = table
        self.chance = chance

    @classmethod
    def from_report(cls, report: AuditReport, *, ax: Any = None) -> "LeakageDisplay":
        """Draw one report under the name of its learner."""
        return cls.from_reports({str(report.settings.get("learner", "learner")): report}, ax=ax)

    @classmethod
    def from_estimator(
        cls, learner: Any, family: DistributionFamily, *, ax: Any = None, **options: Any
    ) -> "LeakageDisplay":
        """Audit a learner with ``audit(learner, family, **options)``, and draw it."""
        return cls.from_report(audit(learner, family, **options), ax=ax)

    @classmethod
    def from_reports(
        cls, reports: Mapping[str, AuditReport], *, ax: Any = None
    ) -> "LeakageDisplay":
        """Draw the reports of several audits under the names that they are given."""
        if not reports:
            raise InvalidInputError("reports is empty; wanted at least one")
        tables = [headline(report.table).assign(audit=name) for name, report in reports.items()]
        chances = [chance for report in reports.values() for chance in report.chance.values()]
        return cls(pd.concat(tables), chances[0] if chances else None).plot(ax=ax)

    def plot(self, ax: Any = None) -> "LeakageDisplay":
        """Draw one point an audit and attack."""
        audits, attacks = self.table["audit"].unique(), self.table["attack"].unique()
        ax = axes_or_new(ax, 3.5 + 1.3 * len(audits), 4.0)
        for place, attack in enumerate(attacks):
            own = self.table[self.table["attack"] == attack].set_index("audit").reindex(audits)
            value, low, high = (
                own[name].to_numpy(float) for name in ("value", "ci_low", "ci_high")
            )
            x = np.arange(len(audits)) + 0.2 * (place - (len(attacks) - 1) / 2)
            ax.errorbar(
                x, value, yerr=[value - low, high - value], fmt="o", capsize=4, label=attack
            )
        if self.chance is not None:
            ax.axhline(self.chance, color="0.6", linestyle="--", linewidth=1, label="guessing")
        ax.set_xticks(range(len(audits)), audits)
        ax.set_ylabel(f"{self.table['metric'].iloc[0].replace('_', ' ')} of the attack")
        ax.margins(x=0.15)
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        self.ax_, self.figure_ = ax, ax.figure
        return self
