"""``AttackRocDisplay``: ROC curves of attacks on logarithmic axes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .._plotting import axes_or_new, draw_roc
from ..exceptions import InvalidInputError
from ..risk import AuditReport


class AttackRocDisplay:
    """ROC curves of attacks on logarithmic axes, which give room to low false-positive rates.

    Parameters
    ----------
    curves : dict from str to DataFrame
        The curves by name, with columns ``fpr`` and ``tpr`` as :meth:`wsl.AuditReport.roc` returns
        them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes with the curves.
    figure_ : matplotlib Figure
        The figure that holds the Axes.

    Raises
    ------
    InvalidInputError
        If there are no curves.

    See Also
    --------
    LeakageDisplay : The accuracy of attacks instead of their curves.
    wsl.audit : Runs the attacks.

    References
    ----------
    .. [1] N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis and F. Tramer, "Membership Inference
       Attacks From First Principles", S&P 2022, section III.

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
            raise InvalidInputError("`curves` must hold at least one curve; got none.")
        self.curves = dict(curves)

    @classmethod
    def from_report(cls, report: AuditReport, *, ax: Any = None) -> "AttackRocDisplay":
        """Plot the curve of each attack that has probabilities, named with its AUC.

        Parameters
        ----------
        report : AuditReport
            The result of an audit of a property that is a class.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        AttackRocDisplay
            The display, already plotted.

        Raises
        ------
        InvalidInputError
            If no attack of the report has probabilities.
        """
        if not report.scores:
            raise InvalidInputError(
                "`report` must hold the probabilities of at least one attack; got none. Attacks "
                "have probabilities if the property is a class."
            )
        areas = report.table[report.table["metric"] == "auc"].set_index("attack")["value"]
        curves = {f"{name}, AUC {areas[name]:.3f}": report.roc(name) for name in report.scores}
        return cls(curves).plot(ax=ax)

    def plot(self, ax: Any = None) -> "AttackRocDisplay":
        """Plot the curves and the line that guessing reaches.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        AttackRocDisplay
            The display itself.
        """
        self.ax_ = draw_roc(self.curves, axes_or_new(ax))
        self.figure_ = self.ax_.figure
        return self
