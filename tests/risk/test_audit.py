import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from wsl.attacks import DistributionInferenceAttack
from wsl.distributions import (
    EnvironmentMembershipFamily,
    Interval,
    RandomNetworkFamily,
    SubsampledFamily,
)
from wsl.exceptions import AttackNotApplicableWarning, IdenticalDistributionsWarning
from wsl.risk import (
    Adversary,
    AuditReport,
    InferenceGame,
    audit,
    leakage_sources,
    n_leaked,
    train_shadows,
)

X, Y = load_breast_cancer(return_X_y=True)
LARGE = X[:, 0] > np.median(X[:, 0])
TUMOURS = SubsampledFamily(X, Y, LARGE, properties=(0.2, 0.8))
CAUSAL = EnvironmentMembershipFamily.linear_causal()
QUICK = {
    "adversary": Adversary(n_shadows=32, n_queries=32),
    "n_targets": 24,
    "n_samples": 100,
    "n_repeats": 3,
    "random_state": 0,
    "progress": False,
}


def knowing(**changed):
    return replace(QUICK["adversary"], **changed)


def accuracies(report):
    return report.table[report.table["metric"] == "accuracy"].set_index("attack")


def test_a_leak_is_detected():
    """Least squares on x1 and x2 stores how well x2 predicts, and the fourth environment shows."""
    report = audit(
        LinearRegression(),
        CAUSAL,
        **QUICK | {"n_samples": 1024, "adversary": knowing(n_shadows=64)},
    )
    accuracy = accuracies(report)["value"]
    assert accuracy["queries"] > 0.9
    assert accuracy["deepsets"] > 0.7
    assert report.table["n_leaked"].isna().all()
    assert report.chance == {"accuracy": 0.5, "auc": 0.5}


@pytest.mark.slow
def test_a_fitted_learner_is_cloned_and_the_report_says_so():
    fitted = LinearRegression().fit(*CAUSAL.sample(0, 50, 0)[:2])
    weights = fitted.coef_.copy()
    options = QUICK | {"attacks": "queries", "adversary": knowing(n_shadows=8)}
    report, same = (audit(each, CAUSAL, **options) for each in (fitted, LinearRegression()))
    np.testing.assert_array_equal(fitted.coef_, weights)
    assert report.table.equals(same.table)
    said = [text for text in report.explain() if "The learner was fitted already" in text]
    assert len(said) == 1
    assert report.explain()[:-1] == same.explain()


@pytest.mark.slow
def test_where_distributions_are_equal_every_attack_is_at_chance():
    family = RandomNetworkFamily(0.0, random_state=0)
    with pytest.warns(IdenticalDistributionsWarning):
        report = audit(LinearRegression(), family, **QUICK | {"n_targets": 100})
    assert report.table["attack"].unique().tolist() == ["deepsets", "queries"]
    assert set(report.table["metric"]) == {"accuracy", "auc"}
    assert (report.table["ci_low"] <= 0.5).all()
    assert (report.table["ci_high"] >= 0.5).all()


SAME = RandomNetworkFamily(0.0, random_state=0)
FEW = Adversary(n_shadows=16, n_queries=8)


@pytest.mark.parametrize(
    "call",
    [
        lambda: train_shadows(LinearRegression(), SAME, adversary=FEW, n_samples=32),
        lambda: InferenceGame(
            learner=LinearRegression(), prior=SAME, adversary=FEW, n_samples=32, access="black_box"
        ).play(n_targets=8, n_repeats=2, n_row_sets=0),
    ],
    ids=["shadows", "game"],
)
def test_shadows_and_games_warn_of_equal_distributions_too(call):
    with pytest.warns(IdenticalDistributionsWarning, match="the same at all values") as warned:
        call()
    assert [warning.filename for warning in warned] == [__file__]


def test_sources_warn_of_equal_distributions_before_they_train():
    warnings.simplefilter("error", IdenticalDistributionsWarning)  # pytest restores the filters
    with pytest.raises(IdenticalDistributionsWarning, match="the same at all values"):
        leakage_sources(LinearRegression(), SAME)


@pytest.mark.slow
def test_a_white_and_a_black_box_on_real_data():
    learner = make_pipeline(StandardScaler(), LogisticRegression())
    report = audit(learner, TUMOURS, **QUICK)
    assert report.table.columns.tolist() == list(AuditReport.COLUMNS)
    assert report.table["attack"].unique().tolist() == ["deepsets", "queries"]
    for row in report.table.to_dict("records"):
        assert 0 <= row["ci_low"] <= row["value"] <= row["ci_high"] <= 1
        assert row["advantage"] == pytest.approx(2 * row["value"] - 1)
        if row["metric"] == "accuracy":
            assert row["n_leaked"] == n_leaked(row["value"], 0.2, 0.8)
    metrics = ["accuracy", "balanced_accuracy", "base_rate", "auc"]
    assert report.utility["metric"].tolist() == metrics
    assert 0.85 < report.utility["value"][0] <= 1
    assert not report.skipped


def test_a_forest_has_no_weights_and_the_report_says_so():
    with pytest.warns(AttackNotApplicableWarning, match="deepsets"):
        report = audit(RandomForestClassifier(5), TUMOURS, **QUICK)
    assert report.table["attack"].unique().tolist() == ["queries"]
    assert list(report.skipped) == ["deepsets"]
    assert "skipped: deepsets" in repr(report)


@pytest.mark.slow
def test_what_was_guessed_of_each_target_is_kept():
    family = SubsampledFamily(X, Y, LARGE, properties=(0.2, 0.5, 0.8))
    learner = make_pipeline(StandardScaler(), LogisticRegression())
    report = audit(learner, family, **QUICK)
    assert report.classes == (0.2, 0.5, 0.8)
    assert np.bincount(report.truth).tolist() == [8, 8, 8]
    assert set(report.guesses) == set(report.scores) == {"deepsets", "queries"}
    for attack, guesses in report.guesses.items():
        assert guesses.shape == (3, 24)
        assert report.scores[attack].shape == (3, 24, 3)
        np.testing.assert_allclose(report.scores[attack].sum(2), 1, rtol=1e-5)
        assert (report.scores[attack].argmax(2) == guesses).mean() > 0.95
        value = report.table.set_index(["attack", "metric"])["value"][attack, "accuracy"]
        assert value == pytest.approx((guesses == report.truth).mean())


def test_a_numeric_property():
    family = SubsampledFamily(X, Y, LARGE, properties=Interval(0.1, 0.9))
    learner = make_pipeline(StandardScaler(), LogisticRegression())
    report = audit(learner, family, **QUICK)
    assert set(report.table["metric"]) == {"mean_absolute_error"}
    assert 0.1 < report.chance["mean_absolute_error"] < 0.3
    assert report.classes is None
    assert not report.scores
    errors = np.abs(report.guesses["queries"] - report.truth)
    assert report.table.set_index("attack")["value"]["queries"] == pytest.approx(errors.mean())


def test_one_seed_one_report_whatever_the_workers():
    learner = DecisionTreeRegressor(max_depth=3, max_features=1)
    reports = [
        audit(learner, CAUSAL, attacks="queries", n_jobs=n_jobs, **QUICK) for n_jobs in (1, 2, None)
    ]
    for other in reports[1:]:
        pd.testing.assert_frame_equal(reports[0].table, other.table)
        pd.testing.assert_frame_equal(reports[0].utility, other.utility)
        np.testing.assert_array_equal(reports[0].guesses["queries"], other.guesses["queries"])
        np.testing.assert_array_equal(reports[0].scores["queries"], other.scores["queries"])
    changed = audit(learner, CAUSAL, attacks="queries", **QUICK | {"random_state": 1})
    assert not changed.utility.equals(reports[0].utility)


def test_the_adversary_may_draw_from_rows_of_its_own():
    target, adversary = TUMOURS.split(0.5, random_state=0)
    learner = DecisionTreeRegressor(max_depth=3)
    held_out = (X[:50], Y[:50])
    options = {"test_set": held_out, "attacks": "queries", "adversary": knowing(family=adversary)}
    report = audit(learner, target, **QUICK | options)
    assert report.settings["adversary_family"] == repr(adversary)
    assert set(report.utility["metric"]) == {"r2", "mean_squared_error"}


def test_targets_are_scored_on_several_test_sets():
    """Least squares on x1 and x2 leans on x2, and pays for it where x2 is turned round."""
    moved = EnvironmentMembershipFamily.linear_causal(effect=-1.0)
    tests = {"validation": CAUSAL, "test": moved, "fixed": moved.sample(1, 1000, 0)[:2]}
    report = audit(LinearRegression(), CAUSAL, attacks="queries", test_set=tests, **QUICK)
    errors = report.utility[report.utility["metric"] == "mean_squared_error"]
    errors = errors.set_index("test_set")["value"]
    assert errors["validation"] < 1 < errors["test"]
    assert errors["fixed"] > 1


def test_an_attack_of_ones_own():
    attack = DistributionInferenceAttack("queries", meta_estimator=LogisticRegression(C=0.1))
    report = audit(LinearRegression(), CAUSAL, attacks=[attack], **QUICK)
    assert report.table["attack"].unique().tolist() == ["queries"]


def test_progress_is_shown_on_stderr_or_not_at_all(capsys):
    audit(LinearRegression(), CAUSAL, attacks="queries", **QUICK)
    assert capsys.readouterr() == ("", "")
    audit(LinearRegression(), CAUSAL, attacks="queries", **QUICK | {"progress": True})
    out, err = capsys.readouterr()
    assert out == ""
    assert "shadow models" in err


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (None, "whether 20% or 80% of the training rows are rows with large=1"),
        ({"group": "large tumours"}, "whether 20% or 80% of the training rows are large tumours"),
    ],
)
def test_the_finding_names_the_column_unless_it_is_named(names, said):
    frame = pd.DataFrame(X[:, :3]).assign(large=LARGE.astype(int)).rename(columns=str)
    family = SubsampledFamily(frame, Y, "large", properties=(0.2, 0.8))
    report = audit(
        DecisionTreeClassifier(max_depth=2), family, attacks="queries", names=names, **QUICK
    )
    assert said in report.explain()[0]


def test_names_and_thresholds_reach_the_report():
    report = audit(
        LinearRegression(), CAUSAL, attacks="queries", names={"property": "the last environment"},
        thresholds={"advantage": 1.0}, **QUICK,
    )  # fmt: skip
    assert "the last environment is 0 or 1" in report.explain()[0]
    assert report.passed is True


@pytest.mark.parametrize(
    ("changed", "error", "named"),
    [
        ({"learner": KMeans()}, TypeError, "`learner` must be .* got KMeans"),
        ({"learner": LinearRegression}, TypeError, "`learner` must be an instance; got the class"),
        ({"learner": "ols"}, TypeError, "`learner` must be .* got 'ols'"),
        ({"family": (0, 1)}, TypeError, r"`family` must be a DistributionFamily.*got \(0, 1\)"),
        ({"adversary": 3}, TypeError, "`adversary` must be a wsl.Adversary or None; got 3"),
        ({"adversary": knowing(family=3)}, TypeError, r"`adversary\.family` must be .* got 3"),
        (
            {"adversary": knowing(family=TUMOURS)},
            ValueError,
            r"`adversary\.family` must have the properties",
        ),
        ({"attacks": "telepathy"}, ValueError, "`attacks` must be among .* got 'telepathy'"),
        ({"attacks": ()}, ValueError, "`attacks` must name at least one"),
        ({"names": {"sex": "w"}}, ValueError, "`names` must be text with keys among"),
        ({"names": "women"}, ValueError, "`names` must be text with keys among .* got women"),
        ({"thresholds": 0.2}, ValueError, r"`thresholds` must be a dict with .* got 0\.2"),
        ({"thresholds": {"fun": 1}}, ValueError, "`thresholds` must have keys among"),
        ({"attacks": ("queries", "queries")}, ValueError, "`attacks` must name each attack once"),
        (
            {"attacks": [LogisticRegression()]},
            TypeError,
            "`attacks` must be names .* got LogisticRegression",
        ),
        (
            {"adversary": knowing(n_shadows=7)},
            ValueError,
            r"`adversary\.n_shadows` must be an int of at least 8; got 7",
        ),
        (
            {"adversary": knowing(n_shadows=64.0)},
            ValueError,
            r"`adversary\.n_shadows` must be .* got 64.0",
        ),
        ({"n_targets": 1}, ValueError, "`n_targets` must be an int of at least 2; got 1"),
        ({"n_samples": 0}, ValueError, "`n_samples` must be .* got 0"),
        ({"n_repeats": 0}, ValueError, "`n_repeats` must be .* got 0"),
        (
            {"adversary": knowing(n_queries=0)},
            ValueError,
            r"`adversary\.n_queries` must be .* got 0",
        ),
        ({"test_set": X}, ValueError, "`test_set` must be a pair .* got a ndarray"),
        ({"test_set": {}}, ValueError, "`test_set` must hold at least one"),
        ({"test_set": {"moved": TUMOURS}}, ValueError, r"`test_set\['moved'\]` must have the prop"),
        (
            {"test_set": (X, Y[:-1])},
            ValueError,
            "`test_set` must have as many rows .* got 569 and 568",
        ),
    ],
)
def test_errors_name_the_parameter(changed, error, named):
    arguments = {"learner": LinearRegression(), "family": CAUSAL, **QUICK, **changed}
    with warnings.catch_warnings(), pytest.raises(error, match=named):
        audit(**arguments)


def test_a_family_without_properties_is_named():
    class Nameless(EnvironmentMembershipFamily):
        properties = None

    with pytest.raises(ValueError, match="`properties` of Nameless"):
        audit(LinearRegression(), Nameless(CAUSAL.environments), **QUICK)
