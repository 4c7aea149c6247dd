import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from wsl import (
    Adversary,
    CausalMitigatedClassifier,
    RebalancedClassifier,
    RebalancedRegressor,
    SubsampledFamily,
    audit,
)
from wsl.causal._group_proportions import resampled_rows, row_weights, strata_of
from wsl.exceptions import InvalidInputError


def data(n=600, seed=0):
    rng = np.random.default_rng(seed)
    groups = rng.choice(["a", "b", "c"], n, p=[0.7, 0.2, 0.1])
    X = rng.normal(size=(n, 2)) + (groups == "a")[:, None]
    return X, (X.sum(1) + rng.normal(size=n) > 0.5).astype(int), groups


@pytest.mark.parametrize("classes", [None, "labels"])
def test_each_stratum_has_its_proportion(classes):
    _, y, groups = data()
    wanted = np.array([0.5, 0.25, 0.25])
    strata, proportions = strata_of(groups, wanted, None if classes is None else y)
    rows = resampled_rows(strata, proportions, np.random.default_rng(0))
    assert len(rows) == len(y)
    drawn = pd.Series(groups[rows]).value_counts(normalize=True)
    np.testing.assert_allclose(drawn[["a", "b", "c"]], wanted, atol=1.5 / len(y))
    if classes:
        rates = pd.Series(y[rows]).groupby(groups[rows]).mean()
        np.testing.assert_allclose(rates, 0.5, atol=0.02)
    counts = np.bincount(rows, minlength=len(y))
    for stratum in np.unique(strata):
        assert np.ptp(counts[strata == stratum]) <= 1
    weights = row_weights(strata, proportions)
    np.testing.assert_allclose(weights.mean(), 1)
    totals = pd.Series(weights).groupby(groups).sum() / len(y)
    np.testing.assert_allclose(totals, wanted)


def test_weights_are_those_of_the_closed_form():
    """The mean of a regression on a constant is that of the wanted mixture."""
    X, _, groups = data()
    y = np.select([groups == "a", groups == "b"], [1.0, 5.0], 9.0)
    model = RebalancedRegressor(
        LinearRegression(), proportions={"a": 1, "b": 1, "c": 2}, method="weight"
    ).fit(np.zeros_like(X), y, environments=groups)
    assert model.predict(X[:1])[0] == pytest.approx((1 + 5 + 2 * 9) / 4)


def test_the_prior_no_longer_follows_the_training_data():
    X, _, groups = data()
    y = (groups == "a").astype(int)
    model = RebalancedClassifier(GaussianNB(), balance_classes=True, random_state=0)
    model.fit(X, y, environments=y)
    np.testing.assert_allclose(model.estimator_.class_prior_, 0.5)
    assert GaussianNB().fit(X, y).class_prior_[1] > 0.6


def test_a_column_of_a_frame_holds_the_groups():
    X, y, groups = data()
    frame = pd.DataFrame(X, columns=["u", "v"]).assign(region=pd.Categorical(groups))
    encoder = make_column_transformer((OneHotEncoder(), ["region"]), remainder="passthrough")
    learner = make_pipeline(encoder, LogisticRegression())
    by_name = RebalancedClassifier(learner, column="region", random_state=0).fit(frame, y)
    by_labels = RebalancedClassifier(learner, random_state=0).fit(frame, y, environments=groups)
    np.testing.assert_array_equal(by_name.predict_proba(frame), by_labels.predict_proba(frame))
    assert by_name.feature_names_in_.tolist() == ["u", "v", "region"]


def test_searched_and_cross_validated_with_environments():
    X, y, groups = data()
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            RebalancedClassifier(LogisticRegression(), random_state=0),
            X, y, params={"environments": groups}, error_score="raise",
        )  # fmt: skip
        search = GridSearchCV(
            RebalancedClassifier(LogisticRegression(), random_state=0),
            {"estimator__C": [0.1, 1.0], "method": ["resample", "weight"]},
        ).fit(X, y, environments=groups)
    assert scores.min() > 0.6
    assert set(search.best_params_) == {"estimator__C", "method"}


def test_a_zoo_is_trained_on_rebalanced_sets():
    X, y, groups = data()
    learner = CausalMitigatedClassifier((4,), penalty=None, epochs=2, device="cpu", random_state=0)
    seen = []

    class Spy(CausalMitigatedClassifier):
        def fit_zoo(self, datasets, n_models, *, n_jobs=None):
            seen.extend(datasets(model)[2] for model in range(n_models))
            return super().fit_zoo(datasets, n_models, n_jobs=n_jobs)

    model = RebalancedClassifier(Spy(**learner.get_params()), random_state=0)
    zoo = model.fit_zoo(lambda index: (X, y, groups), 3)
    assert len(zoo) == 3
    for labels in seen:
        assert np.unique(labels, return_counts=True)[1].tolist() == [200, 200, 200]
    assert not np.array_equal(seen[0], seen[1])
    assert not hasattr(RebalancedClassifier(LogisticRegression()), "fit_zoo")


@pytest.mark.slow
def test_it_leaks_less_of_the_fraction_of_a_group():
    """The frequency of the label follows the group's fraction, unless groups are balanced."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 8000)
    X = rng.normal(size=(8000, 2))
    y = (rng.random(8000) < np.where(group == 1, 0.8, 0.2)).astype(int)
    family = SubsampledFamily(X, y, group, properties=(0.2, 0.8), group_as_environment=True)
    accuracy = {}
    for name, learner in (
        ("plain", LogisticRegression()),
        ("rebalanced", RebalancedClassifier(LogisticRegression())),
    ):
        report = audit(
            learner, family, attacks="queries", n_targets=64, n_samples=400, n_repeats=2,
            adversary=Adversary(n_shadows=64), random_state=0,
        )  # fmt: skip
        accuracy[name] = report.table.set_index("metric")["value"]["accuracy"]
    assert accuracy["plain"] > 0.95
    assert accuracy["rebalanced"] < 0.65


@pytest.mark.parametrize(
    ("parameters", "environments", "said"),
    [
        ({}, None, "`environments` must be passed to fit"),
        ({"column": "region"}, None, "`column`"),
        ({"column": 7}, None, "`column` must be a column of X; got 7"),
        ({"proportions": {"a": 1, "b": 1}}, "groups", r"\['c'\] have none"),
        ({"proportions": dict.fromkeys("abcd", 1)}, "groups", r"no row is in \['d'\]"),
        ({"proportions": {"a": -1}}, "groups", "`proportions` must be"),
        ({"method": "weight", "estimator": KNeighborsClassifier()}, "groups", "sample_weight"),
        ({}, "short", "environments"),
    ],
)
def test_what_cannot_be_rebalanced_is_refused(parameters, environments, said):
    X, y, groups = data()
    given = {"groups": groups, "short": groups[:10], None: None}[environments]
    learner = RebalancedClassifier(**{"estimator": LogisticRegression(), **parameters})
    with pytest.raises(InvalidInputError, match=said):
        learner.fit(X, y, environments=given)
