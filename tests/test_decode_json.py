"""JSON from files: what is valid is returned as the json module does, everything else is named."""

import json
import os

import pytest
from hypothesis import strategies as st

from wsl._decode_json import (
    MAX_DEPTH,
    Fields,
    ListOf,
    MapOf,
    check_schema,
    decode_json,
    read_json,
)
from wsl.exceptions import InvalidInputError, ZooFileError

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(PLAIN, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=20)


def refused(function, *args, **options):
    """Return what a function returns, or the text of its ZooFileError."""
    try:
        return function(*args, **options)
    except ZooFileError as error:
        return str(error)


def test_valid_values_come_back(fuzz):
    def check(value):
        for options in ({}, {"indent": 1}, {"ensure_ascii": False}):
            text = json.dumps(value, **options)
            assert decode_json(text, "x") == value
            assert decode_json(text.encode(), "x") == value

    fuzz(check, VALUES)


def test_any_bytes_are_decoded_or_named(fuzz):
    def check(data):
        value = refused(decode_json, data, "some.json")
        json.dumps(value).encode()

    text = st.text(alphabet='[]{}",:\\ud8001e-.NaInftyrls \ufeff\u2028', max_size=40)
    fuzz(check, st.binary(max_size=40) | text.map(str.encode))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not valid JSON"),
        ("[1, 2", "not valid JSON"),
        (b"\xff", "not UTF-8 text"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "has the key 'c' twice"),
        ('"\\ud800"', "must be valid Unicode"),
        ('{"\\udfff": 1}', "must be valid Unicode"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested more than 100 levels"),
        ("[" * 10**6, "nested more than 100 levels"),
        ('{"a":' * 10**5, "nested more than 100 levels"),
        ("9" * 10**5, "not valid JSON"),
    ],
)
def test_other_text_is_refused(text, reason):
    with pytest.raises(ZooFileError, match=f"^some.json .*{reason}"):
        decode_json(text, "some.json")
    with pytest.raises(InvalidInputError, match=reason):
        decode_json(text, "some.json", error=InvalidInputError)


def test_brackets_in_text_are_not_nesting():
    value = ["[{" * MAX_DEPTH + '\\" [', '"[' * MAX_DEPTH] * MAX_DEPTH
    assert decode_json(json.dumps(value), "x") == value
    deep = json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert decode_json(json.dumps(deep), "x") == deep
    assert decode_json('"\\ud83d\\ude00"', "x") == "\U0001f600"


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        (True, int, "it must be a whole number; got True"),
        (1.0, int, "it must be a whole number; got 1.0"),
        ("1", float, "it must be a number; got '1'"),
        (1, bool, "it must be true or false; got 1"),
        (None, (str, int), "it must be text or a whole number; got None"),
        ({"a": [1, "2"]}, MapOf(ListOf(int)), r"`a\[1\]` must be a whole number; got '2'"),
        ({"a": 1}, ListOf(int), r"it must be a list; got \{'a': 1\}"),
        ([0] * 100, MapOf(int), "it must be an object; got a list of 100 entries"),
        ({"a": 1}, Fields({"a": int, "b": str}), r"it lacks \['b'\]"),
        ({"a": 1, "c": 2}, Fields({"a": int}), r"it has unknown fields \['c'\]"),
        ({"p": {"a": 1.5}}, MapOf(Fields({"a": int})), "`p.a` must be a whole number; got 1.5"),
        ({"a": 1, "b": 2}, Fields({"a": int}, {"b": str}), "`b` must be text; got 2"),
        ([[1]], ListOf((str, ListOf(str))), r"`\[0\]\[0\]` must be text; got 1"),
    ],
)
def test_schemas_name_the_place(value, schema, reason):
    with pytest.raises(ValueError, match=reason):
        check_schema(value, schema)
    with pytest.raises(ZooFileError, match=f"^f is not valid: {reason}"):
        decode_json(json.dumps(value), "f", schema)


def test_schemas_of_what_is_valid():
    check_schema({"a": 1}, Fields({"a": float}, {"b": str}))
    check_schema({"a": 1, "c": 2}, Fields({"a": int}, extra=True))
    check_schema([1, None, "x"], ListOf((int, str, type(None))))
    check_schema([[1], "x"], ListOf((str, ListOf(int))))
    check_schema({"x": [object()]}, object)


def test_files_are_bounded(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("[1, 2, 3]")
    assert read_json(file, ListOf(int), max_bytes=9) == [1, 2, 3]
    with pytest.raises(ZooFileError, match=r"a\.json must have at most 8 bytes; got 9"):
        read_json(file, max_bytes=8)
    os.truncate(file, 2**40)  # takes no space on the disk
    with pytest.raises(ZooFileError, match=r"a\.json must have at most"):
        read_json(file)
