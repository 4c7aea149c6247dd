import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LinearRegression

from wsl.displays import RiskCurveDisplay, SourcesDisplay
from wsl.distributions import GaussianFamily
from wsl.exceptions import InvalidInputError
from wsl.risk import Adversary, InferenceGame, SourcesReport

ADVERSARY = Adversary(n_shadows=16, n_queries=8)
MEANS = GaussianFamily("mean", properties=(0, 0.5), on_inputs=0)
QUICK = {"n_targets": 16, "n_repeats": 2, "random_state": 0, "progress": False}


def report(**parts):
    rows = [(name, value, value - 0.1, value + 0.2) for name, value in parts.items()]
    table = pd.DataFrame(rows, columns=["source", "advantage", "ci_low", "ci_high"])
    return SourcesReport(table, pd.DataFrame(), pd.DataFrame(), settings={"learner": "L()"})


def test_sources_are_drawn_as_bars_with_their_intervals():
    reports = {
        "one": report(conditional=0.5, bias=0.1, sample=-0.2, rest=0.0, total=0.4),
        "other": report(sample=0.3, rest=0.1, total=0.4),
    }
    display = SourcesDisplay.from_reports(reports)
    heights = [bar.get_height() for bars in display.ax_.containers if hasattr(bars, "patches")
               for bar in bars.patches]  # fmt: skip
    expected = [0.5, np.nan, 0.1, np.nan, -0.2, 0.3, 0.0, 0.1]
    np.testing.assert_allclose(heights, expected)
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["one", "other"]
    assert display.figure_ is display.ax_.figure
    single = SourcesDisplay.from_report(reports["one"])
    assert single.ax_.get_xticklabels()[0].get_text() == "L()"
    with pytest.raises(InvalidInputError, match="`reports` must hold at least one report"):
        SourcesDisplay({})


def test_displays_register_with_pyplot_unless_axes_are_given():
    plt.close("all")
    rows = pd.DataFrame({"n_rows": [0, 1], "risk": [0.5, 0.2], "ci_low": 0.1, "ci_high": 0.6})
    game = pd.DataFrame([("queries", 0.3, 0.2, 0.4)], columns=["attack", *rows.columns[1:]])
    sources = {"one": report(sample=0.3, rest=0.1, total=0.4)}
    for display in (RiskCurveDisplay(rows, game), SourcesDisplay(sources)):
        assert display.plot() is display
        assert plt.gcf() is display.figure_ is display.ax_.figure
        ax = Figure().add_subplot()
        assert display.plot(ax=ax).ax_ is ax
        assert display.figure_ is ax.figure
        display.figure_.savefig(io.BytesIO())
    assert len(plt.get_fignums()) == 2


@pytest.mark.slow
def test_a_risk_curve_is_that_of_the_game():
    game = InferenceGame(
        learner=LinearRegression(),
        prior=MEANS,
        access="black_box",
        n_samples=32,
        adversary=ADVERSARY,
    )
    played = game.play(n_row_sets=64, **QUICK)
    display = RiskCurveDisplay.from_report(played)
    curve = display.ax_.lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), [1, 2, 4, 8, 16, 32])
    np.testing.assert_allclose(curve.get_ydata(), played.rows["risk"][1:])
    assert display.ax_.lines[2].get_ydata()[0] == played.table["risk"][0]
    twin = RiskCurveDisplay.from_estimator(
        LinearRegression(), MEANS, access="black_box", n_samples=32, adversary=ADVERSARY,
        n_row_sets=64, **QUICK,
    )  # fmt: skip
    pd.testing.assert_frame_equal(twin.rows, played.rows)
    with pytest.raises(InvalidInputError, match="`rows` must have at least one row"):
        RiskCurveDisplay.from_report(game.play(n_row_sets=0, **QUICK))
