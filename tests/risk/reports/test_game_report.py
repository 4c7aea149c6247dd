"""Reports of games: what is stored, what is said, what stands on the page."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wsl.exceptions import InvalidInputError
from wsl.risk import GameReport
from wsl.risk.evaluation._confidence_intervals import Estimate
from wsl.risk.game._game_tables import COLUMNS
from wsl.risk.game._sequential_stopping import InterimAnalysis
from wsl.risk.reports._pages import knowledge_of

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {"n_rows": [0, 1, 8], "risk": [0.5, 0.4, 0.1], "ci_low": [0.5, 0.3, 0.0],
     "ci_high": [0.5, 0.5, 0.2]}
)  # fmt: skip
FOUND = ("queries", 0.1, 0.05, 0.2, 0.8, 0.6, 0.9, 8.0, 6.0, np.inf, np.nan)
NOTHING = ("<kl>", 0.5, 0.4, 0.6, 0.0, -0.2, 0.2, 0.0, 0.0, 1.0, np.nan)
TOLD = {
    "learner": "L()", "family": "F()", "loss": "zero_one", "n_samples": 64, "width": 0.1,
    "adversary_learner": "L()", "adversary_family": "G()", "adversary_n_samples": 32,
    "n_shadows": 9, "n_queries": 7, "queries": "given", "labels_only": True,
}  # fmt: skip
TWO = GameReport(
    table=pd.DataFrame([FOUND, NOTHING], columns=list(COLUMNS)),
    prior_risk=Estimate(0.5, 0.5, 0.5),
    rows=ROWS,
    looks=[InterimAnalysis(10, 0.4), InterimAnalysis(20, 0.2)],
    skipped={"deepsets": "no weights & <none>"},
    classes=(False, True),
    truth=RNG.integers(2, size=20),
    guesses={name: RNG.integers(2, size=(3, 20)) for name in ("queries", "<kl>")},
    losses={name: RNG.random((3, 20)) for name in ("queries", "<kl>")},
    settings=TOLD,
)
TUPLES = replace(
    TWO, classes=(("a", 1), ("a", 2), ("b", 1)), rows=None, truth=RNG.integers(3, size=20)
)
NUMBERS = replace(
    TWO,
    classes=None,
    truth=RNG.random((20, 2)),
    guesses={"queries": RNG.random((3, 20, 2))},
    losses={"queries": RNG.random((3, 20))},
    looks=[InterimAnalysis(20, np.inf)],
    settings={"loss": "my_loss", "width": None},
)
REPORTS = pytest.mark.parametrize("report", [TWO, TUPLES, NUMBERS], ids=["two", "tuples", "many"])


@REPORTS
def test_a_report_outlives_the_file(report, tmp_path):
    path = report.save(tmp_path / "game.json")
    json.loads(path.read_text(), parse_constant=pytest.fail)
    loaded = GameReport.load(path)
    assert repr(loaded) == repr(report)
    assert loaded.explain() == report.explain()
    pd.testing.assert_frame_equal(loaded.table, report.table)
    if report.rows is None:
        assert loaded.rows is None
    else:
        pd.testing.assert_frame_equal(loaded.rows, report.rows)
    for name in ("prior_risk", "looks", "skipped", "classes", "settings"):
        assert getattr(loaded, name) == getattr(report, name)
    np.testing.assert_array_equal(loaded.truth, report.truth)
    for part in ("guesses", "losses"):
        assert list(getattr(loaded, part)) == list(getattr(report, part))
        for name, values in getattr(report, part).items():
            np.testing.assert_array_equal(getattr(loaded, part)[name], values)


def test_a_file_that_is_no_report_of_a_game(tmp_path):
    path = TWO.save(tmp_path / "game.json")
    contents = json.loads(path.read_text())
    for changed, message in (
        ("no json", "holds no game report"),
        ("[]", "holds no game report"),
        (json.dumps(contents | {"version": 9}), "version 9; wanted 'wsl-game-report', version 1"),
        (json.dumps(contents | {"format": "wsl-audit-report"}), "'wsl-audit-report'"),
        (json.dumps(contents | {"looks": [[3]]}), "is damaged"),
        (json.dumps(contents | {"prior_risk": [1.0]}), "is damaged"),
        (json.dumps(contents | {"truth": {"dtype": "|O", "shape": [1], "data": ""}}), "is damaged"),
        (json.dumps(contents | {"table": {"attack": ["kl"]}}), "is damaged"),
        (json.dumps(contents | {"more": 1}), "is damaged"),
    ):
        path.write_text(changed)
        with pytest.raises(InvalidInputError, match=message):
            GameReport.load(path)


def test_a_report_says_in_words_what_was_found():
    nothing_known, found, nothing, left_out, wide = TWO.explain()
    assert nothing_known == "Who does not look at the model is wrong about 50.0% of the models."
    assert "about 10.0% of the models (interval 5.0% to 20.0%), an advantage of 0.80" in found
    assert found.endswith("told as much: 8 (6 to more than 64).")
    assert nothing.endswith("this attack found no leak. Another might.")
    assert left_out == "deepsets was left out: no weights & <none>."
    assert "With 20 targets" in wide
    assert "still 20.0% wide; wanted 10.0%" in wide
    none_enough = TWO.table.assign(n_leaked=np.inf)
    assert "Not even 64 rows" in replace(TWO, table=none_enough).explain()[1]
    assert NUMBERS.explain()[0] == "Who does not look at the model pays 0.5 on average."
    assert not any("wide" in text for text in NUMBERS.explain())


@REPORTS
def test_the_page_stands_alone(report, tmp_path):
    page = report.to_html(tmp_path / "page.html").read_text()
    assert "http" not in page.split("</head>")[1]
    assert "&lt;kl&gt;" in page
    assert "<kl>" not in page
    assert "was left out: no weights &amp; &lt;none&gt;" in page
    assert (
        page.count("data:image/png;base64,")
        == {2: 1, 3: 1, None: 2}[report.classes and len(report.classes)]
    )
    if report is TWO:
        assert "takes the distributions that data come from to be: G()" in page
        assert "sees the weights" not in page
        told = knowledge_of(TOLD | {"access": "white_box"})
        assert told[-1] == "It sees the weights, too."
        assert "7 queries that it was given, and see no more than the decided class" in page
    if report is TUPLES:
        assert "taken for which" in page
    if report is NUMBERS:
        assert "Guessed against true" in page
        assert "The settings below say all that is known" in page
