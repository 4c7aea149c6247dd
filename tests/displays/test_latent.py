"""The map of a zoo: what stands where, and in which colour."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn import config_context
from sklearn.decomposition import PCA

from wsl import Architecture, WeightStatistics
from wsl.displays import LatentDisplay
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.mlp(2, [3], 1)
ROWS = np.random.default_rng(0).normal(size=(12, ARCHITECTURE.n_weights))
ESTIMATOR = WeightStatistics(ARCHITECTURE).fit(ROWS)
SCORES = pd.Series(np.linspace(0.5, 0.9, 12), name="test_accuracy")


def test_points_are_the_principal_components_of_the_latents():
    display = LatentDisplay.from_estimator(ESTIMATOR, ROWS, SCORES)
    (points,) = display.scatter_
    latents = ESTIMATOR.transform(ROWS)
    centred = latents - latents.mean(axis=0)
    np.testing.assert_allclose(
        np.abs(points.get_offsets()),
        np.abs(np.linalg.svd(centred, full_matrices=False)[2][:2] @ centred.T).T,
        atol=1e-4,
    )
    np.testing.assert_allclose(points.get_array(), SCORES)
    assert display.colorbar_.ax.get_ylabel() == "test accuracy"
    share = PCA(2).fit(latents).explained_variance_ratio_[0]
    assert display.ax_.get_xlabel() == f"first component ({share:.0%})"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_points_do_not_depend_on_what_transformers_return(library):
    expected = LatentDisplay.from_estimator(ESTIMATOR, ROWS, SCORES).scatter_[0].get_offsets()
    with config_context(transform_output=library):
        (points,) = LatentDisplay.from_estimator(ESTIMATOR, ROWS, SCORES).scatter_
    np.testing.assert_allclose(points.get_offsets(), expected, rtol=1e-6)


def test_categories_have_a_colour_each():
    kinds = pd.Series(["kaiming", "lecun", "lecun"] * 4, name="init", index=range(5, 17))
    display = LatentDisplay(ROWS[:, :2], kinds).plot()
    assert [len(points.get_offsets()) for points in display.scatter_] == [4, 8]
    np.testing.assert_allclose(display.scatter_[0].get_offsets(), ROWS[::3, :2], rtol=1e-6)
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["kaiming", "lecun"]
    assert legend.get_title().get_text() == "init"
    assert display.colorbar_ is None
    assert len(LatentDisplay(ROWS[:, :2], [True, False] * 6).plot().scatter_) == 2


def test_without_colours_and_on_given_axes():
    ax = Figure().add_subplot()
    display = LatentDisplay(ROWS[:, :2]).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.ax_.get_xlabel() == "first component"


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(InvalidInputError, match="`coordinates` must have 2 columns; got 3"):
        LatentDisplay(ROWS[:, :3])
    with pytest.raises(
        InvalidInputError, match="`colors` must have 12 entries, as coordinates has; got 5"
    ):
        LatentDisplay(ROWS[:, :2], range(5))
    with pytest.raises(InvalidInputError, match=r"`colors` .* at most 10 categories; got 12"):
        LatentDisplay(ROWS[:, :2], [f"kind {i}" for i in range(12)]).plot()
    with pytest.raises(InvalidInputError, match="at least 2 models"):
        LatentDisplay.from_estimator(ESTIMATOR, ROWS[:1])
