"""``LatentDisplay``: a map of a zoo in two dimensions."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from .._plotting import axes_or_new, label
from .._sklearn_compat import arrays_inside
from .._validation import check_length, check_rows
from ..exceptions import InvalidInputError

MAX_CATEGORIES = 10


class LatentDisplay:
    """Models as points of the plane, near each other if their latents are.

    Parameters
    ----------
    coordinates : array-like of shape (n_models, 2)
        The point of each model.
    colors : array-like of shape (n_models,), optional
        A number or a category of each model, such as its accuracy or its initialisation. Numbers
        are drawn along a color scale; each text, boolean or category has its own color. By default
        all points have one color.
    explained : array-like of shape (2,), optional
        The fraction of the latents' variance along each coordinate, shown in the axis labels.
        Nothing is shown by default.
    name : str, optional
        What the colors mean; by default the name of the pandas Series.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes with the points.
    figure_ : matplotlib Figure
        The figure that holds the Axes.
    scatter_ : list of matplotlib PathCollection
        The points; with categories, one collection per category.
    colorbar_ : matplotlib Colorbar or None
        The scale of colors that are numbers.

    Raises
    ------
    InvalidInputError
        If coordinates or colors have another shape, or there are more than 10 categories.

    See Also
    --------
    wsl.WeightSpaceAutoencoder : Learns latents of models.
    ReconstructionDisplay : How well models are rebuilt from their latents.

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
                f"`coordinates` must have 2 columns; got {self.coordinates.shape[1]}. Use "
                "from_estimator for latents of more dimensions."
            )
        self.colors = None if colors is None else pd.Series(colors).reset_index(drop=True)
        if self.colors is not None:
            check_length(self.colors, len(self.coordinates), "colors", "coordinates")
        self.explained = None if explained is None else np.asarray(explained, dtype=float)
        title = getattr(colors, "name", None) if name is None else name
        self.name = None if title is None else str(title).replace("_", " ")

    @classmethod
    def from_estimator(
        cls, estimator, X, colors=None, *, name: str | None = None, ax: Any = None
    ) -> "LatentDisplay":
        """Embed models and plot the first two principal components of their latents.

        Parameters
        ----------
        estimator : fitted transformer
            :class:`wsl.WeightSpaceAutoencoder`, or any other whose ``transform`` returns at least
            2 columns.
        X : array-like of shape (n_models, n_weights)
            The models to embed, one per row.
        colors : array-like of shape (n_models,), optional
            A number or a category of each model, such as ``zoo.metadata["test_accuracy"]``. By
            default all points have one color.
        name : str, optional
            What the colors mean; by default the name of the pandas Series.
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        LatentDisplay
            The display, already plotted.

        Raises
        ------
        InvalidInputError
            If there are fewer than 2 models or 2 dimensions.
        """
        latents = check_rows(estimator.transform(X), name="latents")
        if min(latents.shape) < 2:
            raise InvalidInputError(
                "The latents must be of at least 2 models and have at least 2 dimensions; got "
                f"shape {latents.shape}."
            )
        pca = PCA(2, svd_solver="full")
        with arrays_inside():
            coordinates = pca.fit_transform(latents)
        explained = pca.explained_variance_ratio_
        return cls(coordinates, colors, explained=explained, name=name).plot(ax=ax)

    def plot(self, ax: Any = None) -> "LatentDisplay":
        """Plot one point per model.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        LatentDisplay
            The display itself.
        """
        ax = axes_or_new(ax, 6.0, 4.5)
        title = None if self.name is None else label(self.name)
        self.ax_, self.figure_, self.colorbar_ = ax, ax.figure, None
        if self.colors is None:
            self.scatter_ = [self._draw(slice(None))]
        elif pd.api.types.is_numeric_dtype(self.colors) and self.colors.dtype != bool:
            self.scatter_ = [self._draw(slice(None), c=self.colors)]
            self.colorbar_ = self.figure_.colorbar(self.scatter_[0], ax=ax, label=title)
        else:
            self.scatter_ = self._draw_categories(title)
        percents = ["", ""] if self.explained is None else [f" ({e:.0%})" for e in self.explained]
        ax.set_xlabel(f"first component{percents[0]}")
        ax.set_ylabel(f"second component{percents[1]}")
        return self

    def _draw(self, models, **options):
        return self.ax_.scatter(
            *self.coordinates[models].T, s=22, alpha=0.8, linewidths=0, **options
        )

    def _draw_categories(self, title: str | None) -> list:
        assert self.colors is not None
        codes, categories = pd.factorize(self.colors, sort=True)
        if len(categories) > MAX_CATEGORIES:
            raise InvalidInputError(
                f"`colors` must be numbers, or have at most {MAX_CATEGORIES} categories; got "
                f"{len(categories)} categories."
            )
        drawn = [self._draw(codes == i, label=label(c)) for i, c in enumerate(categories)]
        self.ax_.legend(title=title, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        return drawn
