"""Guesses beside the truth, for reports that hold both."""

from typing import Any

import numpy as np
import pandas as pd

from ..._plotting import axes_or_new, draw_confusion, draw_guesses
from ...exceptions import InvalidInputError
from ..evaluation._roc import confusion_table


class GuessPlots:
    """Tables and plots of a report that has ``truth``, ``guesses`` and ``classes``."""

    truth: np.ndarray | None
    guesses: dict[str, np.ndarray]
    classes: tuple | None

    def confusion(self, attack: str) -> pd.DataFrame:
        """Return which classes an attack confuses, as fractions of the targets of each class.

        Parameters
        ----------
        attack : str
            An attack of the report.

        Returns
        -------
        DataFrame
            One row per true class, one column per guessed class; rows add up to 1.

        Raises
        ------
        InvalidInputError
            If the report has no guesses of that attack, or its property is continuous.

        See Also
        --------
        plot_confusion : Plots the table.
        """
        if self.classes is None:
            raise InvalidInputError(
                "The property must be a class; this report's is continuous. Use plot_guesses."
            )
        return confusion_table(self._part("guesses", attack), self._known_truth(), self.classes)

    def plot_confusion(self, attack: str, ax: Any = None) -> Any:
        """Plot which classes an attack confuses.

        Parameters
        ----------
        attack : str
            An attack of the report.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        sklearn.metrics.ConfusionMatrixDisplay
            The display, already plotted.

        See Also
        --------
        confusion : The table behind the plot.
        """
        return draw_confusion(self.confusion(attack), attack, axes_or_new(ax))

    def plot_guesses(self, attack: str, ax: Any = None, *, column: int = 0) -> Any:
        """Plot guessed against true values of a continuous property.

        Parameters
        ----------
        attack : str
            An attack of the report.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.
        column : int, default=0
            The property to plot, if there are several; by default the first.

        Returns
        -------
        sklearn.metrics.PredictionErrorDisplay
            The display, already plotted.

        Raises
        ------
        InvalidInputError
            If the report has no guesses of that attack, or its property is a class.

        See Also
        --------
        plot_confusion : The plot of a property that is a class.
        """
        if self.classes is not None:
            raise InvalidInputError(
                "The property must be continuous; this report's is a class. Use plot_confusion."
            )
        guesses = self._part("guesses", attack)
        return draw_guesses(guesses, self._known_truth(), attack, column, axes_or_new(ax))

    def _part(self, name: str, attack: str) -> np.ndarray:
        arrays = getattr(self, name)
        if attack not in arrays:
            raise InvalidInputError(
                f"`attack` must be one of {list(arrays)}, which have {name}; got {attack!r}."
            )
        return arrays[attack]

    def _known_truth(self) -> np.ndarray:
        if self.truth is None:
            raise InvalidInputError(
                "The report must hold the `truth` of its targets; pass one that audit returned."
            )
        return self.truth
