import numpy as np
import pandas as pd
import polars as pl
import pytest

from wsl.exceptions import InvalidInputError
from wsl.risk import RecordedResponses
from wsl.risk.trained_models._recorded_queries import match_queries

QUERIES = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        (["yes", "no"], r"must have one row for each of 3 queries; got shape \(2,\)"),
        (0.5, r"must have one row for each of 3 queries; got shape \(\)"),
        (np.ones((3, 2, 2)), r"must have one row for each of 3 queries; got shape \(3, 2, 2\)"),
        (["yes", None, "no"], "must not contain missing values; got 1 of 3"),
        ([0.1, np.nan, np.nan], "must not contain missing values; got 2 of 3"),
        ([0.1, np.inf, 0.2], "must be finite; got infinite values"),
        ([["a", "b"]] * 3, r"with several columns must be numbers.*; got \['a', 'b'\]"),
    ],
)
def test_responses_that_are_none_are_refused(responses, message):
    with pytest.raises(InvalidInputError, match=message):
        RecordedResponses(QUERIES, responses)


def test_queries_with_gaps_are_refused_in_arrays_and_kept_in_tables():
    gap = np.where(QUERIES == 1, np.nan, QUERIES)
    with pytest.raises(InvalidInputError, match="`queries` must be a 2-D array of finite numbers"):
        RecordedResponses(gap, [1, 2, 3])
    assert len(RecordedResponses(pd.DataFrame(gap), [1, 2, 3]).values) == 3


@pytest.mark.parametrize(
    "responses",
    [
        ["no", "yes", "no"],
        pd.Series(["no", "yes", "no"], index=[5, 6, 7]),
        pd.Series(["no", "yes", "no"], dtype="category"),
        pd.DataFrame({"answer": ["no", "yes", "no"]}),
        pl.Series(["no", "yes", "no"]),
    ],
)
def test_labels_come_in_any_column(responses):
    recorded = RecordedResponses(QUERIES, responses)
    assert recorded.values.tolist() == ["no", "yes", "no"]
    assert recorded.columns is None


def test_columns_of_probabilities_keep_their_names():
    for table in (pd.DataFrame, pl.DataFrame):
        recorded = RecordedResponses(QUERIES, table({"yes": [0.1] * 3, "no": [0.9] * 3}))
        assert recorded.columns == ("yes", "no")
        assert recorded.values.shape == (3, 2)


FRAME = pd.DataFrame(
    {
        "town": pd.Categorical(["Bonn", "Celle"]),
        "since": pd.to_datetime(["2020-01-01", None]),
        "rooms": [1.0, 2.0],
    }
)


def test_queries_from_a_file_get_the_types_of_the_family(tmp_path):
    FRAME.iloc[::-1, ::-1].to_csv(tmp_path / "rows.csv", index=False)
    read = pd.read_csv(tmp_path / "rows.csv")
    matched = match_queries(read, FRAME, "queries")
    assert matched.dtypes.equals(FRAME.dtypes)
    assert matched.equals(FRAME.iloc[::-1].reset_index(drop=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"town": "Essen"}, r"values in column 'town' that the family's rows have.*\['Essen'\]"),
        ({"since": "long"}, "type datetime64.* in column 'since'"),
        ({"rooms": "many"}, "type float64 in column 'rooms'"),
        ({"rent": 1}, r"got no \[\] and, beyond them, \['rent'\]"),
    ],
)
def test_queries_that_the_family_cannot_have_are_refused(change, message):
    with pytest.raises(InvalidInputError, match=f"`queries` must have .*{message}"):
        match_queries(FRAME.assign(**change), FRAME, "queries")


def test_a_table_of_numbers_serves_a_family_of_arrays():
    table = pd.DataFrame(QUERIES, columns=["a", "b"])
    np.testing.assert_array_equal(match_queries(table, np.zeros((1, 2)), "queries"), QUERIES)
    with pytest.raises(InvalidInputError, match="`queries` must be a 2-D array of finite numbers"):
        match_queries(FRAME, np.zeros((1, 3)), "queries")
    with pytest.raises(InvalidInputError, match="`queries` must be a polars DataFrame with the"):
        match_queries(FRAME, pl.DataFrame({"rooms": [1.0]}), "queries")
