import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import expit

from wsl.distributions import Interval, SubsampledFamily
from wsl.exceptions import InvalidInputError

N_ROWS = 2000
GROUP = np.arange(N_ROWS) % 5 < 2  # 40% of the rows
TABLE = np.column_stack([np.arange(N_ROWS), GROUP])
LABELS = np.where(np.arange(N_ROWS) % 3 == 0, "yes", "no")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.75, 1.0])
def test_shares_are_exact_in_every_draw(share):
    family = SubsampledFamily(TABLE, LABELS, GROUP, properties=Interval(0, 1))
    for seed in range(5):
        X, y = family.sample(share, 300, random_state=seed)
        assert X[:, 1].sum() == share * 300
        rows = X[:, 0].astype(int)
        assert len(set(rows.tolist())) == 300
        np.testing.assert_array_equal(LABELS[rows], y)
        assert X.dtype == np.float32


@pytest.mark.parametrize(("share", "n_group"), [(0.25, 3), (0.333, 3), (0.05, 1), (0.04, 0)])
def test_shares_that_are_not_whole_are_rounded_half_up(share, n_group):
    family = SubsampledFamily(TABLE, LABELS, GROUP, properties=Interval(0, 1))
    assert family.sample(share, 10, random_state=0)[0][:, 1].sum() == n_group


def test_every_row_can_be_drawn_and_order_is_random():
    family = SubsampledFamily(TABLE, LABELS, GROUP)
    drawn = [family.sample(0.5, 1000, random_state=s)[0] for s in range(30)]
    assert len(np.unique(np.concatenate(drawn)[:, 0])) > 0.99 * N_ROWS
    assert 10 < drawn[0][:50, 1].sum() < 40


def test_a_split_shares_no_row_and_keeps_the_group():
    target, adversary = SubsampledFamily(TABLE, LABELS, GROUP).split(0.25, random_state=0)
    first = {row for s in range(20) for row in target.sample(0.5, 300, s)[0][:, 0]}
    second = {row for s in range(20) for row in adversary.sample(0.5, 300, s)[0][:, 0]}
    assert not first & second
    assert target.sample(0.5, 400, 0)[0][:, 1].sum() == 200
    with pytest.raises(InvalidInputError, match="rows of the group, which has 200"):
        target.sample(0.5, 402, 0)


def test_attribute_by_value_and_by_column():
    frame = pd.DataFrame({"row": np.arange(N_ROWS), "group": GROUP.astype(int)})
    names = np.where(GROUP, "f", "m")
    expected = SubsampledFamily(TABLE, LABELS, GROUP).sample(0.2, 100, 1)[0]
    for family in (
        SubsampledFamily(TABLE, LABELS, names, value="f"),
        SubsampledFamily(frame, LABELS, "group"),
    ):
        np.testing.assert_array_equal(family.sample(0.2, 100, 1)[0], expected)


def test_it_pickles(tmp_path):
    family = SubsampledFamily(TABLE, LABELS, GROUP)
    joblib.dump(family, tmp_path / "family")
    loaded = joblib.load(tmp_path / "family")
    np.testing.assert_array_equal(family.sample(0.2, 9, 1)[0], loaded.sample(0.2, 9, 1)[0])
    assert repr(loaded) == "SubsampledFamily(n_group=800, n_others=1200, properties=(0.2, 0.5))"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((TABLE, LABELS, LABELS), "`attribute` must be bool"),
        ((TABLE, LABELS, GROUP[:-1]), "`attribute` must have one entry"),
        ((TABLE, LABELS[:-1], GROUP), "`y` must have one entry"),
        ((TABLE, LABELS, np.ones(N_ROWS)), "`attribute` .*holds for 2000 of 2000"),
        ((TABLE * np.nan, LABELS, GROUP), "X"),
        ((LABELS[:, None], LABELS, GROUP), "X"),
    ],
)
def test_bad_tables_are_named(arguments, named):
    with pytest.raises(InvalidInputError, match=named):
        SubsampledFamily(*arguments)


@pytest.mark.parametrize("properties", [(0.2, 1.2), Interval(-1, 0.5), (0.2,), ("a", "b")])
def test_bad_shares_are_named(properties):
    with pytest.raises(InvalidInputError, match="properties"):
        SubsampledFamily(TABLE, LABELS, GROUP, properties=properties)


def test_bad_draws_are_named():
    family = SubsampledFamily(TABLE, LABELS, GROUP)
    with pytest.raises(InvalidInputError, match=r"`property_value` must be .*got 0\.3"):
        family.sample(0.3, 10)
    with pytest.raises(InvalidInputError, match="fraction"):
        family.split(0)


AGE = np.random.default_rng(1).integers(18, 90, N_ROWS).astype(float)
LENGTH = np.random.default_rng(2).lognormal(0, 1, N_ROWS)
COLUMNS = {"few values": AGE, "all different": LENGTH, "two values": GROUP.astype(float)}
columns = pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)


def family_of_mean(column, properties):
    return SubsampledFamily.with_mean(
        np.column_stack([np.arange(N_ROWS), column]), LABELS, column, properties=properties
    )


@columns
@pytest.mark.parametrize("z", [-0.4, 0.0, 0.5])
def test_means_hold_in_every_draw_and_in_expectation(column, z):
    mean, n_samples = column.mean() + z * column.std(), 200
    family = family_of_mean(column, (mean, column.mean() + 0.1))
    drawn = np.array([family.sample(mean, n_samples, s)[0] for s in range(60)])
    means = drawn[:, :, 1].mean(1, dtype=float)
    assert np.abs(means - mean).max() <= np.ptp(column) / n_samples + 1e-6
    error = np.ptp(column) / n_samples / np.sqrt(60)  # a mean is off by less than range / n
    assert abs(means.mean() - mean) <= 2.5 * error + 1e-6
    assert all(len(set(rows.tolist())) == n_samples for rows in drawn[:, :, 0].astype(int))


@pytest.mark.slow
@columns
def test_rows_are_drawn_with_logistic_probabilities(column):
    mean = column.mean() + 0.4 * column.std()
    family = family_of_mean(column, (mean, column.mean()))
    n_draws, n_samples = 300, 500
    hits = np.zeros(N_ROWS)
    for seed in range(n_draws):
        hits[family.sample(mean, n_samples, seed)[0][:, 0].astype(int)] += 1

    def off(parameters):
        inclusion = expit(parameters[0] + parameters[1] * (column - mean))
        return [inclusion.sum() - n_samples, inclusion @ (column - mean)]

    solved = optimize.root(off, [-1, 0.5 / column.std()])
    assert solved.success
    inclusion = expit(solved.x[0] + solved.x[1] * (column - mean))
    error = np.sqrt(inclusion * (1 - inclusion) / n_draws)
    assert np.abs((hits / n_draws - inclusion) / error).max() < 5
    assert np.mean(((hits / n_draws - inclusion) / error) ** 2) < 1.15


@columns
def test_means_out_of_reach_are_named(column):
    lowest = np.sort(column)[:500].mean()
    family = family_of_mean(column, Interval(column.min() - 1, column.max() + 1))
    inside = family.sample(lowest + 1e-3 * (column.mean() - lowest), 500, 0)[0]
    assert inside[:, 1].mean(dtype=float) <= lowest + np.ptp(column) / 500
    for mean in (lowest - 1e-3, column.max() + 0.5):
        with pytest.raises(InvalidInputError, match=rf"can have, between {lowest:.6g} and"):
            family.sample(mean, 500, 0)
    with pytest.raises(InvalidInputError, match="2001 are needed of the table, which has 2000"):
        family.sample(column.mean(), 2001, 0)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    column=st.lists(st.integers(-5, 5), min_size=5, max_size=60).filter(lambda c: len(set(c)) > 1),
)
def test_any_mean_within_reach_is_met(data, column):
    n_samples = data.draw(st.integers(1, len(column) - 1))
    ordered = np.sort(np.array(column, dtype=float))
    low, high = ordered[:n_samples].mean(), ordered[-n_samples:].mean()
    assume(high - low > 1e-6)
    mean = low + data.draw(st.floats(0.01, 0.99)) * (high - low)
    X = np.array(column, dtype=float)[:, None]
    family = SubsampledFamily.with_mean(X, np.zeros(len(X)), X[:, 0], properties=Interval(-5, 5))
    drawn = family.sample(mean, n_samples, data.draw(st.integers(0, 99)))[0]
    assert len(drawn) == n_samples
    assert abs(drawn.mean() - mean) <= np.ptp(ordered) / n_samples + 1e-6


@pytest.mark.parametrize("n_samples", [1, 10, 300])
def test_a_group_is_present_or_absent(n_samples):
    family = SubsampledFamily.with_presence(TABLE, LABELS, GROUP)
    assert family.properties == (0, 1)
    assert not family.property_is_fraction
    for seed in range(5):
        absent, present = (family.sample(p, n_samples, seed)[0] for p in (0, 1))
        assert len(absent) == len(present) == n_samples
        assert absent[:, 1].sum() == 0
        assert present[:, 1].sum() == max(1, round(0.4 * n_samples))
    assert repr(family).startswith("SubsampledFamily(of='presence', n_group=800, n_others=1200")


CLASSES = np.arange(N_ROWS) % 4
NUMBERED = np.column_stack([np.arange(N_ROWS), np.arange(N_ROWS) // 4])
some_shares = st.lists(st.integers(0, 100), min_size=2, max_size=2).filter(lambda s: sum(s) <= 100)


@settings(max_examples=60, deadline=None)
@given(percents=some_shares, n_samples=st.integers(1, 400), seed=st.integers(0, 99))
def test_proportions_hold_in_every_draw(percents, n_samples, seed):
    shares = tuple(percent / 100 for percent in percents)
    family = SubsampledFamily.with_proportions(
        NUMBERED, CLASSES, CLASSES, values=(3, 1), properties=(shares, (0.255, 0.335))
    )
    X, y = family.sample(shares, n_samples, seed)
    assert len(set(X[:, 0].tolist())) == n_samples
    np.testing.assert_array_equal(X[:, 0] % 4, y)
    for share, value in zip(shares, (3, 1), strict=True):
        assert abs((y == value).sum() - share * n_samples) < 1 + 1e-6


def test_other_rows_keep_their_shares_among_themselves():
    family = SubsampledFamily.with_proportions(
        NUMBERED, CLASSES, CLASSES, values=(3,), properties=(0.5, 0.1)
    )
    y = np.concatenate([family.sample(0.1, 400, s)[1] for s in range(100)])
    counts = np.bincount(y)
    assert counts[3] == 100 * 40
    np.testing.assert_allclose(counts[:3] / len(y), 0.3, atol=0.01)


def test_proportions_of_all_values_add_up():
    names = np.array(["a", "b"])[CLASSES % 2]
    family = SubsampledFamily.with_proportions(
        NUMBERED, names, names, values=("a", "b"), properties=((0.1, 0.9), (0.7, 0.3))
    )
    assert (family.sample((0.7, 0.3), 100, 0)[1] == "a").sum() == 70
    drawn = family.draw_properties(4, 0)
    assert set(drawn) == {(0.1, 0.9), (0.7, 0.3)}
    intervals = [Interval(0.0, 0.5), Interval(0.1, 0.5)]
    several = SubsampledFamily.with_proportions(
        NUMBERED, CLASSES, CLASSES, values=(0, 1), properties=intervals
    )
    assert several.is_numeric
    values = several.draw_properties(3, 0)
    assert values.shape == (3, 2)
    y = several.sample(values[0], 200, 0)[1]
    assert np.abs(np.bincount(y)[:2] - 200 * values[0]).max() < 1


@pytest.mark.parametrize(
    "family",
    [
        SubsampledFamily.with_presence(TABLE, LABELS, GROUP),
        SubsampledFamily.with_proportions(
            TABLE, LABELS, CLASSES, values=(0, 1), properties=[Interval(0.1, 0.4)] * 2
        ),
        family_of_mean(LENGTH, Interval(1.4, 1.8)),
        family_of_mean(AGE, (50, 60)),
    ],
    ids=["presence", "proportions", "mean, all different", "mean, few values"],
)
def test_every_kind_splits_and_pickles(family, tmp_path):
    parts = family.split(0.3, random_state=0)
    rows = [set(part._table.X[:, 0].astype(int).tolist()) for part in parts]
    assert not rows[0] & rows[1]
    assert len(rows[0] | rows[1]) == N_ROWS
    assert abs(len(rows[0]) - 0.3 * N_ROWS) < 4 * np.sqrt(N_ROWS * 0.21)
    joblib.dump(parts[0], tmp_path / "family")
    loaded, value = joblib.load(tmp_path / "family"), family.draw_properties(2, 0)[0]
    drawn = loaded.sample(value, 100, 1)[0]
    np.testing.assert_array_equal(drawn, parts[0].sample(value, 100, 1)[0])
    assert set(drawn[:, 0].astype(int).tolist()) <= rows[0]
    assert loaded.property_values == family.property_values
    assert f"properties={family.properties!r}" in repr(loaded)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: family_of_mean(np.ones(N_ROWS), (1, 2)), "several values; got 1 in every row"),
        (lambda: family_of_mean(AGE, ("a", "b")), "properties"),
        (lambda: SubsampledFamily.with_mean(TABLE, LABELS, LABELS, properties=(1, 2)), "dtype"),
        (lambda: SubsampledFamily.with_mean(TABLE, LABELS, AGE[:3], properties=(1, 2)), "column"),
        (lambda: SubsampledFamily.with_presence(TABLE, LABELS, LABELS, value="?"), "attribute"),
    ],
)
def test_bad_columns_are_named(build, named):
    with pytest.raises(InvalidInputError, match=named):
        build()


@pytest.mark.parametrize(
    ("values", "properties", "named"),
    [
        ((0, 9), [Interval(0, 0.5)] * 2, "`values` must occur.*9 does not"),
        ((0, 0), [Interval(0, 0.5)] * 2, "each once"),
        ((), [Interval(0, 0.5)], "at least one"),
        ((0, 1), [Interval(0, 0.6)] * 2, "sum of at most 1"),
        ((0, 1), [Interval(0, 0.5)] * 3, "list of 2 Intervals"),
        ((0, 1), ((0.5, 0.6), (0.1, 0.1)), "sum of at most 1"),
        ((0, 1), ((0.5,), (0.1, 0.1)), "fractions in"),
        ((0, 1, 2, 3), ((0.1,) * 4, (0.25,) * 4), "sum of 1"),
        ((0, 1, 2, 3), [Interval(0, 0.25)] * 4, "sum of 1"),
    ],
)
def test_bad_proportions_are_named(values, properties, named):
    with pytest.raises(InvalidInputError, match=named):
        SubsampledFamily.with_proportions(
            NUMBERED, CLASSES, CLASSES, values=values, properties=properties
        )
