"""``RiskCurveDisplay``: what rows of data tell an adversary, beside what a model tells it.

The figures come from games of ``wsl.risk.InferenceGame``.
"""

from typing import Any

import pandas as pd

from .._plotting import axes_or_new, draw_risk_curve
from ..exceptions import InvalidInputError
from ..risk import GameReport, InferenceGame


class RiskCurveDisplay:
    """The risk of an adversary who sees n rows; lines show those who see a model.

    Parameters
    ----------
    rows : DataFrame
        Columns ``n_rows``, ``risk``, ``ci_low``, ``ci_high``; the first row is of 0 rows.
    table : DataFrame
        Columns ``attack``, ``risk``, ``ci_low``, ``ci_high``.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Raises
    ------
    InvalidInputError
        If there are no rows, as in the report of a game that was played with ``n_row_sets=0``.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl import Adversary
    >>> from wsl.displays import RiskCurveDisplay
    >>> from wsl.distributions import GaussianFamily
    >>> display = RiskCurveDisplay.from_estimator(
    ...     LinearRegression(), GaussianFamily("mean"), access="black_box", n_samples=32,
    ...     adversary=Adversary(n_shadows=16, n_queries=8), n_targets=16, n_repeats=2,
    ...     n_row_sets=64, progress=False)
    >>> display.ax_.get_xlabel()
    'rows of the training distribution'
    """

    def __init__(self, rows: pd.DataFrame | None, table: pd.DataFrame):
        if rows is None or not len(rows):
            raise InvalidInputError("rows is empty; wanted those of a game with n_row_sets above 0")
        self.rows = rows
        self.table = table

    @classmethod
    def from_report(cls, report: GameReport, *, ax: Any = None) -> "RiskCurveDisplay":
        """Draw the report of a game."""
        return cls(report.rows, report.table).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, learner: Any, prior: Any, *, ax: Any = None, **options: Any
    ) -> "RiskCurveDisplay":
        """Play a game, and draw it.

        ``options`` are parameters of ``InferenceGame`` and of its ``play``.
        """
        known = InferenceGame.__dataclass_fields__
        setting = {name: value for name, value in options.items() if name in known}
        playing = {name: value for name, value in options.items() if name not in known}
        game = InferenceGame(learner=learner, prior=prior, **setting)
        return cls.from_report(game.play(**playing), ax=ax)

    def plot(self, ax: Any = None) -> "RiskCurveDisplay":
        """Draw the curve, and a line with its interval for each attack."""
        axes = axes_or_new(ax, 6.0, 4.0)
        self.ax_ = draw_risk_curve(self.rows, self.table, axes)
        self.figure_ = self.ax_.figure
        return self
