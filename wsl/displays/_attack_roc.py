"""``AttackRocDisplay``: how many models an attack finds out at how few false alarms.

The curves come from reports of ``wsl.risk.audit``.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .._plotting import axes_or_new, draw_roc
from ..exceptions import InvalidInputError
from ..risk import AuditReport


class AttackRocDisplay:
    """ROC curves of attacks on logarithmic axes, as is usual where false alarms must be few.

    Parameters
    ----------
    curves : dict from name to DataFrame
        Columns ``fpr`` and ``tpr``, as ``AuditReport.roc`` gives them.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    References
    ----------
    N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis and F. Tramer, "Membership Inference Attacks
    From First Principles", S&P 2022, section III.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.displays import AttackRocDisplay
    >>> curve = pd.DataFrame({"fpr": [0, 0.01, 1], "tpr": [0, 0.4, 1]})
    >>> AttackRocDisplay({"queries": curve}).plot().ax_.get_xlabel()
    'false-positive rate'
    """

    def __init__(self, curves: Mapping[str, pd.DataFrame]):
        if not curves:
            raise InvalidInputError("curves is empty; wanted at least one")
        self.curves = dict(curves)

    @classmethod
    def from_report(cls, report: AuditReport, *, ax: Any = None) -> "AttackRocDisplay":
        """Draw the curve of each attack that has probabilities, with the area under it."""
        areas = report.table[report.table["metric"] == "auc"].set_index("attack")["value"]
        curves = {f"{name}, AUC {areas[name]:.3f}": report.roc(name) for name in report.scores}
        return cls(curves).plot(ax=ax)

    def plot(self, ax: Any = None) -> "AttackRocDisplay":
        """Draw the curves and the line that guessing reaches."""
        self.ax_ = draw_roc(self.curves, axes_or_new(ax))
        self.figure_ = self.ax_.figure
        return self
