"""The curves of a training, against the numbers that they are drawn from."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError

from wsl import Architecture, WeightSpaceAutoencoder
from wsl.displays import TrainingHistoryDisplay
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.mlp(2, [3], 1)


def fit(**settings):
    rng = np.random.default_rng(0)
    return WeightSpaceAutoencoder(
        ARCHITECTURE, queries=rng.normal(size=(9, 2)), d_model=8, n_layers=1, n_heads=2, epochs=3,
        random_state=0, **{"validation_fraction": 0.1, **settings},
    ).fit(rng.normal(size=(20, ARCHITECTURE.n_weights)))  # fmt: skip


def test_every_term_that_is_on_has_a_panel():
    autoencoder = fit()
    display = TrainingHistoryDisplay.from_estimator(autoencoder)
    names = ["total", "structural", "behavioral", "contrastive"]
    assert [panel.get_title() for panel in display.axes_] == names
    assert display.ax_ is display.axes_[0]
    for panel, name in zip(display.axes_, names, strict=True):
        for line, part in zip(panel.get_lines(), ("train", "valid"), strict=True):
            expected = [epoch[f"{part}_{name}"] for epoch in autoencoder.history_]
            np.testing.assert_allclose(line.get_ydata(), expected)
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["training", "validation"]


def test_terms_that_are_off_and_validation_that_was_not_are_left_out():
    display = TrainingHistoryDisplay.from_estimator(
        fit(beta=1.0, gamma=0.0, latent_dim=1, validation_fraction=0)
    )
    assert [panel.get_title() for panel in display.axes_] == ["total", "structural"]
    assert [len(panel.get_lines()) for panel in display.axes_] == [1, 1]


def test_given_axes_show_the_total():
    ax = Figure().add_subplot()
    display = TrainingHistoryDisplay.from_estimator(fit(), ax=ax)
    assert list(display.axes_) == [ax]
    assert ax.get_title() == "total"


@pytest.mark.slow
def test_losses_over_decades_are_drawn_on_a_logarithmic_scale():
    history = [{"epoch": i, "train_total": 10.0**-i, "train_gap": 1.0 - i} for i in range(3)]
    display = TrainingHistoryDisplay(history).plot()
    assert [panel.get_yscale() for panel in display.axes_] == ["log", "linear"]


def test_without_a_history_there_is_nothing_to_draw():
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(WeightSpaceAutoencoder())
    for history in ([], [{"epoch": 1}], [{"epoch": 1, "train_total": np.nan}]):
        with pytest.raises(InvalidInputError, match="`history` must have one row per epoch"):
            TrainingHistoryDisplay(history)
