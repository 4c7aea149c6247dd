"""Families of real tables carry DataFrames as they are, and refuse what is missing in words."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from wsl.distributions import (
    EnvironmentMembershipFamily,
    Interval,
    RecordMembershipFamily,
    SubsampledFamily,
)
from wsl.distributions._table_rows import plain_column
from wsl.exceptions import InvalidInputError, TargetAmongFeaturesWarning

RNG = np.random.default_rng(0)
N = 300
SEX = pd.Series(RNG.choice(["f", "m"], N), name="sex")
FRAME = pd.DataFrame(
    {
        "job": RNG.choice(["clerk", "nurse", None], N),
        "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.integers(18, 70, N)),
        "region": pd.Categorical(RNG.choice(["north", "south"], N)),
        "owns_home": RNG.random(N) < 0.4,
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 999, N), unit="D"),
        "children": pd.array(RNG.integers(0, 4, N), dtype="Int64"),
    },
    index=RNG.permutation(N) + 1000,
)
Y = RNG.choice(["yes", "no"], N)
FAMILIES = {
    "fraction": lambda X: SubsampledFamily(X, Y, SEX, value="f", properties=(0.2, 0.8)),
    "presence": lambda X: SubsampledFamily.with_presence(X, Y, SEX, value="f"),
    "mean": lambda X: SubsampledFamily.with_mean(X, Y, X["children"], properties=(1.2, 1.6)),
    "proportions": lambda X: SubsampledFamily.with_proportions(
        X, Y, SEX, values=["f"], properties=[Interval(0.2, 0.8)]
    ),
    "environments": lambda X: EnvironmentMembershipFamily.from_table(X, Y, SEX),
    "record": lambda X: RecordMembershipFamily(X, Y, record=7),
}


def first_value(family):
    values = family.property_values
    if isinstance(values, list):
        return (values[0].midpoint,)
    return values[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sample_is_rows_of_the_frame(name):
    family = FAMILIES[name](FRAME)
    X, y, *_ = family.sample(first_value(family), 60, random_state=0)
    assert X.dtypes.equals(FRAME.dtypes)
    pd.testing.assert_frame_equal(X, FRAME.loc[X.index])
    positions = FRAME.index.get_indexer(X.index)
    assert (Y[positions] == y).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_split_shares_no_row_of_the_frame(name):
    family = FAMILIES[name](FRAME)
    parts = family.split(0.5, random_state=0)
    rows = []
    for part in parts:
        draws = [part.sample(first_value(part), 40, random_state=s)[0].index for s in range(5)]
        rows.append(set().union(*draws))
    common = rows[0] & rows[1]
    assert common <= {FRAME.index[7]} if name == "record" else not common


def test_the_fraction_is_that_of_the_named_column():
    frame = FRAME.assign(sex=SEX.to_numpy())
    family = SubsampledFamily(frame, Y, "sex", value="f", properties=(0.25, 0.75))
    for value in (0.25, 0.75):
        X, _ = family.sample(value, 40, random_state=0)
        assert (X["sex"] == "f").mean() == value


TOWNS = FRAME.assign(town=np.repeat([0, 1], N // 2), sex=SEX.to_numpy())


@pytest.mark.parametrize(
    ("family", "names"),
    [
        (SubsampledFamily(TOWNS, Y, "sex", value="f"), {"group": "rows with sex=f"}),
        (SubsampledFamily(TOWNS, Y, "town"), {"group": "rows with town=1"}),
        (SubsampledFamily(TOWNS, Y, SEX, value="f"), {}),
        (
            SubsampledFamily.with_presence(TOWNS, Y, "sex", value="f"),
            {"property": "the presence of rows with sex=f"},
        ),
        (SubsampledFamily.with_presence(TOWNS, Y, SEX, value="f"), {}),
        (
            SubsampledFamily.with_mean(TOWNS, Y, "children", properties=(1.0, 2.0)),
            {"property": "the mean of children"},
        ),
        (
            SubsampledFamily.with_proportions(
                TOWNS, Y, "region", values=("north", "south"), properties=((0.2, 0.8), (0.5, 0.5))
            ),
            {"property": "the fractions of region=north, south"},
        ),
        (EnvironmentMembershipFamily.linear_causal(), {}),
    ],
)
def test_reports_call_the_property_by_its_column(family, names):
    assert family.report_names == names
    if isinstance(family, SubsampledFamily):
        assert [part.report_names for part in family.split(0.5, random_state=0)] == [names] * 2


def test_polars_frames_stay_polars():
    frame = pl.DataFrame(
        {"job": [j if isinstance(j, str) else None for j in FRAME["job"]], "row": np.arange(N)}
    )
    family = SubsampledFamily(frame, Y, SEX, value="f", properties=(0.2, 0.8))
    X, y = family.sample(0.2, 50, random_state=0)
    assert isinstance(X, pl.DataFrame)
    assert X.schema == frame.schema
    assert (Y[X["row"].to_numpy()] == y).all()
    X, _, _ = EnvironmentMembershipFamily.from_table(frame, Y, SEX).sample(1, 50, random_state=0)
    assert X.schema == frame.schema


@pytest.mark.parametrize(
    ("values", "objects", "expected"),
    [
        (pd.Series([1, 2], dtype="Int64"), False, np.array([1, 2])),
        (pd.Series([1, 2**63], dtype="UInt64"), False, np.array([1, 2**63], np.uint64)),
        (pd.Series([True, False], dtype="boolean"), False, np.array([True, False])),
        (pd.Series([0.5, 1.0], dtype="Float64"), False, np.array([0.5, 1.0])),
        (pd.Series(["a", "b"], dtype="string"), False, np.array(["a", "b"], object)),
        (pd.Series(["a", "b"], dtype="string"), True, np.array(["a", "b"])),
        (np.array(["a", "bc"], object), True, np.array(["a", "bc"])),
        (np.array([1, 2], object), False, np.array([1, 2], object)),
        (["a", "b"], False, np.array(["a", "b"])),
    ],
)
def test_columns_become_arrays_of_plain_types(values, objects, expected):
    column = plain_column(values, objects)
    assert (column.dtype, column.tolist()) == (expected.dtype, expected.tolist())


def test_nullable_labels_become_plain_ones():
    for labels, kind in ((Y == "yes", "b"), (np.arange(N) % 3, "i")):
        nullable = pd.Series(labels).convert_dtypes()
        _, y = SubsampledFamily(FRAME, nullable, SEX, value="f").sample(0.2, 50, random_state=0)
        assert y.dtype.kind == kind


WITH_GAPS = SEX.where(np.arange(N) % 5 > 0, None)
GAPS = {
    "text": (WITH_GAPS, "f"),
    "string": (WITH_GAPS.astype("string"), "f"),
    "category": (WITH_GAPS.astype("category"), "f"),
    "boolean": ((SEX == "f").astype("boolean").where(WITH_GAPS.notna()), None),
    "float": (np.where(WITH_GAPS.isna(), np.nan, SEX == "f"), None),
    "float with value": (np.where(WITH_GAPS.isna(), np.nan, SEX == "f"), 1),
}


@pytest.mark.parametrize("form", GAPS)
def test_a_missing_attribute_is_counted_or_dropped(form):
    attribute, value = GAPS[form]
    with pytest.raises(InvalidInputError, match=r'60 of 300\. Pass missing="drop"'):
        SubsampledFamily(FRAME, Y, attribute, value=value)
    family = SubsampledFamily(
        FRAME, Y, attribute, value=value, properties=(0.0, 1.0), missing="drop"
    )
    for wanted, sex in ((0.0, "m"), (1.0, "f")):
        X, _ = family.sample(wanted, 80, random_state=0)
        positions = FRAME.index.get_indexer(X.index)
        assert (SEX.to_numpy()[positions] == sex).all()
        assert (positions % 5 > 0).all()


@pytest.mark.parametrize(
    "build",
    [
        lambda m: SubsampledFamily.with_presence(FRAME, Y, WITH_GAPS, value="f", missing=m),
        lambda m: SubsampledFamily.with_proportions(
            FRAME, Y, WITH_GAPS, values=["f"], properties=[Interval(0, 0.5)], missing=m
        ),
        lambda m: SubsampledFamily.with_mean(FRAME, Y, "age", properties=(40, 45), missing=m),
        lambda m: EnvironmentMembershipFamily.from_table(FRAME, Y, WITH_GAPS, missing=m),
    ],
)
def test_every_constructor_counts_and_drops(build):
    with pytest.raises(InvalidInputError, match=r"must not contain missing values; got .* of 300"):
        build("error")
    family = build("drop")
    family.sample(first_value(family), 30, random_state=0)
    with pytest.raises(InvalidInputError, match="`missing` must be 'error' or 'drop'; got 'skip'"):
        build("skip")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (FRAME, np.where(np.arange(N) < 7, None, Y), "`y` must not contain missing values; got 7"),
        (FRAME.iloc[:0], Y[:0], "must have rows and columns"),
        (FRAME[["age", "age"]], Y, r"unique column names; got \['age'\] twice"),
        (FRAME.to_numpy(), Y, "`X` must be numeric, or a DataFrame"),
    ],
)
def test_other_tables_are_refused_in_words(X, y, message):
    with pytest.raises(InvalidInputError, match=message):
        SubsampledFamily(X, y, SEX[: len(y)], value="f")


def test_an_unknown_column_is_named():
    with pytest.raises(InvalidInputError, match=r"must be one of .*'job'.*; got 'gender'"):
        SubsampledFamily(FRAME, Y, "gender", value="f")


@pytest.mark.parametrize("member", [1.5, "1", None, True, 2])
def test_a_member_that_is_no_environment_is_refused(member):
    pools = [(np.zeros((9, 1)), np.zeros(9)), (np.ones((9, 1)), np.ones(9))]
    with pytest.raises(InvalidInputError, match=f"`member` must be the index.*got {member!r}"):
        EnvironmentMembershipFamily(pools, member=member)


def test_an_object_with_properties_and_sample_is_a_family():
    from wsl.distributions import DistributionFamily

    class Own:
        properties = (0, 1)

        def sample(self, value, n_samples, random_state):
            rng = np.random.default_rng(random_state)
            return FRAME.iloc[rng.choice(N, n_samples)], np.full(n_samples, value)

    family = DistributionFamily.from_object(Own())
    X, y = family.sample(1, 20, random_state=0)
    assert X.dtypes.equals(FRAME.dtypes)
    assert y.tolist() == [1] * 20
    assert DistributionFamily.from_object(family) is family
    with pytest.raises(InvalidInputError, match="`family` must have an attribute `properties`"):
        DistributionFamily.from_object(3)


@pytest.mark.parametrize("kind", ["number", "text", "array"])
def test_a_column_that_says_the_outcome_is_named(kind):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 40)
    answer = {"number": y, "text": np.where(y == 1, "yes", "no"), "array": 3 * y}[kind]
    X = pd.DataFrame({"age": rng.normal(size=40), "answer": answer})
    with pytest.warns(TargetAmongFeaturesWarning, match="answer|1") as caught:
        SubsampledFamily(X.to_numpy(float) if kind == "array" else X, y, np.arange(40) % 2)
    assert len(caught) == 1
    nearly = X.assign(answer=np.where(np.arange(40) == 7, X["answer"][y != y[7]].iloc[0], answer))
    SubsampledFamily(nearly, y, np.arange(40) % 2)


def test_numbers_that_all_differ_are_no_names_of_outcomes():
    rng = np.random.default_rng(0)
    y, age = rng.normal(size=(2, 40))
    SubsampledFamily(pd.DataFrame({"age": age}), y, np.arange(40) % 2)
    with pytest.warns(TargetAmongFeaturesWarning, match="'y'"):
        SubsampledFamily(pd.DataFrame({"age": age, "y": y}), y, np.arange(40) % 2)
