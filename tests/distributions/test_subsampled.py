import joblib
import numpy as np
import pandas as pd
import pytest

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
        ((TABLE, LABELS, LABELS), "attribute holds"),
        ((TABLE, LABELS, GROUP[:-1]), "attribute has shape"),
        ((TABLE, LABELS[:-1], GROUP), "y has shape"),
        ((TABLE, LABELS, np.ones(N_ROWS)), "attribute puts 2000 of 2000"),
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
    with pytest.raises(InvalidInputError, match=r"property_value=0\.3"):
        family.sample(0.3, 10)
    with pytest.raises(InvalidInputError, match="fraction"):
        family.split(0)
