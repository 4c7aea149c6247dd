"""Random reports come back from their files; random contents are refused or can be shown."""

import copy
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wsl._digest import json_digest
from wsl.exceptions import InvalidInputError
from wsl.risk import AuditReport

FAST = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
TEXT = st.text(st.characters(codec=None), max_size=20)  # any character, surrogates among them
NUMBER = st.floats(allow_nan=True, allow_infinity=True)
RATE = st.floats(0, 1)
SCALAR = st.none() | st.booleans() | st.integers() | NUMBER | TEXT
JSON = st.recursive(
    SCALAR, lambda part: st.lists(part, max_size=4) | st.dictionaries(TEXT, part, max_size=4)
)
FINITE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3),
    max_leaves=5,
)


@st.composite
def reports(draw):
    attacks = draw(st.lists(TEXT, max_size=3, unique=True))
    rows = [
        (name, metric, draw(RATE), draw(RATE), draw(RATE), draw(NUMBER), draw(NUMBER))
        for name in attacks
        for metric in ("accuracy", "auc")
    ]
    n_targets, classes = draw(st.integers(1, 5)), (0, 1)
    truth = np.array(draw(st.lists(st.integers(0, 1), min_size=n_targets, max_size=n_targets)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    guesses = {name: rng.integers(2, size=(2, n_targets)) for name in attacks}
    return AuditReport(
        pd.DataFrame(rows, columns=list(AuditReport.COLUMNS)),
        chance={"accuracy": 0.5, "auc": 0.5},
        skipped=draw(st.dictionaries(TEXT, TEXT, max_size=2)),
        settings=draw(st.dictionaries(TEXT, FINITE, max_size=3)),
        truth=truth,
        guesses=guesses,
        classes=classes,
        names=draw(st.dictionaries(st.sampled_from(["property", "group", "data"]), TEXT)),
    )


def comes_back(report):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        loaded = AuditReport.load(report.save(path))
        assert loaded.to_markdown() == report.to_markdown()
        assert loaded.names == report.names
        assert loaded.settings == report.settings
        if len(report.table):
            pd.testing.assert_frame_equal(loaded.table, report.table, check_exact=True)
        for name, values in report.guesses.items():
            np.testing.assert_array_equal(loaded.guesses[name], values)


def paths(value, path=()):
    """Yield the path to every part of a JSON value."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, part in value.items():
            yield from paths(part, (*path, key))


def is_refused_or_shown(report, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        document = json.loads(report.save(path).read_text())
        contents = copy.deepcopy(document["contents"])
        where = data.draw(st.sampled_from(list(paths(contents))))
        value = data.draw(JSON)
        if where:
            part = contents
            for key in where[:-1]:
                part = part[key]
            part[where[-1]] = value
        else:
            contents = value
        document |= {"contents": contents, "sha256": json_digest(contents)}
        path.write_text(json.dumps(document))
        loaded, refusal = None, ""
        try:
            loaded = AuditReport.load(path)
        except InvalidInputError as error:
            refusal = str(error)
        if loaded is None:
            assert str(path) in refusal
        else:
            assert loaded._repr_html_()
            assert loaded.to_html(path).stat().st_size
            assert repr(loaded)


@FAST
@given(reports())
def test_random_reports_come_back(report):
    comes_back(report)


@FAST
@given(reports(), st.data())
def test_changed_contents_are_refused_or_shown(report, data):
    is_refused_or_shown(report, data)


@pytest.mark.slow
@LONG
@given(reports())
def test_many_random_reports_come_back(report):
    comes_back(report)


@pytest.mark.slow
@LONG
@given(reports(), st.data())
def test_many_changed_contents_are_refused_or_shown(report, data):
    is_refused_or_shown(report, data)


def test_every_part_of_a_value_has_a_path():
    assert list(paths({"a": [1, {"b": math.pi}]})) == [
        (), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"),
    ]  # fmt: skip
