"""``LatentDisplay``: a map of a zoo in two dimensions, coloured by what is known of its models.

The embedding is the estimator's; only its principal components are taken here.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from .._plotting import axes_or_new
from .._validation import check_length, check_rows
from ..exceptions import InvalidInputError

MAX_CATEGORIES = 10


class LatentDisplay:
    """Models as points, near each other where their latents are.

    Parameters
    ----------
    coordinates : ndarray ``(n_models, 2)``
    colors : array-like ``(n_models,)``, optional
        A number or a category for each model, such as its accuracy or its initialisation. Numbers
        are drawn along a scale; text, booleans and categories each have a colour of their own.
    explained : array-like ``(2,)``, optional
        Share of the variance of the latents that each coordinate holds, written at its axis.
    name : str, optional
        What the colours mean. By default the name of a pandas Series.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    scatter_ : list of matplotlib PathCollection
        One, or one a category.
    colorbar_ : matplotlib Colorbar or None

    Raises
    ------
    InvalidInputError
        If coordinates or colours have another shape, or there are more than 10 categories.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.displays import LatentDisplay
    >>> points = np.random.default_rng(0).normal(size=(20, 2))
    >>> display = LatentDisplay(points, np.linspace(0.8, 0.9, 20), name="test accuracy").plot()
    >>> display.colorbar_.ax.get_ylabel()
    'test accuracy'
    """

    def __init__(self, coordinates, colors=None, *, explained=None, name: str | None = None):
        self.coordinates = check_rows(coordinates, name="coordinates")
        if self.coordinates.shape[1] != 2:
            raise InvalidInputError(
                f"coordinates has {self.coordinates.shape[1]} columns; wanted 2 for a map"
            )
        self.colors = None if colors is None else pd.Series(colors).reset_index(drop=True)
        if self.colors is not None:
            check_length(self.colors, len(self.coordinates), "colors", "coordinates")
        self.explained = None if explained is None else np.asarray(explained, dtype=float)
        named = getattr(colors, "name", None) if name is None else name
        self.name = None if named is None else str(named).replace("_", " ")

    @classmethod
    def from_estimator(
        cls, estimator, X, colors=None, *, name: str | None = None, ax: Any = None
    ) -> "LatentDisplay":
        """Embed models and draw the first two principal components of their latents.

        Parameters
        ----------
        estimator : fitted transformer
            ``WeightSpaceAutoencoder``, or any other whose ``transform`` gives 2 numbers and more.
        X : array-like ``(n_models, n_weights)``
        colors : array-like ``(n_models,)``, optional
            Such as ``zoo.metadata["test_accuracy"]``.
        name : str, optional
        ax : matplotlib Axes, optional

        Returns
        -------
        LatentDisplay
        """
        latents = check_rows(estimator.transform(X), name="latents")
        if min(latents.shape) < 2:
            raise InvalidInputError(
                f"latents has shape {latents.shape}; wanted at least 2 models and 2 numbers"
            )
        pca = PCA(2, svd_solver="full")
        coordinates = pca.fit_transform(latents)
        explained = pca.explained_variance_ratio_
        return cls(coordinates, colors, explained=explained, name=name).plot(ax=ax)

    def plot(self, ax: Any = None) -> "LatentDisplay":
        """Draw one point a model."""
        ax = axes_or_new(ax, 6.0, 4.5)
        self.ax_, self.figure_, self.colorbar_ = ax, ax.figure, None
        if self.colors is None:
            self.scatter_ = [self._draw(slice(None))]
        elif pd.api.types.is_numeric_dtype(self.colors) and self.colors.dtype != bool:
            self.scatter_ = [self._draw(slice(None), c=self.colors)]
            self.colorbar_ = self.figure_.colorbar(self.scatter_[0], ax=ax, label=self.name)
        else:
            self.scatter_ = self._draw_categories()
        shares = ["", ""] if self.explained is None else [f" ({e:.0%})" for e in self.explained]
        ax.set_xlabel(f"first component{shares[0]}")
        ax.set_ylabel(f"second component{shares[1]}")
        return self

    def _draw(self, models, **options):
        return self.ax_.scatter(
            *self.coordinates[models].T, s=22, alpha=0.8, linewidths=0, **options
        )

    def _draw_categories(self) -> list:
        assert self.colors is not None
        places, categories = pd.factorize(self.colors, sort=True)
        if len(categories) > MAX_CATEGORIES:
            raise InvalidInputError(
                f"colors has {len(categories)} categories; wanted at most {MAX_CATEGORIES}, or "
                "numbers"
            )
        drawn = [self._draw(places == i, label=str(c)) for i, c in enumerate(categories)]
        self.ax_.legend(title=self.name, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        return drawn
