import io
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


def test_reconstruction_draws_each_model_at_its_accuracies():
    architecture = Architecture.mlp(2, [3], 1)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.integers(2, size=40)
    zoos = [ModelZoo(rng.normal(size=(7, architecture.n_weights)), architecture) for _ in "ab"]
    display = ReconstructionDisplay.from_zoos(zoos[0], {"method": zoos[1]}, X, y)
    points = display.ax_.collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 0], zoos[0].accuracy(X, y))
    np.testing.assert_allclose(points[:, 1], zoos[1].accuracy(X, y))
    assert display.figure_ is display.ax_.figure


def test_reconstruction_refuses_other_numbers_of_models():
    with pytest.raises(InvalidInputError, match=r"rebuilt_accuracy\['method'\]` must .*; got 2"):
        ReconstructionDisplay([0.1, 0.2, 0.3], {"method": [0.1, 0.2]})


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
    assert display.table["chance"].tolist() == [0.5]
    with pytest.raises(InvalidInputError, match="`reports` must hold at least one report"):
        LeakageDisplay.from_reports({})


def errors(*values):
    """A report on several continuous properties."""
    metrics = [f"mean_absolute_error_{i}" for i in range(len(values))]
    rows = [
        ("queries", metric, value, value - 0.01, value + 0.02, 0.5, np.nan)
        for metric, value in zip(metrics, values, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(AuditReport.COLUMNS))
    return AuditReport(table, chance={metric: 0.25 + i for i, metric in enumerate(metrics)})


def test_leakage_of_several_continuous_properties():
    display = LeakageDisplay.from_reports({"ERM": errors(0.1, 0.2), "IRM": errors(0.15, 0.3)})
    heights = {c.get_label(): c.lines[0].get_ydata().tolist() for c in display.ax_.containers}
    assert heights == {"queries, property 0": [0.1, 0.15], "queries, property 1": [0.2, 0.3]}
    assert display.ax_.get_ylabel() == "mean absolute error of the guess"
    guessing = [c for c in display.ax_.collections if c.get_linestyle()[0][1] is not None]
    lines = np.concatenate([c.get_segments() for c in guessing])
    np.testing.assert_allclose(lines[:, 0, 1], [0.25, 0.25, 1.25, 1.25])
    one = errors(0.1, 0.2).plot()
    assert [t.get_text() for t in one.get_yticklabels()] == list(heights)
    dashes = [line.get_xdata()[0] for line in one.lines if line.get_linestyle() == "--"]
    assert dashes == [0.25, 1.25]


def test_accuracies_and_errors_have_no_axis_in_common():
    with pytest.raises(InvalidInputError, match=r"got the metrics \['accuracy', 'mean_abs"):
        LeakageDisplay.from_reports({"a": report(0.9), "b": errors(0.1, 0.2)})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["$x$", "$\\nonsense{$", "_hidden", "a\udc80b", "<b>", "100% $"])
def test_names_are_shown_as_they_are(name):
    row = report(0.9).table.assign(attack=name)
    odd = AuditReport(row, chance={"accuracy": 0.5})
    curve = pd.DataFrame({"fpr": [0.0, 0.1, 1], "tpr": [0.0, 0.4, 1]})
    for display in (
        LeakageDisplay.from_reports({name: odd}),
        AttackRocDisplay({name: curve}).plot(),
        PrivacyUtilityDisplay(settings(**{name: [0.9, 0.8, 1.0, 0.1, 0.0, 0.2]})).plot(),
    ):
        display.figure_.savefig(io.BytesIO())
        shown = name.encode("utf-8", "backslashreplace").decode().replace("$", r"\$")
        texts = [text.get_text().strip("\u200b") for text in display.ax_.get_legend().get_texts()]
        assert shown in texts
    tick = odd.plot().get_yticklabels()[0]
    assert tick.get_text().strip("\u200b") == shown


def test_plt_show_shows_a_display():
    plt.close("all")
    display = LeakageDisplay.from_reports({"ERM": report(0.9)})
    assert plt.gcf() is display.figure_
    LeakageDisplay.from_reports({"ERM": report(0.9)}, ax=display.ax_)
    assert len(plt.get_fignums()) == 1


def test_an_empty_table_is_refused():
    with pytest.raises(InvalidInputError, match="at least one row; got 0 rows"):
        LeakageDisplay(pd.DataFrame())


def test_roc_draws_each_curve_and_guessing():
    curve = pd.DataFrame({"fpr": [0, 0.0, 0.01, 1], "tpr": [0, 0.2, 0.4, 1]})
    display = AttackRocDisplay({"queries": curve, "kl": curve}).plot()
    assert [line.get_label() for line in display.ax_.lines] == ["queries", "kl", "guessing"]
    assert display.ax_.get_xscale() == display.ax_.get_yscale() == "log"
    np.testing.assert_allclose(display.ax_.lines[0].get_ydata(), curve["tpr"])
    assert display.ax_.get_xlim()[0] == 0.01
    with pytest.raises(InvalidInputError, match="`curves` must hold at least one curve"):
        AttackRocDisplay({})


def test_roc_of_a_report_shows_the_area():
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


def test_settings_are_drawn_at_their_values_with_their_intervals():
    table = settings(
        ERM=[0.9, 0.88, 0.92, 0.8, 0.7, 0.9],
        IRM=[0.85, 0.84, 0.86, 0.1, 0.0, 0.2],
        worse=[0.8, 0.79, 0.81, 0.5, 0.4, 0.6],
    )
    display = PrivacyUtilityDisplay(table, knee=1, utility_name="r2").plot()
    columns = ["leakage", "utility", "leakage_low", "leakage_high", "utility_low", "utility_high"]
    np.testing.assert_allclose(drawn(display), table[columns])
    assert display.pareto_front_.tolist() == [True, True, False]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "IRM (knee)" in labels
    assert {"ERM", "worse", "Pareto front"} < set(labels)
    assert display.ax_.get_ylabel() == "r2"
    (front,) = (line for line in display.ax_.lines if line.get_label() == "Pareto front")
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
    with pytest.raises(
        InvalidInputError, match=r"`metric` must be one of \['accuracy'\].* got 'r2'"
    ):
        PrivacyUtilityDisplay.from_reports(reports, metric="r2")
    with pytest.raises(InvalidInputError, match=r"`metric` must be one of \[\].* got None"):
        PrivacyUtilityDisplay.from_reports({"ERM": report(0.9)})


def test_many_settings_are_distinguishable():
    table = settings(**{f"learner {i}": [i, i, i, 1.0, 1.0, 1.0] for i in range(25)})
    display = PrivacyUtilityDisplay(table).plot()
    looks = {
        (container.lines[0].get_color(), container.lines[0].get_marker())
        for container in display.ax_.containers
    }
    assert len(looks) == 25


def test_a_table_without_figures_is_refused():
    with pytest.raises(InvalidInputError, match=r"got 0 rows"):
        PrivacyUtilityDisplay(settings())
    with pytest.raises(InvalidInputError, match=r"got 1 rows and no \['leakage'\]"):
        PrivacyUtilityDisplay(settings(a=[1.0] * 6).drop(columns="leakage"))
