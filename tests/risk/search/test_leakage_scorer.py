import pickle

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_validate

import wsl.risk.search._leakage_scorer as scorer_module
from wsl import (
    Adversary,
    CausalMitigatedRegressor,
    EnvironmentMembershipFamily,
    audit,
    leakage_scorer,
)
from wsl.exceptions import DamagedCacheWarning
from wsl.risk import knee

FAMILY = EnvironmentMembershipFamily.linear_causal()
X, Y, ENVIRONMENTS = FAMILY.sample(1, 400, random_state=0)
SMALL = {
    "adversary": Adversary(n_shadows=24),
    "n_targets": 24,
    "n_samples": 256,
    "n_repeats": 2,
    "random_state": 3,
}


@pytest.fixture
def audits(monkeypatch):
    """Learners that were audited, in turn."""
    seen = []

    def counted(learner, *args, **settings):
        seen.append(learner)
        return audit(learner, *args, **settings)

    monkeypatch.setattr(scorer_module, "audit", counted)
    return seen


def test_a_search_gives_utility_and_leakage(audits):
    """Least squares leaks, and a ridge that is all penalty does not: it predicts the mean."""
    grid = {"alpha": [1e-3, 1e7]}
    search = GridSearchCV(Ridge(), grid, scoring=leakage_scorer(FAMILY, **SMALL), refit=knee, cv=3)
    search.fit(X, Y)
    assert [learner.alpha for learner in audits] == [1e-3, 1e7]  # once a setting, not once a fold
    results = search.cv_results_
    plain = GridSearchCV(Ridge(), grid, cv=3).fit(X, Y)
    np.testing.assert_allclose(
        results["mean_test_utility"], plain.cv_results_["mean_test_score"], rtol=1e-12
    )
    settings = {k: v for k, v in SMALL.items() if k != "random_state"}
    table = audit(
        Ridge(1e-3), FAMILY, attacks="queries", random_state=3, progress=False, **settings
    ).table
    assert results["mean_test_leakage"][0] == pytest.approx(table["advantage"][0])
    assert results["mean_test_leakage_low"][0] == pytest.approx(2 * table["ci_low"][0] - 1)
    assert results["mean_test_leakage_high"][0] == pytest.approx(2 * table["ci_high"][0] - 1)
    np.testing.assert_allclose(results["std_test_leakage"], 0, atol=1e-12)
    assert results["mean_test_leakage"][0] > 0.5 > results["mean_test_leakage"][1]
    assert search.best_index_ == knee(results)


def test_utility_is_what_was_asked_for():
    fitted = Ridge().fit(X, Y)
    scores = leakage_scorer(FAMILY, utility="neg_mean_squared_error", **SMALL)(fitted, X, Y)
    assert scores["utility"] == pytest.approx(-np.mean((fitted.predict(X) - Y) ** 2))
    assert set(scores) == {"utility", "leakage", "leakage_low", "leakage_high"}


def test_a_folder_keeps_audits_for_other_workers(audits, tmp_path):
    scorer = leakage_scorer(FAMILY, cache=tmp_path / "audits", **SMALL)
    first = scorer(Ridge().fit(X, Y), X, Y)
    other = pickle.loads(pickle.dumps(scorer))
    assert not other.reports
    assert other(Ridge().fit(X, Y), X, Y) == first
    assert len(audits) == 1
    assert len(list((tmp_path / "audits").iterdir())) == 1
    changed = leakage_scorer(FAMILY, cache=tmp_path / "audits", **SMALL | {"n_samples": 128})
    changed(Ridge().fit(X, Y), X, Y)
    assert len(audits) == 2


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["exchanged", "cut", "another report"])
def test_a_cached_audit_of_another_setting_is_not_taken(damage, tmp_path):
    tiny = SMALL | {"adversary": Adversary(n_shadows=8), "n_targets": 8, "n_samples": 32}
    scorer, settings = leakage_scorer(FAMILY, cache=tmp_path, **tiny), (Ridge(), Ridge(1e7))
    expected = [scorer.report(setting).table for setting in settings]
    one, other = tmp_path.iterdir()
    if damage == "exchanged":
        contents = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(contents)
    for file in (one, other):
        if damage == "cut":
            file.write_bytes(file.read_bytes()[:-20])
        elif damage == "another report":
            audit(Ridge(), FAMILY, attacks="queries", progress=False, **tiny).save(file)
    for setting, table in zip(settings, expected, strict=True):
        scorer = leakage_scorer(FAMILY, cache=tmp_path, **tiny)
        with pytest.warns(DamagedCacheWarning, match=r"\.json cannot be used; its setting"):
            assert scorer.report(setting).table.equals(table)


def test_one_seed_is_drawn_for_all_settings():
    scorer = leakage_scorer(FAMILY, **SMALL | {"random_state": None})
    first = scorer.report(Ridge())
    scorer.reports.clear()
    assert scorer.report(Ridge()).table.equals(first.table)


@pytest.mark.slow
def test_environments_reach_the_learner_and_the_audit():
    learner = CausalMitigatedRegressor((2,), penalty=None, epochs=2, random_state=0)
    scorer = leakage_scorer(FAMILY, attacks=("deepsets", "queries"), **SMALL)
    with sklearn.config_context(enable_metadata_routing=True):
        learner = learner.set_fit_request(environments=True)
        results = cross_validate(
            learner, X, Y, scoring=scorer, params={"environments": ENVIRONMENTS}, cv=2,
            error_score="raise",
        )  # fmt: skip
        search = GridSearchCV(
            learner, {"causal_features": [None, [0]]}, scoring=scorer, refit=knee, cv=2
        ).fit(X, Y, environments=ENVIRONMENTS)
    assert results["test_leakage"][0] == results["test_leakage"][1]
    assert search.best_index_ in (0, 1)
    strongest = scorer.report(learner).table["advantage"].max()
    assert results["test_leakage"][0] == strongest


def test_what_else_an_audit_takes_is_passed_on():
    scorer = leakage_scorer(FAMILY, audit_params={"test_set": {"own": (X, Y)}}, **SMALL)
    assert set(scorer.report(Ridge()).utility["test_set"]) == {"own"}


def test_errors_name_what_is_wrong(tmp_path):
    with pytest.raises(TypeError, match=r"`family` must be a DistributionFamily.*got 'census'"):
        leakage_scorer("census")
    local = EnvironmentMembershipFamily([lambda n, rng: (X[:n], Y[:n])] * 2)
    scorer = leakage_scorer(local, cache=tmp_path, **SMALL)
    with pytest.raises(ValueError, match="`estimator` and `family` must be picklable"):
        scorer(Ridge().fit(X, Y), X, Y)
