"""Reports of games: what is stored, what is said, what stands on the page."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wsl._digest import json_digest
from wsl.exceptions import InvalidInputError
from wsl.risk import GameReport
from wsl.risk.evaluation._confidence_intervals import Estimate
from wsl.risk.game._game_tables import COLUMNS
from wsl.risk.game._sequential_stopping import InterimAnalysis
from wsl.risk.reports._sections import knowledge_of

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
    interim_analyses=[InterimAnalysis(10, 0.4), InterimAnalysis(20, 0.2)],
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
    interim_analyses=[InterimAnalysis(20, np.inf)],
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
    for name in ("prior_risk", "interim_analyses", "skipped", "classes", "settings"):
        assert getattr(loaded, name) == getattr(report, name)
    np.testing.assert_array_equal(loaded.truth, report.truth)
    for part in ("guesses", "losses"):
        assert list(getattr(loaded, part)) == list(getattr(report, part))
        for name, values in getattr(report, part).items():
            np.testing.assert_array_equal(getattr(loaded, part)[name], values)


def test_a_file_that_is_no_report_of_a_game(tmp_path):
    path = TWO.save(tmp_path / "game.json")
    contents = json.loads(path.read_text())
    for text, message in (
        ("no json", "is not valid JSON"),
        ("[]", "must be an object"),
        (json.dumps(contents | {"version": 9}), "of version 2; got 'wsl-game-report' of version 9"),
        (json.dumps(contents | {"format": "wsl-audit-report"}), "'wsl-audit-report'"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidInputError, match=message):
            GameReport.load(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"interim_analyses": [[3]]}, "its field 'interim_analyses'"),
        ({"prior_risk": [1.0]}, "its field 'prior_risk'"),
        ({"truth": {"dtype": "|O", "shape": [1], "data": ""}}, "its field 'truth'"),
        ({"table": {"attack": ["kl"]}}, "its field 'table' must have the columns"),
        ({"more": 1}, "must have the fields"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_field_of_the_wrong_form_is_named(changed, message, tmp_path):
    path = TWO.save(tmp_path / "game.json")
    document = json.loads(path.read_text())
    document["contents"] |= changed
    document["sha256"] = json_digest(document["contents"])
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidInputError, match=message):
        GameReport.load(path)


def test_a_report_says_in_words_what_was_found():
    verdict, prior, found, nothing, skipped, wide = TWO.explain()
    assert verdict == (
        "The models leak the property: the adversary is wrong for 10.0% of models with attack "
        "'queries', where the best guess without access to the model is wrong for 50.0% of models."
    )
    assert prior == "Without access to the model, the best guess is wrong for 50.0% of models."
    assert "wrong for 10.0% of models (95% interval 5.0% to 20.0%, n = 20 target models)" in found
    assert "an advantage of 0.80 (0.60 to 0.90)" in found
    assert found.endswith("About 8 rows of the training distribution reveal as much "
                          "(6 to more than 64).")  # fmt: skip
    assert nothing.endswith("The interval holds an advantage of 0.")
    assert skipped == "Attack 'deepsets' skipped: no weights & <none>."
    assert "With 20 target models" in wide
    assert "still 20.0% wide, above `width`, 10.0%" in wide
    infinite = TWO.table.assign(n_leaked=np.inf)
    assert "Not even 64 rows" in replace(TWO, table=infinite).explain()[2]
    assert NUMBERS.explain()[1] == (
        "Without access to the model, the best guess pays 0.5 on average."
    )
    assert not any("wide" in text for text in NUMBERS.explain())
    bounded = replace(TWO, table=TWO.table[1:])
    assert bounded.explain()[0] == (
        "No attack of this game guesses the property with an advantage above 0.20, where 0 is "
        "guessing and 1 is certainty."
    )
    wide = replace(bounded, table=bounded.table.assign(advantage_high=0.21))
    assert wide.explain()[0].startswith("It is not shown with 20 target models, nor excluded")


@REPORTS
def test_the_page_stands_alone(report, tmp_path):
    page = report.to_html(tmp_path / "page.html").read_text()
    assert "http" not in page.split("</head>")[1]
    assert "&lt;kl&gt;" in page
    assert "<kl>" not in page
    assert "skipped: no weights &amp; &lt;none&gt;" in page
    n_plots = {2: 1, 3: 2, None: 3}  # those of guesses, and the curve where there is one
    assert page.count("<svg") == n_plots[report.classes and len(report.classes)]
    if report is TWO:
        assert "assumes other distributions of the training data: G()" in page
        assert "observes the weights" not in page
        told = knowledge_of(TOLD | {"access": "white_box"})
        assert told[-1] == "The adversary also observes the weights."
        assert "7 queries that it was given, and observe predicted labels only" in page
    if report is TUPLES:
        assert "Confused values of the property" in page
    if report is NUMBERS:
        assert "Guessed and true values" in page
        assert "The settings below say what the adversary knows" in page
