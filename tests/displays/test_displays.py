import numpy as np
import pandas as pd
import pytest

from wsl import Architecture, ModelZoo
from wsl.displays import AttackRocDisplay, LeakageDisplay, ReconstructionDisplay
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


def test_pictures_need_no_screen_and_leave_pyplot_alone():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    LeakageDisplay.from_reports({"ERM": report(0.9)})
    assert plt.get_fignums() == before


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
