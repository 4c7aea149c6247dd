"""``TrainingHistoryDisplay``: the losses of an autoencoder over its epochs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from .._plotting import label, new_subplots
from ..exceptions import InvalidInputError

STYLES = {"train": {"linestyle": "-"}, "valid": {"linestyle": "--"}}
NAMES = {"train": "training", "valid": "validation"}


class TrainingHistoryDisplay:
    """The total loss and each of its terms over the epochs, in training and in validation.

    Parameters
    ----------
    history : DataFrame or sequence of dict
        One row per epoch: ``epoch``, and ``train_NAME`` and ``valid_NAME`` per loss. Losses that
        are NaN throughout were switched off and are not drawn.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One per loss, the total first.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        The figure that holds the Axes.

    Raises
    ------
    InvalidInputError
        If the history has no epoch or no loss.

    See Also
    --------
    wsl.WeightSpaceAutoencoder : Has such a ``history_`` once it is fitted.

    Examples
    --------
    >>> from wsl.displays import TrainingHistoryDisplay
    >>> history = [{"epoch": 1, "train_total": 0.9}, {"epoch": 2, "train_total": 0.5}]
    >>> TrainingHistoryDisplay(history).plot().ax_.get_title()
    'total'
    """

    def __init__(self, history: pd.DataFrame | Sequence[dict]):
        table = pd.DataFrame(history)
        losses = [name for name in table.columns if str(name).startswith(("train_", "valid_"))]
        self.history = table[["epoch", *losses]].dropna(axis=1, how="all") if len(table) else table
        drawn = self.history.columns.drop("epoch", errors="ignore")
        self.losses = list(dict.fromkeys(name.split("_", 1)[1] for name in drawn))
        if not self.losses:
            raise InvalidInputError(
                "`history` must have one row per epoch, with columns such as epoch and "
                f"train_total; got {len(table)} rows with the columns {list(table.columns)}, and "
                "no loss."
            )

    @classmethod
    def from_estimator(cls, estimator, *, ax: Any = None) -> "TrainingHistoryDisplay":
        """Plot the ``history_`` of a fitted estimator.

        Parameters
        ----------
        estimator : WeightSpaceAutoencoder
            The fitted estimator, or another with such a ``history_``.
        ax : matplotlib Axes, optional
            Where to draw the total loss alone; by default a new pyplot figure shows every term.

        Returns
        -------
        TrainingHistoryDisplay
            The display, already plotted.
        """
        check_is_fitted(estimator, "history_")
        return cls(estimator.history_).plot(ax=ax)

    def plot(self, ax: Any = None) -> "TrainingHistoryDisplay":
        """Plot one panel per loss; the first loss alone if ``ax`` is passed.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw the first loss alone; by default a new pyplot figure shows every term.

        Returns
        -------
        TrainingHistoryDisplay
            The display itself.
        """
        if ax is None:
            n_losses = len(self.losses)
            self.axes_ = new_subplots(1 + 2.8 * n_losses, 3.0, n_losses)
        else:
            self.axes_ = np.array([ax])
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        for panel, loss in zip(self.axes_, self.losses, strict=False):
            self._draw(panel, loss)
        self.ax_.set_ylabel("loss")
        self.ax_.legend(frameon=False)
        return self

    def _draw(self, panel: Any, loss: str) -> None:
        values = []
        for part, style in STYLES.items():
            if f"{part}_{loss}" in self.history:
                values.append(self.history[f"{part}_{loss}"])
                panel.plot(self.history["epoch"], values[-1], label=NAMES[part], **style)
        low, high = pd.concat(values).agg(["min", "max"])
        if low > 0 and high > 10 * low:
            panel.set_yscale("log")
        panel.set_title(label(loss.replace("_", " ")))
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
