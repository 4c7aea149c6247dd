"""Files of reports: what is saved comes back, whatever else a file holds is refused in words."""

import base64
import json
import math
import os
import random
import re
import tracemalloc
import zlib
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest

from wsl._digest import json_digest
from wsl._files import write_text
from wsl.exceptions import InvalidInputError
from wsl.risk import AuditReport, Estimate, GameReport, SourcesReport
from wsl.risk.game._game_tables import COLUMNS
from wsl.risk.reports import _field_codecs

RNG = np.random.default_rng(0)
AUDIT = AuditReport(
    pd.DataFrame(
        [
            ("queries", "accuracy", 0.9, 0.8, 1.0, 0.8, math.inf),
            ("queries", "auc", 0.95, 0.85, 1.0, 0.9, math.nan),
            ("kl", "accuracy", 0.5, 0.4, 0.6, 0.0, 0.0),
        ],
        columns=list(AuditReport.COLUMNS),
    ),
    pd.DataFrame([("accuracy", 0.9, 0.88, 0.92)], columns=["metric", "value", "ci_low", "ci_high"]),
    {"accuracy": 0.5, "auc": 0.5},
    {"deepsets": "no weights"},
    {"learner": "L()", "n_shadows": 64, "random_state": None, "odd": {"a": [1, None]}},
    RNG.integers(2, size=30),
    {"queries": RNG.integers(2, size=(5, 30)), "kl": RNG.integers(2, size=(5, 30))},
    {"queries": RNG.random((5, 30, 2), dtype=np.float32)},
    ("few", "many"),
    {"group": "women"},
    {"advantage": 0.2},
)
GAME = GameReport(
    pd.DataFrame(
        [("queries", 0.1, 0.05, 0.2, 0.8, 0.6, 0.9, 8.0, 6.0, math.inf, math.nan)],
        columns=list(COLUMNS),
    ),
    Estimate(0.5, 0.5, 0.5), None, [], {}, (0, 1), RNG.integers(2, size=20),
    {"queries": RNG.integers(2, size=(3, 20))}, {"queries": RNG.random((3, 20))},
    {"loss": "zero_one"},
)  # fmt: skip
SOURCES = SourcesReport(
    pd.DataFrame(
        [("sample", 0.5, 0.4, 0.6), ("rest", 0.1, 0.0, 0.2), ("total", 0.6, 0.5, 0.7)],
        columns=["source", "advantage", "ci_low", "ci_high"],
    ),
    pd.DataFrame(
        [(True, True, False, 0.5, 0.4, 0.6)],
        columns=["conditional", "bias", "sample", "advantage", "ci_low", "ci_high"],
    ),
    pd.DataFrame(
        [(True, True, 64, 0.5, 0.4, 0.6)],
        columns=["conditional", "bias", "n_samples", "advantage", "ci_low", "ci_high"],
    ),
    notes={"sample": "more rows"},
)
every_report = pytest.mark.parametrize(
    "report", [AUDIT, GAME, SOURCES], ids=lambda r: type(r).__name__
)


def equal(one, other):
    """Whether two reports agree in every field, bit by bit."""
    for name in one.__dataclass_fields__:
        mine, yours = getattr(one, name), getattr(other, name)
        if isinstance(mine, pd.DataFrame):
            pd.testing.assert_frame_equal(mine, yours, check_exact=True)
        elif isinstance(mine, dict) and any(isinstance(v, np.ndarray) for v in mine.values()):
            assert list(mine) == list(yours)
            for key in mine:
                np.testing.assert_array_equal(mine[key], yours[key])
        elif isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, yours)
        else:
            assert mine == yours, name
    return True


def rewrite(path, change):
    """Change the contents of a report's file, and its digest with them."""
    document = json.loads(path.read_text())
    change(document["contents"])
    document["sha256"] = json_digest(document["contents"])
    path.write_text(json.dumps(document))


@every_report
def test_a_report_comes_back_as_it_was_saved(report, tmp_path):
    path = report.save(tmp_path / "new" / "report.json")
    json.loads(path.read_text(), parse_constant=pytest.fail)  # strict JSON: no NaN, no Infinity
    loaded = type(report).load(path)
    assert equal(report, loaded)
    assert repr(loaded) == repr(report)
    assert loaded.explain() == report.explain()


def test_an_audit_without_attacks_comes_back(tmp_path):
    empty = AuditReport(
        AUDIT.table[:0], chance={"accuracy": 0.5}, skipped={"kl": "no \ud800 query"}
    )
    loaded = AuditReport.load(empty.save(tmp_path / "report.json"))
    assert not len(loaded.table)
    assert loaded.skipped == empty.skipped
    assert loaded.truth is None


def test_types_of_arrays_and_classes_come_back(tmp_path):
    guesses = {"kl": RNG.integers(2, size=(2, 30)).astype("i8")}
    odd = replace(AUDIT, classes=(("a", 1), ("b", 2)), guesses=guesses)
    loaded = AuditReport.load(odd.save(tmp_path / "report.json"))
    assert loaded.classes == odd.classes
    assert loaded.scores["queries"].dtype == np.float32
    np.testing.assert_array_equal(loaded.guesses["kl"], odd.guesses["kl"])


@every_report
def test_files_follow_their_schema(report, tmp_path):
    schema = type(report).json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(report.save(tmp_path / "report.json").read_text())
    jsonschema.validate(document, schema)
    assert document["sha256"] == json_digest(document["contents"])
    for field in document["contents"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | {"contents": document["contents"] | {field: 3}}, schema)


@every_report
def test_no_flipped_bit_gives_another_report(report, tmp_path):
    path = report.save(tmp_path / "report.json")
    original, generator = path.read_bytes(), random.Random(0)
    positions = generator.sample(range(8 * len(original)), 600)
    refused, messages = 0, []
    for position in positions:
        changed = bytearray(original)
        changed[position // 8] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            loaded = type(report).load(path)
        except InvalidInputError as error:
            refused += str(path) in str(error)
            messages.append(str(error))
        else:  # white space between values, or another escape of one character
            assert equal(report, loaded)
    assert refused == len(messages) > 400


@every_report
def test_a_torn_file_is_refused(report, tmp_path):
    path = report.save(tmp_path / "report.json")
    original = path.read_bytes()
    for length in range(0, len(original) - 1, max(len(original) // 100, 1)):
        path.write_bytes(original[:length])
        with pytest.raises(InvalidInputError, match=f"{re.escape(str(path))} is not valid JSON"):
            type(report).load(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"no json", "is not valid JSON"),
        (b"[]", r"must be an object; got \[\]"),
        (b"null", "must be an object; got None"),
        (b"{}", "must be a wsl-audit-report of version 3; got None"),
        (b"\xef\xbb\xbf{}", "must be a wsl-audit-report of version 3; got None"),
        (b'{"format": "other", "version": 1}', "must be a wsl-audit-report .* got 'other'"),
        (b'{"format": [], "version": {}}', "must be a wsl-audit-report"),
        (b'{"format": "a", "format": "b"}', "key 'format' twice"),
        (b"[" * 100_000, "nested more than 100 levels deep"),
        (b"\xff{}", "is not UTF-8 text"),
        (b'{"format": "wsl-audit-report", "version": 3, "sha256": 1, "contents": {}}',
         "`sha256` must be text; got 1"),
        (b'{"format": "wsl-audit-report", "version": 3, "sha256": "1", "contents": []}',
         "`contents` must be an object"),
        (b'{"format": "wsl-audit-report", "version": 3, "contents": {}}', r"lacks \['sha256'\]"),
        (b'{"format": "wsl-audit-report", "version": 3, "sha256": "", "contents": {}, "by": ""}',
         r"unknown fields \['by'\]"),
        (b'{"format": "wsl-audit-report", "version": true}', "got .* of version True"),
        (b'{"format": "wsl-audit-report", "version": ' + b"9" * 5000 + b"}", "is not valid JSON"),
    ],
    ids=lambda text: text[:50] if isinstance(text, bytes) else "",
)  # fmt: skip
def test_another_file_is_refused(text, reason, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(text)
    with pytest.raises(InvalidInputError, match=reason) as refused:
        AuditReport.load(path)
    assert str(path) in str(refused.value)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "must be a regular file to be read; got a named pipe"),
        (os.mkdir, "must be a regular file to be read; got a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "got a device"),
        (lambda path: None, "No such file"),
    ],
    ids=["pipe", "folder", "device", "nothing"],
)
def test_what_is_no_file_is_refused(make, reason, tmp_path):
    make(tmp_path / "report.json")
    with pytest.raises(InvalidInputError, match=f"report.json .*{reason}"):
        AuditReport.load(tmp_path / "report.json")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "report.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole, which takes no space
    with pytest.raises(InvalidInputError, match="must have at most 268435456 bytes"):
        AuditReport.load(path)


def test_many_arrays_are_together_no_larger_than_the_largest(tmp_path, monkeypatch):
    monkeypatch.setattr(_field_codecs, "LARGEST_ARRAY", 200)
    path = AUDIT.save(tmp_path / "report.json")
    with pytest.raises(InvalidInputError, match=r"'guesses' must be an array of at most 50 bytes"):
        AuditReport.load(path)


@every_report
def test_another_version_is_refused(report, tmp_path):
    path = report.save(tmp_path / "report.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"version": 99}))
    with pytest.raises(InvalidInputError, match="of version 99"):
        type(report).load(path)


@every_report
def test_unknown_and_missing_fields_are_refused(report, tmp_path):
    path = report.save(tmp_path / "report.json")
    rewrite(path, lambda contents: contents.update(more=1))
    with pytest.raises(InvalidInputError, match=r"must have the fields .* got .*'more'"):
        type(report).load(path)
    path = report.save(path)
    rewrite(path, lambda contents: contents.pop("settings"))
    with pytest.raises(InvalidInputError, match="must have the fields"):
        type(report).load(path)


WRONG = [None, True, 3, "text", [1], {"a": 1}, [[1, 2]], {"a": [1]}, {"a": {"b": 1}}, -1e300]


@pytest.mark.slow
@every_report
@pytest.mark.parametrize("value", WRONG, ids=str)
def test_a_report_that_loads_can_be_shown(report, value, tmp_path):
    path, messages = tmp_path / "report.json", []
    for name in type(report)._format.codecs:
        rewrite(report.save(path), lambda contents, name=name: contents.update({name: value}))
        try:
            loaded = type(report).load(path)
        except InvalidInputError as error:
            messages.append(str(error))
        else:
            assert loaded.to_html(tmp_path / "page.html").exists()
            assert repr(loaded)
            assert loaded._repr_html_()
    assert messages
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize(
    "changed",
    [
        {"dtype": "|O"},
        {"dtype": "nonsense"},
        {"dtype": "S1000000000"},
        {"dtype": 3},
        {"shape": [3, 3]},
        {"shape": [-2, -3]},
        {"shape": [10**12]},
        {"shape": [10**40]},
        {"shape": [0, 10**30]},
        {"shape": 6},
        {"data": "*"},
        {"data": "AAAA"},
        {"more": 1},
    ],
    ids=str,
)
def test_a_damaged_array_is_an_error_and_no_code(changed, tmp_path):
    path = replace(AUDIT, truth=np.arange(6) / 7).save(tmp_path / "report.json")
    rewrite(path, lambda contents: contents["truth"].update(changed))
    with pytest.raises(InvalidInputError, match="is damaged: its field 'truth'"):
        AuditReport.load(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("chance", {"accuracy": 0.5}, r"`chance` must have the metrics .* \['auc'\]"),
        ("truth", RNG.integers(2, size=29), "`guesses` of 'queries' must have shape"),
        ("truth", np.full(30, 2), "`truth` must hold indices of 2 classes"),
        ("guesses", {"queries": np.full((5, 30), 7)}, "`guesses` of 'queries' must hold indices"),
        ("scores", {"queries": np.ones((5, 30, 3), "f")}, "`scores` of 'queries' must have shape"),
        ("names", {"sex": "women"}, "`names` must be text with keys"),
        ("thresholds", {"fun": 1.0}, "`thresholds` must have keys"),
        ("settings", {"adversary_learner": "L()"}, "contradict each other: KeyError"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(field, value, message, tmp_path):
    path = AUDIT.save(tmp_path / "report.json")
    codec = AuditReport._format.codecs[field]
    rewrite(path, lambda contents: contents.update({field: codec.encode(value)}))
    with pytest.raises(InvalidInputError, match=message):
        AuditReport.load(path)


def test_an_array_of_much_from_little_is_refused_before_it_is_made(tmp_path):
    path = AUDIT.save(tmp_path / "report.json")
    bomb = zlib.compress(bytes(2**20), 9)
    for shape in ([2**20], [2**28 + 1], [2**21]):
        data = base64.b64encode(bomb).decode()
        packed = {"dtype": "|u1", "shape": shape, "data": data}
        rewrite(path, lambda contents, packed=packed: contents.update(truth=packed))
        tracemalloc.start()
        with pytest.raises(InvalidInputError, match="damaged"):
            AuditReport.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**23
        tracemalloc.stop()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = write_text(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_that_the_umask_leaves(mask, tmp_path):
    before = os.umask(mask)
    try:
        modes = {
            AUDIT.save(tmp_path / "report.json").stat().st_mode & 0o777,
            AUDIT.to_html(tmp_path / "page.html").stat().st_mode & 0o777,
        }
    finally:
        os.umask(before)
    assert modes == {0o666 & ~mask}
