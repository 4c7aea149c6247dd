from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from wsl import Adversary, Architecture, ModelZoo, audit
from wsl.displays import (
    AttackRocDisplay,
    LeakageDisplay,
    PrivacyUtilityDisplay,
    ReconstructionDisplay,
)
from wsl.distributions import GaussianFamily
from wsl.exceptions import InvalidInputError
from wsl.risk import AuditReport


def report(value):
    row = ("queries", "accuracy", value, value - 0.1, value + 0.04, 2 * value - 1, np.nan)
    return AuditReport(
        pd.DataFrame([row], columns=list(AuditReport.COLUMNS)), chance={"accuracy": 0.5}
    )


def test_reconstruction_draws_each_model_where_it_scores():
    architecture = Architecture.mlp(2, [3], 1)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.integers(2, size=40)
    zoos = [ModelZoo(rng.normal(size=(7, architecture.n_weights)), architecture) for _ in "ab"]
    display = ReconstructionDisplay.from_zoos(zoos[0], {"arm": zoos[1]}, X, y)
    points = display.ax_.collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 0], zoos[0].accuracy(X, y))
    np.testing.assert_allclose(points[:, 1], zoos[1].accuracy(X, y))
    assert display.figure_ is display.ax_.figure


def test_reconstruction_wants_one_number_a_model():
    with pytest.raises(InvalidInputError, match=r"rebuilt_accuracy\['arm'\] has 2 entries"):
        ReconstructionDisplay([0.1, 0.2, 0.3], {"arm": [0.1, 0.2]})


def test_leakage_draws_values_with_their_intervals():
    display = LeakageDisplay.from_reports({"ERM": report(0.9), "IRM": report(0.6)})
    (container,) = display.ax_.containers
    np.testing.assert_allclose(container.lines[0].get_ydata(), [0.9, 0.6])
    (bars,) = container.lines[2]
    np.testing.assert_allclose(
        np.array(
            np.array([segment[:, 1] for segment in bars.get_segments()], dtype=float), dtype=float
        ),
        [[0.8, 0.94], [0.5, 0.64]],
    )
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["ERM", "IRM"]


def test_leakage_of_one_audit_bears_the_name_of_its_learner():
    family = GaussianFamily("mean", on_inputs=0)
    options = {
        "attacks": "queries", "adversary": Adversary(n_shadows=16, n_queries=8),
        "n_targets": 16, "n_samples": 32, "n_repeats": 2, "random_state": 0, "progress": False,
    }  # fmt: skip
    display = LeakageDisplay.from_estimator(LinearRegression(), family, **options)
    found = audit(LinearRegression(), family, **options)
    (container,) = display.ax_.containers
    accuracy = found.table.set_index("metric")["value"]["accuracy"]
    np.testing.assert_allclose(container.lines[0].get_ydata(), accuracy)
    assert display.ax_.get_xticklabels()[0].get_text() == "LinearRegression()"
    assert display.chance == 0.5
    with pytest.raises(InvalidInputError, match="reports is empty"):
        LeakageDisplay.from_reports({})


def test_plt_show_shows_a_display():
    plt.close("all")
    display = LeakageDisplay.from_reports({"ERM": report(0.9)})
    assert plt.gcf() is display.figure_
    LeakageDisplay.from_reports({"ERM": report(0.9)}, ax=display.ax_)
    assert len(plt.get_fignums()) == 1


def test_an_empty_table_is_refused():
    with pytest.raises(InvalidInputError, match="table is empty"):
        LeakageDisplay(pd.DataFrame())


def test_roc_draws_each_curve_and_guessing():
    curve = pd.DataFrame({"fpr": [0, 0.0, 0.01, 1], "tpr": [0, 0.2, 0.4, 1]})
    display = AttackRocDisplay({"queries": curve, "kl": curve}).plot()
    assert [line.get_label() for line in display.ax_.lines] == ["queries", "kl", "guessing"]
    assert display.ax_.get_xscale() == display.ax_.get_yscale() == "log"
    np.testing.assert_allclose(display.ax_.lines[0].get_ydata(), curve["tpr"])
    assert display.ax_.get_xlim()[0] == 0.01
    with pytest.raises(InvalidInputError, match="curves is empty"):
        AttackRocDisplay({})


def test_roc_of_a_report_tells_the_area():
    truth = np.arange(20) % 2
    scores = np.stack([1 - truth, truth], axis=1)[None].astype(float)
    row = ("queries", "auc", 1.0, 0.8, 1.0, 1.0, np.nan)
    perfect = AuditReport(
        pd.DataFrame([row], columns=list(AuditReport.COLUMNS)),
        truth=truth,
        scores={"queries": scores},
        classes=(0, 1),
    )
    display = AttackRocDisplay.from_report(perfect)
    assert display.ax_.lines[0].get_label() == "queries, AUC 1.000"
    assert (display.ax_.lines[0].get_ydata()[1:] == 1).all()


# --- utility against leakage


def settings(**rows):
    return pd.DataFrame.from_dict(
        rows,
        orient="index",
        columns=[
            "utility",
            "utility_low",
            "utility_high",
            "leakage",
            "leakage_low",
            "leakage_high",
        ],
    )


def drawn(display):
    """Each point's place and the ends of its two intervals."""
    found = []
    for container in display.ax_.containers:
        (line, _, bars) = container.lines
        across, up = (bar.get_segments()[0] for bar in bars)
        found.append([line.get_xdata()[0], line.get_ydata()[0], *across[:, 0], *up[:, 1]])
    return np.array(found)


def test_settings_are_drawn_where_they_stand_with_their_intervals():
    table = settings(
        ERM=[0.9, 0.88, 0.92, 0.8, 0.7, 0.9],
        IRM=[0.85, 0.84, 0.86, 0.1, 0.0, 0.2],
        worse=[0.8, 0.79, 0.81, 0.5, 0.4, 0.6],
    )
    display = PrivacyUtilityDisplay(table, knee=1, utility_name="r2").plot()
    columns = ["leakage", "utility", "leakage_low", "leakage_high", "utility_low", "utility_high"]
    np.testing.assert_allclose(drawn(display), table[columns])
    assert display.front_.tolist() == [True, True, False]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "IRM (knee)" in labels
    assert {"ERM", "worse", "front"} < set(labels)
    assert display.ax_.get_ylabel() == "r2"
    (front,) = (line for line in display.ax_.lines if line.get_label() == "front")
    np.testing.assert_allclose(front.get_xydata(), [[0.1, 0.85], [0.8, 0.9]])


def test_a_search_is_drawn_with_its_knee():
    utility = np.array([[0.91, 0.89, 0.6], [0.89, 0.87, 0.6]])
    results = {
        "params": [{"learner__alpha": alpha} for alpha in (1, 10, 100)],
        "mean_test_utility": utility.mean(0),
        "std_test_utility": utility.std(0),
        "split0_test_utility": utility[0],
        "split1_test_utility": utility[1],
    }
    leakage = {"": [0.8, 0.1, 0.0], "_low": [0.7, 0.0, -0.1], "_high": [0.9, 0.2, 0.1]}
    for end, values in leakage.items():
        for split in ("split0", "split1", "mean"):
            results[f"{split}_test_leakage{end}"] = np.array(values)
    display = PrivacyUtilityDisplay.from_cv_results(results)
    assert display.knee == 1
    assert display.table.index.tolist() == ["alpha=1", "alpha=10", "alpha=100"]
    half = 12.706204736 * np.std([0.91, 0.89], ddof=1) / np.sqrt(2)  # Student's t, one degree
    np.testing.assert_allclose(display.table["utility_high"], [0.9 + half, 0.88 + half, 0.6])
    np.testing.assert_allclose(display.table["leakage_high"], leakage["_high"])
    named = PrivacyUtilityDisplay.from_cv_results(results, names=["weak", "strong", "most"])
    assert named.table.index.tolist() == ["weak", "strong", "most"]


def test_reports_are_drawn_with_their_knee():
    reports = {"ERM": report(0.9), "IRM": report(0.6)}
    for value, name in [(0.95, "ERM"), (0.94, "IRM")]:
        utility = pd.DataFrame(
            [("accuracy", value, value - 0.001, value + 0.001)],
            columns=["metric", "value", "ci_low", "ci_high"],
        )
        reports[name] = replace(reports[name], utility=utility)
    display = PrivacyUtilityDisplay.from_reports(reports)
    assert display.knee == 0  # of a cost and a saving, each as far as the front reaches
    np.testing.assert_allclose(display.table["leakage"], [0.8, 0.2])
    np.testing.assert_allclose(display.table["leakage_low"], [0.6, 0.0], atol=1e-12)
    assert display.utility_name == "accuracy"
    assert display.ax_.get_ylabel() == "accuracy"
    with pytest.raises(InvalidInputError, match=r"metric='r2'; wanted one of \['accuracy'\]"):
        PrivacyUtilityDisplay.from_reports(reports, metric="r2")
    with pytest.raises(InvalidInputError, match=r"metric=None; wanted one of \[\]"):
        PrivacyUtilityDisplay.from_reports({"ERM": report(0.9)})


def test_many_settings_can_be_told_apart():
    table = settings(**{f"learner {i}": [i, i, i, 1.0, 1.0, 1.0] for i in range(25)})
    display = PrivacyUtilityDisplay(table).plot()
    looks = {
        (container.lines[0].get_color(), container.lines[0].get_marker())
        for container in display.ax_.containers
    }
    assert len(looks) == 25


def test_a_table_without_figures_is_refused():
    with pytest.raises(InvalidInputError, match=r"table has 0 rows"):
        PrivacyUtilityDisplay(settings())
    with pytest.raises(InvalidInputError, match=r"lacks the columns \['leakage'\]"):
        PrivacyUtilityDisplay(settings(a=[1.0] * 6).drop(columns="leakage"))
