"""``RiskCurveDisplay``: what rows of data reveal, beside what a model reveals."""

from dataclasses import fields
from typing import Any

import pandas as pd

from .._plotting import axes_or_new, draw_risk_curve
from ..exceptions import InvalidInputError
from ..risk import GameReport, InferenceGame


class RiskCurveDisplay:
    """Risk of an adversary who observes n rows of data, with lines for those who attack a model.

    Parameters
    ----------
    rows : DataFrame
        The risk by number of rows: columns ``n_rows``, ``risk``, ``ci_low`` and ``ci_high``; the
        first row is that of 0 rows.
    table : DataFrame
        The risk of attacks on models: columns ``attack``, ``risk``, ``ci_low`` and ``ci_high``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes with the curve.
    figure_ : matplotlib Figure
        The figure that holds the Axes.

    Raises
    ------
    InvalidInputError
        If there are no rows, as in a game that was played with ``n_row_sets=0``.

    See Also
    --------
    wsl.risk.InferenceGame : Plays the game.
    SourcesDisplay : Where the advantage of an attack comes from.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl import Adversary
    >>> from wsl.displays import RiskCurveDisplay
    >>> from wsl.distributions import GaussianFamily
    >>> display = RiskCurveDisplay.from_estimator(
    ...     LinearRegression(), GaussianFamily("mean"), access="black_box", n_samples=32,
    ...     adversary=Adversary(n_shadows=16, n_queries=8), n_targets=16, n_repeats=2,
    ...     n_row_sets=64)
    >>> display.ax_.get_xlabel()
    'rows of the training distribution'
    """

    def __init__(self, rows: pd.DataFrame | None, table: pd.DataFrame):
        if rows is None or not len(rows):
            raise InvalidInputError(
                "`rows` must have at least one row; got none. Play the game with `n_row_sets` "
                "above 0."
            )
        self.rows = rows
        self.table = table

    @classmethod
    def from_report(cls, report: GameReport, *, ax: Any = None) -> "RiskCurveDisplay":
        """Plot the report of a game.

        Parameters
        ----------
        report : GameReport
            The result of a game with ``n_row_sets`` above 0.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        RiskCurveDisplay
            The display, already plotted.
        """
        return cls(report.rows, report.table).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, learner: Any, prior: Any, *, ax: Any = None, **options: Any
    ) -> "RiskCurveDisplay":
        """Play a game and plot its report.

        Parameters
        ----------
        learner : estimator
            The learner that trains the models.
        prior : DistributionFamily or callable
            Where distributions are drawn from.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.
        **options : dict
            Further parameters of :class:`wsl.risk.InferenceGame` and of its ``play``.

        Returns
        -------
        RiskCurveDisplay
            The display, already plotted.
        """
        names = {field.name for field in fields(InferenceGame)}
        game = {name: value for name, value in options.items() if name in names}
        play = {name: value for name, value in options.items() if name not in names}
        report = InferenceGame(learner=learner, prior=prior, **game).play(**play)
        return cls.from_report(report, ax=ax)

    def plot(self, ax: Any = None) -> "RiskCurveDisplay":
        """Plot the curve, and a line with its interval per attack.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        RiskCurveDisplay
            The display itself.
        """
        self.ax_ = draw_risk_curve(self.rows, self.table, axes_or_new(ax, 6.0, 4.0))
        self.figure_ = self.ax_.figure
        return self
