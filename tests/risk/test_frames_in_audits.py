"""Audits of tables with text, categories, gaps and dates, and of Pipelines by column names."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from wsl import (
    Adversary,
    InferenceGame,
    RandomNetworkFamily,
    RecordMembershipFamily,
    SubsampledFamily,
    audit,
    leakage_sources,
)
from wsl.distributions._table_rows import draw_marginals
from wsl.exceptions import IdenticalDistributionsWarning, InvalidInputError
from wsl.risk.shadows._adversary_queries import resolve_queries
from wsl.risk.shadows._numeric_encoder import numeric_encoder

RNG = np.random.default_rng(0)
N = 3000
SEX = pd.Series(RNG.choice(["F", "M"], N), name="sex")
FRAME = pd.DataFrame(
    {
        "job": RNG.choice(["clerk", "nurse", "driver", None], N),
        "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.integers(18, 70, N)),
        "income": RNG.lognormal(10, 0.6, N),
        "region": pd.Categorical(RNG.choice(["north", "south", "west"], N)),
        "owns_home": RNG.random(N) < 0.4,
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 999, N), unit="D"),
    }
)
SCORE = (FRAME["job"] == "nurse") * 1.5 + (SEX == "F") * 2 + np.log(FRAME["income"]) - 11.5
Y = np.where(SCORE + RNG.normal(size=N) > 0, "yes", "no")
BY_NAME = make_pipeline(
    ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore"), ["job"]),
            ("categories", OneHotEncoder(), ["region"]),
            (
                "numbers",
                make_pipeline(SimpleImputer(), StandardScaler()),
                ["age", "income", "owns_home"],
            ),
        ]
    ),
    LogisticRegression(max_iter=300),
)
FAMILY = SubsampledFamily(FRAME, Y, SEX, value="F", properties=(0.1, 0.9))
SMALL = {
    "attacks": ("queries", "kl"), "n_targets": 24, "n_samples": 300, "n_repeats": 2,
    "random_state": 0, "progress": False,
}  # fmt: skip


def run(learner, family=FAMILY, queries="family", **settings):
    adversary = Adversary(n_shadows=32, n_queries=64, queries=queries)
    return audit(learner, family, adversary=adversary, **(SMALL | settings)).table


@pytest.mark.slow
@pytest.mark.parametrize("queries", ["family", "random", "own"])
def test_a_pipeline_by_column_names_is_audited_on_the_frame(queries):
    table = run(BY_NAME, queries=FRAME.head(64) if queries == "own" else queries)
    accuracy = table[(table["attack"] == "queries") & (table["metric"] == "accuracy")]
    assert accuracy["value"].item() > 0.7


@pytest.mark.slow
def test_boosting_takes_categories_and_gaps_as_they_are():
    frame = FRAME[["age", "income", "region", "owns_home"]]
    family = SubsampledFamily(frame, Y, SEX, value="F", properties=(0.1, 0.9))
    learner = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype")
    table = run(learner, family, attacks="queries")
    assert table.query("metric == 'accuracy'")["value"].item() > 0.7


def test_every_fit_sees_the_columns_and_types_of_the_table():
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y):
            seen.append((list(X.columns), X.dtypes.tolist()))
            return super().fit(X[["income"]], y)

        def predict_proba(self, X):
            seen.append((list(X.columns), X.dtypes.tolist()))
            return super().predict_proba(X[["income"]])

        def predict(self, X):
            return super().predict(X[["income"]])

    run(Spy(), attacks="queries")
    assert len(seen) == 2 * 32 + 3 * 24  # targets answer queries, and a test set too
    assert all(columns == list(FRAME.columns) for columns, _ in seen)
    assert all(types == FRAME.dtypes.tolist() for _, types in seen)


@pytest.mark.slow
def test_games_and_sources_take_the_frame():
    game = InferenceGame(
        learner=BY_NAME,
        prior=FAMILY,
        attacks="queries",
        n_samples=100,
        adversary=Adversary(n_shadows=8),
    )
    report = game.play(n_targets=4, n_repeats=2, n_row_sets=32, random_state=0, progress=False)
    assert np.isfinite(report.table["risk"]).all()
    sources = leakage_sources(
        BY_NAME, FAMILY, n_samples=100, n_targets=4, n_repeats=2, random_state=0, progress=False,
        adversary=Adversary(n_shadows=8, n_queries=16), sample_size_multipliers=(1,),
    )  # fmt: skip
    assert np.isfinite(sources.table.select_dtypes("number").iloc[:, 0]).all()


def test_random_queries_draw_each_column_from_its_own_marginal():
    rows = resolve_queries("random", FAMILY, 500, 0).rows
    assert rows.dtypes.equals(FRAME.dtypes)
    for name in ("job", "region", "owns_home", "since"):
        assert set(rows[name].dropna()) <= set(FRAME[name].dropna())
    X = np.arange(200.0).reshape(100, 2)
    drawn = draw_marginals(X, 5000, np.random.default_rng(0))
    assert (drawn[:, 0] % 2 == 0).all()
    assert (drawn[:, 1] % 2 == 1).all()
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.05
    frame = pl.DataFrame({"a": ["x", "y"], "b": [1, 2]})
    assert draw_marginals(frame, 7, np.random.default_rng(0)).schema == frame.schema


def test_rows_become_numbers_for_the_audits_own_estimators():
    encode = numeric_encoder(FRAME)
    numbers = encode(FRAME.head(5))
    assert numbers.shape[0] == 5
    assert np.isfinite(numbers).all()
    # job and region: an indicator per category; age, income, owns_home, since: value and gap
    assert numbers.shape[1] == 3 + 3 + 4 * 2
    np.testing.assert_array_equal(
        numeric_encoder(np.ones((2, 3)))(np.ones((2, 3))), np.ones((2, 3))
    )


@pytest.mark.slow
def test_an_object_with_properties_and_sample_is_audited():
    class Own:
        properties = (0.1, 0.9)

        def sample(self, value, n_samples, random_state):
            return FAMILY.sample(value, n_samples, random_state)

    # whether the property is a fraction is not known of such an object, so no rows are counted
    same = run(BY_NAME, Own()).drop(columns="n_leaked")
    pd.testing.assert_frame_equal(same, run(BY_NAME).drop(columns="n_leaked"))


def test_a_family_whose_values_draw_the_same_is_told():
    family = RandomNetworkFamily(0.0, random_state=0)
    with pytest.warns(IdenticalDistributionsWarning, match="the same at all values"):
        run(LogisticRegressionOfSign(), family, attacks="queries")


class LogisticRegressionOfSign(LogisticRegression):
    """A classifier of whether the outcome is positive."""

    def fit(self, X, y):
        return super().fit(X, np.asarray(y) > np.median(y))


@pytest.mark.slow
def test_a_record_of_a_frame_is_found_or_not():
    family = RecordMembershipFamily(FRAME, Y, record=3)
    table = run(BY_NAME, family, attacks="queries", n_samples=60)
    assert table.query("metric == 'accuracy'")["value"].between(0, 1).all()


def test_missing_labels_are_refused_before_anything_is_trained():
    with pytest.raises(InvalidInputError, match="`y` must not contain missing values; got 10"):
        SubsampledFamily(FRAME, np.where(np.arange(N) < 10, None, Y), SEX, value="F")
