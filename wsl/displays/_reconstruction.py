"""``ReconstructionDisplay``: how well rebuilt models do beside the originals, model by model.

What is drawn is computed by ``wsl.metrics``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._plotting import axes_or_new
from .._validation import check_length
from ..zoo import ModelZoo


class ReconstructionDisplay:
    """Accuracy of rebuilt models against that of their originals.

    Parameters
    ----------
    accuracy : ndarray ``(n_models,)``
        Of the originals.
    rebuilt_accuracy : dict of str to ndarray ``(n_models,)``
        Of the models rebuilt from them, for each way of rebuilding.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

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
        for name, values in self.rebuilt_accuracy.items():
            check_length(values, len(self.accuracy), f"rebuilt_accuracy[{name!r}]", "accuracy")

    @classmethod
    def from_zoos(
        cls, originals: ModelZoo, rebuilt: Mapping[str, ModelZoo], X, y, *, ax: Any = None
    ) -> "ReconstructionDisplay":
        """Score zoos on labelled data and draw.

        Parameters
        ----------
        originals : ModelZoo
        rebuilt : dict of str to ModelZoo
            Row i of each is rebuilt from row i of ``originals``.
        X : array ``(n_samples, n_features)``
        y : array ``(n_samples,)``
        ax : matplotlib Axes, optional

        Returns
        -------
        ReconstructionDisplay
        """
        scores = {name: zoo.accuracy(X, y) for name, zoo in rebuilt.items()}
        return cls(originals.accuracy(X, y), scores).plot(ax=ax)

    def plot(self, ax: Any = None) -> "ReconstructionDisplay":
        """Draw one point a model; on the diagonal, rebuilding costs nothing."""
        ax = axes_or_new(ax, 5.0, 5.0)
        for name, values in self.rebuilt_accuracy.items():
            label = f"{name}, mean {values.mean():.3f}"
            ax.scatter(self.accuracy, values, s=18, alpha=0.6, linewidths=0, label=label)
        low = min(self.accuracy.min(), *(v.min() for v in self.rebuilt_accuracy.values()))
        limits = (low - 0.05, 1.02)
        ax.plot(limits, limits, color="0.6", linewidth=1, linestyle="--", zorder=0)
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        ax.set_xlabel("accuracy of the original")
        ax.set_ylabel("accuracy of the rebuilt model")
        ax.legend(frameon=False, loc="upper left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
