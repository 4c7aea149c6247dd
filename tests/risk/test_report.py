import json
import math
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from wsl.exceptions import InvalidInputError
from wsl.risk import AuditReport
from wsl.risk._report import write_text


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
    with pytest.raises(InvalidInputError, match="path="):
        AuditReport.load(tmp_path / "file")


@REPORTS
def test_the_page_stands_alone_and_says_what_the_figures_mean(report_, tmp_path):
    page = report_.to_html(tmp_path / "page.html").read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page.split("</head>")[1]
    assert "weights &amp; &lt;there&gt;" in page
    assert len(page) < 200_000
    if report_ is CLASSES:
        assert "100.0%" in page
        assert "queries (sees answers to queries)" in page
        assert page.count("holds chance") == 1
    if report_ is NUMBERS:
        assert "misses the property by 0.100" in page


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
    contents = json.loads(path.read_text())
    contents["truth"] |= changed
    path.write_text(json.dumps(contents))
    with pytest.raises(InvalidInputError, match="is damaged"):
        AuditReport.load(path)


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
    assert "left out: deepsets" in text
    assert not np.any(["DataFrame" in line for line in text.splitlines()])
