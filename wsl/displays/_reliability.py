"""``ReliabilityDisplay``: how well the posteriors of audited models are calibrated."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .._plotting import axes_or_new, draw_reliability
from ..exceptions import InvalidInputError
from ..risk import ModelAuditReport

COLUMNS = ("probability", "frequency", "ci_low", "ci_high")


class ReliabilityDisplay:
    """How often what has a probability is true, on models that the attack has not seen.

    Points on the diagonal are calibrated; below it, the attack is too sure of itself.

    Parameters
    ----------
    tables : dict from str to DataFrame
        Curves by the names to show, with columns ``probability``, ``frequency`` and its 95%
        interval ``ci_low`` to ``ci_high``.
    is_class : bool, default=True
        Whether the probability is that of a guessed class. Otherwise it is the level of credible
        intervals, and the frequency is how often they hold the true value.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes with the curves.
    figure_ : matplotlib Figure
        The figure that holds the Axes.

    Raises
    ------
    InvalidInputError
        If there are no curves, or a table lacks a column.

    See Also
    --------
    wsl.audit_model : Audits trained models; its report holds the tables.
    AttackRocDisplay : How well an attack ranks models.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.displays import ReliabilityDisplay
    >>> table = pd.DataFrame({"probability": [0.6, 0.9], "frequency": [0.5, 0.9],
    ...                       "ci_low": [0.4, 0.8], "ci_high": [0.7, 1.0]})
    >>> ReliabilityDisplay({"queries": table}).plot().ax_.get_xlabel()
    'probability of the guess'
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame], *, is_class: bool = True):
        lacking = [n for n, table in tables.items() if not set(COLUMNS) <= set(table.columns)]
        if not tables or lacking:
            raise InvalidInputError(
                f"`tables` must hold at least one table with the columns {list(COLUMNS)}; got "
                f"{lacking or 'none'}."
            )
        self.tables = dict(tables)
        self.is_class = is_class

    @classmethod
    def from_report(cls, report: ModelAuditReport, *, ax: Any = None) -> "ReliabilityDisplay":
        """Plot the curve of each attack of a report.

        Parameters
        ----------
        report : ModelAuditReport
            The result of an audit of trained models.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        ReliabilityDisplay
            The display, already plotted.
        """
        tables = {str(name): rows for name, rows in report.reliability.groupby("attack")}
        return cls(tables, is_class=report.classes is not None).plot(ax=ax)

    def plot(self, ax: Any = None) -> "ReliabilityDisplay":
        """Plot the curves and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        ReliabilityDisplay
            The display itself.
        """
        self.ax_ = draw_reliability(self.tables, self.is_class, axes_or_new(ax))
        self.figure_ = self.ax_.figure
        return self
