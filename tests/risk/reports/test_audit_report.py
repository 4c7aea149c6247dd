import json
import math
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, confusion_matrix, roc_curve

from wsl._digest import json_digest
from wsl._files import write_text
from wsl.distributions import Interval
from wsl.exceptions import InvalidInputError
from wsl.risk import AuditReport, compare_audits
from wsl.risk.evaluation._attack_runs import AttackRun
from wsl.risk.evaluation._tables import attack_table, chance_of
from wsl.risk.reports._sections import knowledge_of


def report_of(*rows, chance):
    return AuditReport(
        pd.DataFrame(rows, columns=list(AuditReport.COLUMNS)),
        pd.DataFrame(
            [("accuracy", 0.9, 0.88, 0.92)], columns=["metric", "value", "ci_low", "ci_high"]
        ),
        chance,
        {"deepsets": "it needs weights & <there> are none"},
        {"learner": "LogisticRegression()", "n_shadows": 64, "random_state": None},
    )


RNG = np.random.default_rng(0)
CLASSES = report_of(
    ("queries", "accuracy", 1.0, 0.97, 1.0, 1.0, math.inf),
    ("loss", "accuracy", 0.52, 0.45, 0.6, 0.04, 0.1),
    ("kl", "accuracy", 0.8, 0.75, 0.85, 0.6, math.nan),
    chance={"accuracy": 0.5},
)
NUMBERS = report_of(
    ("queries", "mean_absolute_error", 0.1, 0.08, 0.12, 0.6, math.nan),
    chance={"mean_absolute_error": 0.25},
)
EMPTY = report_of(chance={"accuracy": 0.5})
REPORTS = pytest.mark.parametrize(
    "report_", [CLASSES, NUMBERS, EMPTY], ids=["classes", "mae", "empty"]
)


@REPORTS
def test_json_round_trip(report_, tmp_path):
    path = report_.save(tmp_path / "new" / "report.json")
    json.loads(path.read_text(), parse_constant=pytest.fail)  # strict JSON: no NaN, no Infinity
    loaded = AuditReport.load(path)
    pd.testing.assert_frame_equal(loaded.table, report_.table, check_dtype=len(report_.table) > 0)
    pd.testing.assert_frame_equal(loaded.utility, report_.utility)
    assert (loaded.chance, loaded.skipped) == (report_.chance, report_.skipped)
    assert loaded.settings == report_.settings
    assert repr(loaded) == repr(report_)


@pytest.mark.parametrize("text", ["no json", "[]", "{}", '{"format": "other", "version": 1}'])
def test_another_file_is_refused(text, tmp_path):
    (tmp_path / "file").write_text(text)
    with pytest.raises(InvalidInputError, match="must be a wsl-audit-report"):
        AuditReport.load(tmp_path / "file")


@REPORTS
def test_the_page_stands_alone_and_says_what_the_figures_mean(report_, tmp_path):
    page = report_.to_html(tmp_path / "page.html").read_text()
    assert "<svg" in page
    assert "<script" not in page
    assert "http" not in page.split("</head>")[1]
    assert "weights &amp; &lt;there&gt;" in page
    assert len(page) < 200_000
    if report_ is CLASSES:
        assert "100.0%" in page
        assert "queries (observes responses to queries)" in page
        assert page.count("The interval holds chance") == 1
    if report_ is NUMBERS:
        assert "the guess is off by 0.100 on average" in page


@REPORTS
def test_the_plot_shows_values_and_chance(report_):
    mpl.use("agg")
    from matplotlib import pyplot as plt

    ax = report_.plot()
    assert [t.get_text() for t in ax.get_yticklabels()] == report_.table["attack"].tolist()
    guessing = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert guessing == list(report_.chance.values())
    given = plt.figure().add_subplot()
    assert report_.plot(given) is given
    plt.close("all")


def test_guesses_and_scores_outlive_the_file(tmp_path):
    report_ = replace(
        CLASSES,
        truth=RNG.integers(2, size=30),
        guesses={"kl": RNG.integers(2, size=(5, 30)), "loss": RNG.integers(300, size=(5, 30))},
        scores={"kl": RNG.random((5, 30, 2), dtype=np.float32)},
        classes=("few", "many"),
    )
    loaded = AuditReport.load(report_.save(tmp_path / "report.json"))
    assert loaded.classes == report_.classes
    np.testing.assert_array_equal(loaded.truth, report_.truth)
    for part in ("guesses", "scores"):
        assert list(getattr(loaded, part)) == list(getattr(report_, part))
        for name, values in getattr(report_, part).items():
            np.testing.assert_array_equal(getattr(loaded, part)[name], values)
    assert loaded.scores["kl"].dtype == np.float32


@pytest.mark.parametrize(
    "changed",
    [
        {"dtype": "|O"},
        {"dtype": "nonsense"},
        {"shape": [3, 3]},
        {"shape": [-2, -3]},
        {"shape": [10**12]},
        {"shape": [10**40]},
        {"data": "*"},
        {"data": "AAAA"},
    ],
    ids=str,
)
def test_a_damaged_array_is_an_error_and_no_code(changed, tmp_path):
    path = replace(CLASSES, truth=np.arange(6) / 7).save(tmp_path / "report.json")
    rewrite(path, lambda contents: contents["truth"].update(changed))
    with pytest.raises(InvalidInputError, match="is damaged: its field 'truth'"):
        AuditReport.load(path)


def rewrite(path, change):
    """Change the contents of a report's file, and its digest with them."""
    document = json.loads(path.read_text())
    change(document["contents"])
    document["sha256"] = json_digest(document["contents"])
    path.write_text(json.dumps(document))


def told(n_classes, n_repeats=3, decimals=9):
    """A report whose attacks were right about every second target."""
    rng = np.random.default_rng(0)
    truth = rng.permutation(np.arange(60) % n_classes)
    guesses = np.where(rng.random((n_repeats, 60)) < 0.5, truth, (truth + 1) % n_classes)
    scores = (np.eye(n_classes)[guesses] + rng.random((n_repeats, 60, n_classes))) / 3
    scores = scores.round(decimals)  # few decimals, and many scores are equal
    classes = tuple("abcd"[:n_classes])
    trial = {"queries": AttackRun(guesses, scores), "kl": AttackRun(guesses)}
    return AuditReport(
        attack_table(trial, truth, classes, False),
        chance={"accuracy": 1 / n_classes, "auc": 0.5},
        truth=truth,
        guesses={name: t.guesses for name, t in trial.items()},
        scores={"queries": scores},
        classes=classes,
    )


def of_numbers():
    rng = np.random.default_rng(0)
    truth = rng.random((40, 2))
    guesses = truth + 0.1 * rng.normal(size=(3, 40, 2))
    properties = [Interval(0, 1), Interval(0, 1)]
    return AuditReport(
        attack_table({"queries": AttackRun(guesses)}, truth, properties, False),
        chance=chance_of(properties, truth),
        truth=truth,
        guesses={"queries": guesses},
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_curve_is_scikit_learns(n_classes):
    report_ = told(n_classes)
    curve = report_.roc("queries")
    assert (np.diff(curve, axis=0) >= 0).all()
    expected = []
    for c in [1] if n_classes == 2 else range(n_classes):
        for scores in report_.scores["queries"]:
            fpr, tpr, _ = roc_curve(report_.truth == c, scores[:, c], drop_intermediate=False)
            expected.append(dict(zip(fpr.round(9), tpr, strict=True)))  # the best at each rate
    found = dict(zip(curve["fpr"].round(9), curve["tpr"], strict=True))
    assert len(found) == 1 + 60 - 60 // n_classes
    for rate, value in found.items():
        assert value == pytest.approx(np.mean([own[rate] for own in expected]))
    assert report_.table["attack"].tolist() == ["queries", "queries", "kl"]


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_the_area_under_the_curve_is_the_tables(decimals):
    report_ = told(2, decimals=decimals)
    curve = report_.roc("queries")
    area = report_.table.set_index(["attack", "metric"])["value"]["queries", "auc"]
    error = 0.5 / 30  # of steps between 30 negatives, if taken for slopes
    assert auc(curve["fpr"], curve["tpr"]) == pytest.approx(area, abs=error)


def test_the_confusion_is_scikit_learns():
    report_ = told(4)
    table = report_.confusion("kl")
    truth = np.tile(report_.truth, 3)
    expected = confusion_matrix(truth, report_.guesses["kl"].ravel(), normalize="true")
    np.testing.assert_allclose(table, expected)
    assert table.columns.tolist() == list("abcd")
    display = report_.plot_confusion("kl")
    assert display.ax_.get_ylabel() == "true property"


def test_guesses_are_drawn_against_the_truth():
    report_ = of_numbers()
    display = report_.plot_guesses("queries", column=1)
    assert display.ax_.get_title() == "queries, property 1"
    np.testing.assert_allclose(display.y_true, report_.truth[:, 1])
    np.testing.assert_allclose(display.y_pred, report_.guesses["queries"].mean(0)[:, 1])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: told(2).roc("kl"), r"`attack` must be one of \['queries'\].* got 'kl'"),
        (lambda: told(2).plot_guesses("kl"), "must be continuous"),
        (lambda: of_numbers().confusion("queries"), "must be a class"),
        (lambda: of_numbers().plot_guesses("loss"), "got 'loss'"),
        (lambda: replace(told(2), truth=None).roc("queries"), "must hold the `truth`"),
    ],
)
def test_what_a_report_does_not_hold_is_named(call, named):
    with pytest.raises(InvalidInputError, match=named):
        call()


@pytest.mark.parametrize(
    ("make", "n_plots", "title"),
    [
        (lambda: told(2), 2, "True-positive rate at low false-positive rates"),
        (lambda: told(3), 4, "Confused values of the property"),
        (of_numbers, 3, "Guessed and true values"),
    ],
    ids=["two", "three", "numbers"],
)
def test_the_page_shows_what_was_guessed(make, n_plots, title, tmp_path):
    page = make().to_html(tmp_path / "page.html").read_text()
    assert page.count("<svg") == n_plots
    assert title in page
    assert len(page) < 400_000


def test_a_page_where_every_attack_was_left_out(tmp_path):
    alone = replace(EMPTY, truth=np.arange(6) % 3, classes=(0, 1, 2))
    assert "skipped: it needs weights" in alone.to_html(tmp_path / "page.html").read_text()


def test_the_page_says_what_the_adversary_knew():
    settings = {
        "learner": "A()",
        "family": "F()",
        "n_samples": 100,
        "adversary_learner": "B()",
        "adversary_family": "F()",
        "adversary_n_samples": 50,
        "n_shadows": 9,
        "n_queries": 7,
        "queries": "random",
        "labels_only": True,
    }
    text = " ".join(knowledge_of(settings))
    assert "knows the distributions" in text
    assert "assumes another learner: B()" in text
    assert "9 shadow models on 50 rows each; target models are trained on 100 rows" in text
    assert "7 queries of independent random numbers, and observe predicted labels only" in text


def test_two_audits_side_by_side():
    better, worse = told(2), told(2)
    rng = np.random.default_rng(1)
    worse.guesses["queries"] = np.where(rng.random((3, 60)) < 0.2, 1 - worse.truth, worse.truth)
    table = compare_audits({"better": better, "worse": worse}).set_index(["attack", "metric"])
    row = table.loc["queries", "accuracy"]
    accuracies = [(r.guesses["queries"] == r.truth).mean() for r in (worse, better)]
    assert [row["value"], row["reference"]] == pytest.approx(accuracies)
    assert row["difference"] == pytest.approx(accuracies[0] - accuracies[1])
    assert 0 < row["ci_low"] < row["difference"] < row["ci_high"]
    assert not row["paired"], "nothing says that these are the same targets"
    same = {"family": "F", "n_targets": 60, "n_samples": 9, "random_state": 0}
    paired = [replace(r, settings=same) for r in (better, better)]
    near, far = (
        compare_audits({"a": one, "b": replace(one, settings=own)}).iloc[0]
        for one, own in zip(paired, (same, {}), strict=True)
    )
    assert near["paired"]
    assert not far["paired"]
    assert near["ci_low"] <= near["difference"] == 0 <= near["ci_high"]
    assert near["ci_high"] - near["ci_low"] < (far["ci_high"] - far["ci_low"]) / 5
    with pytest.raises(InvalidInputError, match="at least two"):
        compare_audits({"one": better})
    with pytest.raises(InvalidInputError, match="does not hold what was guessed"):
        compare_audits({"one": better, "old": CLASSES})


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = write_text(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_repr_is_a_table():
    text = repr(CLASSES)
    assert "queries accuracy" in text
    assert "chance: accuracy 0.500" in text
    assert "skipped: deepsets" in text
    assert not np.any(["DataFrame" in line for line in text.splitlines()])
