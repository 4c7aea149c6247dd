"""``ReconstructionDisplay``: accuracy of rebuilt models against that of the originals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._plotting import GREY, axes_or_new, label
from .._validation import check_length
from ..exceptions import InvalidInputError
from ..zoo import ModelZoo


class ReconstructionDisplay:
    """Accuracy of rebuilt models against that of their originals, one point per model.

    Parameters
    ----------
    accuracy : array-like of shape (n_models,)
        The accuracy of each original.
    rebuilt_accuracy : dict from str to array-like of shape (n_models,)
        The accuracy of each rebuilt model, by the name of the method.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes with the points.
    figure_ : matplotlib Figure
        The figure that holds the Axes.

    Raises
    ------
    InvalidInputError
        If there are no rebuilt models, or as many as originals are not.

    See Also
    --------
    wsl.WeightSpaceAutoencoder : Rebuilds models.
    LatentDisplay : The latents that models are rebuilt from.

    Examples
    --------
    >>> from wsl.displays import ReconstructionDisplay
    >>> display = ReconstructionDisplay([0.8, 0.9], {"structural": [0.3, 0.4]}).plot()
    >>> display.ax_.get_xlabel()
    'accuracy of the original'
    """

    def __init__(self, accuracy, rebuilt_accuracy: Mapping[str, Any]):
        self.accuracy = np.asarray(accuracy)
        self.rebuilt_accuracy = {name: np.asarray(v) for name, v in rebuilt_accuracy.items()}
        if not self.rebuilt_accuracy:
            raise InvalidInputError("`rebuilt_accuracy` must hold at least one method; got none.")
        for name, values in self.rebuilt_accuracy.items():
            check_length(values, len(self.accuracy), f"rebuilt_accuracy[{name!r}]", "accuracy")

    @classmethod
    def from_zoos(
        cls, originals: ModelZoo, rebuilt: Mapping[str, ModelZoo], X, y, *, ax: Any = None
    ) -> "ReconstructionDisplay":
        """Score zoos on labelled data and plot their accuracies.

        Parameters
        ----------
        originals : ModelZoo
            The original models.
        rebuilt : dict from str to ModelZoo
            The rebuilt models by the name of the method; row i of each is rebuilt from row i of
            ``originals``.
        X : array-like of shape (n_samples, n_features)
            Inputs to score the models on.
        y : array-like of shape (n_samples,)
            Their labels.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        ReconstructionDisplay
            The display, already plotted.
        """
        scores = {name: zoo.accuracy(X, y) for name, zoo in rebuilt.items()}
        return cls(originals.accuracy(X, y), scores).plot(ax=ax)

    def plot(self, ax: Any = None) -> "ReconstructionDisplay":
        """Plot one point per model and method; on the diagonal, rebuilding costs nothing.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        ReconstructionDisplay
            The display itself.
        """
        ax = axes_or_new(ax, 5.0, 5.0)
        for name, values in self.rebuilt_accuracy.items():
            title = label(f"{name}, mean {values.mean():.3f}")
            ax.scatter(self.accuracy, values, s=18, alpha=0.6, linewidths=0, label=title)
        low = min(self.accuracy.min(), *(v.min() for v in self.rebuilt_accuracy.values()))
        limits = (low - 0.05, 1.02)
        ax.plot(limits, limits, color=GREY, linewidth=1, linestyle="--", zorder=0)
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        ax.set_xlabel("accuracy of the original")
        ax.set_ylabel("accuracy of the rebuilt model")
        ax.legend(frameon=False, loc="upper left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
