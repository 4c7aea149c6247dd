import math
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import auc, confusion_matrix, roc_curve

from wsl.distributions import EnvironmentMembershipFamily, Interval
from wsl.exceptions import InvalidInputError
from wsl.risk import Adversary, AuditReport, audit, compare_audits
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
    "report", [CLASSES, NUMBERS, EMPTY], ids=["classes", "mae", "empty"]
)


@REPORTS
def test_the_page_needs_no_other_file_and_says_what_the_metrics_mean(report, tmp_path):
    page = report.to_html(tmp_path / "page.html").read_text()
    assert page.count("<svg") == (len(report.table) > 0)
    assert "<script" not in page
    assert "http" not in page.split("</head>")[1]
    assert "weights &amp; &lt;there&gt;" in page
    assert len(page) < 60_000
    if report is CLASSES:
        assert "100.0%" in page
        assert "queries (observes responses to queries)" in page
        assert page.count("Every interval holds chance") == 1
    if report is NUMBERS:
        assert "the guess is off by 0.1 on average (95% interval 0.08 to 0.12)" in page


@REPORTS
def test_the_plot_shows_values_and_chance(report):
    mpl.use("agg")
    from matplotlib import pyplot as plt

    ax = report.plot()
    assert [t.get_text() for t in ax.get_yticklabels()] == report.table["attack"].tolist()
    guessing = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert guessing == list(report.chance.values()) * len(report.table)
    given = plt.figure().add_subplot()
    assert report.plot(given) is given
    plt.close("all")


def guessed(n_classes, n_repeats=3, decimals=9):
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


def continuous():
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
    report = guessed(n_classes)
    curve = report.roc("queries")
    assert (np.diff(curve, axis=0) >= 0).all()
    expected = []
    for c in [1] if n_classes == 2 else range(n_classes):
        for scores in report.scores["queries"]:
            fpr, tpr, _ = roc_curve(report.truth == c, scores[:, c], drop_intermediate=False)
            expected.append(dict(zip(fpr.round(9), tpr, strict=True)))  # the best at each rate
    found = dict(zip(curve["fpr"].round(9), curve["tpr"], strict=True))
    assert len(found) == 1 + 60 - 60 // n_classes
    for rate, value in found.items():
        assert value == pytest.approx(np.mean([own[rate] for own in expected]))
    assert report.table["attack"].tolist() == ["queries", "queries", "kl"]


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_the_area_under_the_curve_is_the_tables(decimals):
    report = guessed(2, decimals=decimals)
    curve = report.roc("queries")
    area = report.table.set_index(["attack", "metric"])["value"]["queries", "auc"]
    error = 0.5 / 30  # of steps between 30 negatives, if taken for slopes
    assert auc(curve["fpr"], curve["tpr"]) == pytest.approx(area, abs=error)


def test_the_confusion_is_scikit_learns():
    report = guessed(4)
    table = report.confusion("kl")
    truth = np.tile(report.truth, 3)
    expected = confusion_matrix(truth, report.guesses["kl"].ravel(), normalize="true")
    np.testing.assert_allclose(table, expected)
    assert table.columns.tolist() == list("abcd")
    display = report.plot_confusion("kl")
    assert display.ax_.get_ylabel() == "true property"


def test_guesses_are_drawn_against_the_truth():
    report = continuous()
    display = report.plot_guesses("queries", column=1)
    assert display.ax_.get_title() == "queries, property 1"
    np.testing.assert_allclose(display.y_true, report.truth[:, 1])
    np.testing.assert_allclose(display.y_pred, report.guesses["queries"].mean(0)[:, 1])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: guessed(2).roc("kl"), r"`attack` must be one of \['queries'\].* got 'kl'"),
        (lambda: guessed(2).plot_guesses("kl"), "must be continuous"),
        (lambda: continuous().confusion("queries"), "must be a class"),
        (lambda: continuous().plot_guesses("loss"), "got 'loss'"),
        (lambda: replace(guessed(2), truth=None).roc("queries"), "must hold the `truth`"),
    ],
)
def test_what_a_reportdoes_not_hold_is_named(call, named):
    with pytest.raises(InvalidInputError, match=named):
        call()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "n_plots", "title"),
    [
        (lambda: guessed(2), 3, "True-positive rate at low false-positive rates"),
        (lambda: guessed(3), 5, "Confused values of the property"),
        (continuous, 3, "Guessed and true values"),
    ],
    ids=["two", "three", "numbers"],
)
def test_the_page_shows_what_was_guessed(make, n_plots, title, tmp_path):
    page = make().to_html(tmp_path / "page.html").read_text()
    assert page.count("<svg") == n_plots
    assert title in page
    assert len(page) < 400_000


def test_a_page_where_every_attack_was_skipped(tmp_path):
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


def test_two_audits_are_compared():
    better, worse = guessed(2), guessed(2)
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
    with pytest.raises(InvalidInputError, match=r"`reports\['old'\]` must hold the guesses"):
        compare_audits({"one": better, "old": CLASSES})


def test_repr_is_a_table():
    text = repr(CLASSES)
    assert "queries accuracy" in text
    assert "chance: accuracy 0.500" in text
    assert "skipped: deepsets" in text
    assert not np.any(["DataFrame" in line for line in text.splitlines()])


def with_n_leaked(value, classes=(0.2, 0.5)):
    row = ("queries", "accuracy", 0.8, 0.7, 0.9, 0.6, value)
    return replace(report_of(row, chance={"accuracy": 0.5}), classes=classes)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.47, "At least 0.47 rows"), (2.17, "At least 2.17 rows"), (1234.5, "At least 1,234 rows")],
)
def test_numbers_in_words_are_those_of_the_table(value, said, tmp_path):
    report = with_n_leaked(value)
    (text,) = [text for text in report.explain() if "rows" in text]
    assert said in text
    assert ("one row may suffice" in text) == (value <= 1)
    assert f"<td>{value:.3f}</td>" in report.to_html(tmp_path / "page.html").read_text()


def test_no_all_clear_beside_a_metric_that_excludes_chance():
    rows = [
        ("queries", "accuracy", 0.77, 0.48, 0.92, 0.54, math.nan),
        ("queries", "auc", 0.8, 0.62, 0.95, 0.6, math.nan),
    ]
    report = report_of(*rows, chance={"accuracy": 0.5, "auc": 0.5})
    finding, attack, *_ = report.explain()
    assert report.verdict == "leaks"
    assert "better than chance (AUC 0.800 (95% interval 0.620 to 0.950, chance 0.5))" in finding
    assert "holds chance" not in attack
    assert "AUC 0.800" in attack


def test_a_wide_interval_says_how_many_models_are_needed():
    rows = [("queries", "accuracy", 0.55, 0.45, 0.75, 0.1, math.nan)]
    report = replace(report_of(*rows, chance={"accuracy": 0.5}), truth=np.arange(32) % 2)
    texts = report.explain()
    assert report.verdict == "not shown"
    assert texts[0].startswith("It is not shown with 32 target models, nor excluded")
    assert any("about 72 target models" in text for text in texts), texts  # 32 (0.3 / 0.2)^2
    assert not any("no leak" in text for text in texts)


@pytest.mark.parametrize(
    ("names", "classes", "said"),
    [
        ({"group": "women"}, (0.2, 0.8), "whether 20% or 80% of the training rows are women"),
        ({"property": "the region"}, ("n", "s"), "whether the region is n or s"),
        ({"property": "the region"}, tuple("abcdefgh"), "leak the region:"),
        ({}, (True, False), "whether the property of their training data is True or False"),
        ({"property": "the mean age"}, None, "leak the mean age:"),
        ({"group": "women"}, None, "leak the fraction of women among their training rows:"),
        ({"learner": "the credit model", "data": "the 2024 table"}, None,
         "Models of the credit model, trained on the 2024 table, leak"),
    ],
)  # fmt: skip
def test_the_finding_names_what_is_at_stake(names, classes, said):
    assert said in replace(with_n_leaked(2.0, classes), names=names).explain()[0]


def test_other_keys_of_names_are_refused():
    with pytest.raises(InvalidInputError, match=r"`names` must be text with keys among .* got"):
        replace(CLASSES, names={"sex": "women"})


def test_thresholds_give_pass_or_fail(tmp_path):
    report = replace(CLASSES, thresholds={"advantage": 0.2})
    assert report.passed is False
    texts = report.explain()
    assert "Fail: advantage of attack 'queries' is 1.000, its interval ends at 1.000; the " \
        "threshold is 0.2." in texts  # fmt: skip
    assert "Pass: " in " ".join(texts)
    assert replace(CLASSES, thresholds={"advantage": 1.0}).passed is True
    assert CLASSES.passed is None
    assert replace(EMPTY, thresholds={"advantage": 1.0}).passed is False, "nothing was tried"
    assert "Fail: advantage" in report.to_html(tmp_path / "page.html").read_text()
    assert replace(CLASSES, thresholds={"auc": 0.9}).explain()[-1] == (
        "Fail: no attack has the metric auc; the threshold is 0.9."
    )


def test_the_page_says_how_to_reproduce_it(tmp_path):
    settings = {
        "learner": "LinearRegression()", "family": "F(properties=(0, 1))", "n_targets": 8,
        "n_samples": 64, "n_repeats": 2, "adversary_learner": "Ridge()",
        "adversary_family": "F(properties=(0, 1))", "adversary_n_samples": 32, "n_shadows": 16,
        "n_queries": 5, "queries": "random", "labels_only": False, "n_selected_queries": None,
        "random_state": 3,
    }  # fmt: skip
    report = replace(CLASSES, settings=settings)
    code = report._code()
    calls = []
    scope = {"LinearRegression": lambda: "linear", "Ridge": lambda: "ridge", "F": dict}
    exec(code.split("\n", 1)[1], scope | {  # its import replaced by what notes the call
        "Adversary": lambda **options: options,
        "audit": lambda *args, **options: calls.append((args, options)),
    })  # fmt: skip
    ((arguments, options),) = calls
    assert arguments == ("linear", {"properties": (0, 1)})
    assert options == {
        "attacks": ["queries", "loss", "kl", "deepsets"], "n_targets": 8, "n_samples": 64,
        "n_repeats": 2, "random_state": 3,
        "adversary": {"learner": "ridge", "n_samples": 32, "n_shadows": 16, "n_queries": 5,
                      "queries": "random"},
    }  # fmt: skip
    page = report.to_html(tmp_path / "page.html").read_text()
    assert report.provenance["date"] in page
    assert report.provenance["scikit-learn"] in page


def test_axes_of_accuracies_do_not_depend_on_them():
    mpl.use("agg")
    rows = [
        ("low", "accuracy", 0.4, 0.3, 0.52, -0.2, math.nan),
        ("high", "accuracy", 0.9, 0.8, 1.0, 0.8, 1),
    ]
    ax = report_of(*rows, chance={"accuracy": 0.5}).plot()
    assert ax.get_xlim() == pytest.approx((0.49, 1.01))
    arrows = [line for line in ax.lines if line.get_marker() == "<"]
    assert [line.get_xydata().tolist() for line in arrows] == [[[0.5, 0.0]]]


def test_a_report_of_guesses_is_that_of_the_audit_which_made_them():
    report = audit(
        LinearRegression(), EnvironmentMembershipFamily.linear_causal(), attacks="queries",
        adversary=Adversary(n_shadows=16), n_targets=8, n_samples=64, n_repeats=2, random_state=0,
    )  # fmt: skip
    again = AuditReport.from_guesses(
        report.truth, report.guesses, report.scores, classes=report.classes
    )
    pd.testing.assert_frame_equal(again.table, report.table)
    assert again.chance == report.chance
    assert again.verdict == report.verdict
    with pytest.raises(InvalidInputError, match="guesses"):
        AuditReport.from_guesses(report.truth[1:], report.guesses, classes=report.classes)
