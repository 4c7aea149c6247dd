from itertools import combinations

import numpy as np
import pytest
import sklearn
from scipy import stats
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss

from wsl import (
    CausalFeatureSelector,
    CausalMitigatedClassifier,
    CausalMitigatedRegressor,
    EnvironmentMembershipFamily,
)
from wsl.causal._invariance_tests import Design, compare_least_squares, compare_logistic, make_test
from wsl.causal._invariant_prediction import find_invariant
from wsl.exceptions import CausalFeaturesWarning

CHAIN = EnvironmentMembershipFamily.linear_causal()  # column 0 causes y, y causes column 1
ALPHA = 0.05


def draw_model(seed, n_samples=200, n_columns=4, n_environments=3, classes=False):
    """A random linear structural model, with interventions on all but y in each environment.

    Returns X, y, environments and the set of y's parents.
    """
    rng = np.random.default_rng(seed)
    n_nodes = n_columns + 1
    effects = rng.uniform(0.5, 1.5, (n_nodes, n_nodes)) * rng.choice([-1, 1], (n_nodes, n_nodes))
    effects *= np.triu(rng.random((n_nodes, n_nodes)) < 0.5, 1)
    outcome = rng.integers(n_nodes)
    parts = []
    for environment in range(n_environments):
        scale, shift = np.ones(n_nodes), np.zeros(n_nodes)
        if environment:
            touched = np.flatnonzero((rng.random(n_nodes) < 0.5) & (np.arange(n_nodes) != outcome))
            scale[touched] = rng.uniform(0.2, 3, len(touched))
            shift[touched] = rng.normal(size=len(touched))
        values = np.zeros((n_samples, n_nodes))
        for node in range(n_nodes):
            noise = scale[node] * rng.normal(size=n_samples)
            if classes and node == outcome:
                noise = rng.logistic(size=n_samples)
            values[:, node] = values @ effects[:, node] + shift[node] + noise
            if classes and node == outcome:
                values[:, node] = np.sign(values[:, node])
        parts.append(values)
    values = np.concatenate(parts)
    columns = [node for node in range(n_nodes) if node != outcome]
    y = values[:, outcome]
    return (
        values[:, columns],
        y.astype(int) if classes else y,
        np.repeat(np.arange(n_environments), n_samples),
        {columns.index(node) for node in np.flatnonzero(effects[:, outcome])},
    )


# --- the level


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "n_models"), [(False, 400), (True, 200)])
def test_what_is_found_is_a_parent_at_the_stated_level(classes, n_models):
    """P(found set is not within the parents) <= alpha, up to simulation noise; and some are found.

    The bound is the 99.9% quantile of the number of wrong sets at the level itself.
    """
    wrong = found = 0
    for seed in range(n_models):
        X, y, environments, parents = draw_model(seed, classes=classes)
        columns = set(
            find_invariant(X, y, environments, keep="parents", significance_level=ALPHA).columns
        )
        wrong += not columns <= parents
        found += len(columns & parents)
    assert wrong <= stats.binom.ppf(0.999, n_models, ALPHA)
    assert found > n_models / (10 if classes else 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "classes", "n_samples"),
    [("linear", False, 60), ("linear", True, 200), ("additive", False, 200)],
)
def test_the_parents_own_set_is_rejected_at_the_stated_level(test, classes, n_samples):
    """One test, many draws: the share of rejections is alpha, not far below and not above."""
    rejected, n_models = 0, 400
    for seed in range(n_models):
        X, y, environments, parents = draw_model(seed, n_samples, classes=classes)
        design = Design.of(X, y, environments, additive=test == "additive")
        rejected += make_test(test, design)(tuple(sorted(parents))) <= ALPHA
    assert rejected <= stats.binom.ppf(0.999, n_models, ALPHA)
    assert rejected > n_models * ALPHA / 5


def test_the_cause_is_found_where_two_columns_vie():
    """Even where its set is rejected, with probability .05, the others are rejected more."""
    found = [find_invariant(*CHAIN.sample(1, 2048, seed)).columns for seed in range(100)]
    assert sum(columns == (0,) for columns in found) >= 97
    guaranteed = find_invariant(*CHAIN.sample(1, 2048, 0), keep="parents")
    assert guaranteed.columns == ()  # y by itself is distributed alike in all environments
    assert guaranteed.any_accepted


# --- single tests against other computations


def least_squares(X, y):
    model = LinearRegression().fit(X, y) if X.shape[1] else None
    return y - (model.predict(X) if model else y.mean())


def test_coefficients_are_compared_by_chows_test():
    """Against the F-test from separate fits of scikit-learn's, and Welch's test of scipy's."""
    X, y, environments, _ = draw_model(3)
    for columns in [(), (0,), (1, 3), (0, 1, 2, 3)]:
        part = X[:, list(columns)]
        pooled = least_squares(part, y)
        own = [least_squares(part[environments == e], y[environments == e]) for e in range(3)]
        rest = sum((residuals**2).sum() for residuals in own)
        df, df_rest = 2 * (len(columns) + 1), len(y) - 3 * (len(columns) + 1)
        F = ((pooled**2).sum() - rest) / df / (rest / df_rest)
        variances = [
            stats.ttest_ind(
                pooled[environments == e] ** 2, pooled[environments != e] ** 2, equal_var=False
            ).pvalue
            for e in range(3)
        ]
        expected = min(1, 2 * min(stats.f.sf(F, df, df_rest), 3 * min(variances)))
        p = compare_least_squares(Design.of(X, y, environments), columns)
        assert p == pytest.approx(expected, rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_score_test_is_near_the_likelihood_ratio(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    environments = rng.integers(3, size=3000)
    drift = 0.12 * environments
    y = np.digitize(
        X[:, 0] + drift * X[:, 1] + rng.logistic(size=3000), [-0.5, 0.5][: n_classes - 1]
    )

    def deviance(rows):
        model = LogisticRegression(C=1e8, tol=1e-8, max_iter=1000).fit(X[rows], y[rows])
        return 2 * log_loss(y[rows], model.predict_proba(X[rows]), normalize=False)

    every = np.ones(3000, dtype=bool)
    ratio = deviance(every) - sum(deviance(environments == e) for e in range(3))
    df = 2 * 3 * (n_classes - 1)
    design = Design.of(X, y, environments)
    score = stats.chi2.isf(compare_logistic(design, (0, 1)), df)
    assert score == pytest.approx(ratio, rel=0.05)
    assert ratio > 2 * df  # drift shows, so that the comparison is not one of noise


def test_separated_classes_end_without_harm():
    X = np.linspace(-1, 1, 200)[:, None]
    environments = np.tile([0, 1], 100)
    p = compare_logistic(Design.of(X, (X[:, 0] > 0).astype(int), environments), (0,))
    assert 0.05 < p <= 1


def test_splines_see_what_a_line_does_not():
    """With y = x^2 and environments that shift x, one line does not serve them; a spline does."""
    rng = np.random.default_rng(0)
    environments = np.repeat([0, 1, 2], 300)
    x = rng.normal(size=900) + environments
    y = x**2 + rng.normal(size=900)
    X = np.column_stack([x, y + rng.normal(size=900) * (1 + environments)])
    assert find_invariant(X, y, environments, test="additive").columns == (0,)
    assert not find_invariant(X, y, environments, test="linear").tests["accepted"].any()


def test_the_kernel_test_finds_the_cause():
    rng = np.random.default_rng(0)
    environments = rng.integers(3, size=400)
    x = rng.normal(size=400) + environments
    y = np.sin(2 * x) + 0.3 * rng.normal(size=400)
    X = np.column_stack([x, y + environments + 0.3 * rng.normal(size=400)])
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    found = find_invariant(X, y, environments, test="kernel", keep="parents")
    assert found.columns == (0,)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


# --- the search


def test_the_intersection_is_that_of_all_accepted_sets():
    """Sets left out by the search for being of no use change nothing."""
    for seed in range(30):
        X, y, environments, _ = draw_model(seed)
        test = make_test("linear", Design.of(X, y, environments))
        every = [set(s) for size in range(5) for s in combinations(range(4), size)]
        accepted = [s for s in every if test(tuple(sorted(s))) > ALPHA]
        expected = set.intersection(*accepted) if accepted else set()
        assert set(find_invariant(X, y, environments, keep="parents").columns) == expected


def test_the_predictor_is_the_accepted_set_of_least_criterion():
    for seed in range(30):
        X, y, environments, _ = draw_model(seed)
        design = Design.of(X, y, environments)
        test = make_test("linear", design)
        every = [s for size in range(1, 5) for s in combinations(range(4), size)]
        accepted = [s for s in every if test(s) > ALPHA]
        expected = min(accepted, key=design.criterion) if accepted else max(every, key=test)
        assert find_invariant(X, y, environments).columns == expected


def test_the_criterion_is_that_of_least_squares():
    X, y, environments, _ = draw_model(1)
    design = Design.of(X, y, environments)
    z = (y - y.mean()) / y.std()
    rest = (least_squares(X[:, [0, 2]], z) ** 2).mean()
    expected = len(y) * np.log(rest) + 3 * np.log(len(y))
    assert design.criterion((0, 2)) == pytest.approx(expected, rel=1e-6)


def test_above_ten_columns_the_search_is_greedy():
    X, y, environments = CHAIN.sample(1, 2048, 0)
    rng = np.random.default_rng(0)
    wide = np.column_stack([rng.normal(size=(2048, 7)), X, rng.normal(size=(2048, 7))])
    assert find_invariant(wide, y, environments).columns == (7,)


@pytest.mark.parametrize("environments", [None, np.zeros(90)])
def test_without_environments_all_columns_are_kept(environments):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    found = find_invariant(X, rng.normal(size=90), environments)
    assert found.columns == (0, 1, 2)
    assert found.any_accepted


def test_equal_and_constant_columns_do_no_harm():
    X, y, environments = CHAIN.sample(1, 2048, 0)
    X = np.column_stack([X, X[:, 0], np.ones(2048), environments == 9])
    for test in ("linear", "additive"):
        columns = set(find_invariant(X, y, environments, test=test).columns)
        assert columns & {0, 2}
        assert 1 not in columns


def test_environments_of_one_row_tell_nothing():
    X, y, _ = CHAIN.sample(1, 200, 0)
    environments = np.r_[np.zeros(199), 1]
    assert find_invariant(X, y, environments).any_accepted


# --- learners


def test_a_learner_finds_the_cause_and_forgets_the_rest():
    X, y, environments = CHAIN.sample(1, 2048, 0)
    learner = CausalMitigatedRegressor(
        (4,), penalty=None, causal_features="invariant", epochs=20, random_state=0
    ).fit(X, y, environments)
    assert learner.features_.tolist() == [0]
    noise = X.copy()
    noise[:, 1] = np.random.default_rng(0).normal(size=2048)
    np.testing.assert_array_equal(learner.predict(noise), learner.predict(X))
    assert np.mean((learner.predict(X) - y) ** 2) < 1.1
    first = learner.weights_[: 4 * 2].reshape(4, 2)
    assert (first[:, 1] == 0).all()
    assert (first[:, 0] != 0).all()


def test_each_model_of_a_zoo_has_columns_of_its_own():
    """In every other set the columns stand the other way round."""
    sets = []
    for seed in range(4):
        X, y, environments = CHAIN.sample(1, 2048, seed)
        sets.append((X[:, ::-1].copy() if seed % 2 else X, y, environments))
    learner = CausalMitigatedRegressor(
        (3,), penalty=None, causal_features="invariant", epochs=2, random_state=0
    )
    zoo = learner.fit_zoo(sets, 4)
    unused = (zoo.weights[:, : 3 * 2].reshape(4, 3, 2) == 0).all(1)
    assert unused.tolist() == [[False, True], [True, False]] * 2
    alone = learner.fit(*sets[0])
    np.testing.assert_allclose(zoo.weights[0], alone.weights_, rtol=1e-4, atol=1e-5)
    shared = learner.fit_zoo(sets[1], 3)
    assert (shared.weights[:, : 3 * 2].reshape(3, 3, 2)[:, :, 0] == 0).all()


def test_a_classifier_searches_with_its_own_labels():
    X, y, environments, _ = draw_model(4, 400, classes=True)
    expected = find_invariant(X.astype(np.float32), y, environments).columns
    labels = np.where(y > 0, 7.0, 2.0)  # floats that are classes
    learner = CausalMitigatedClassifier(causal_features="invariant", epochs=1, random_state=0).fit(
        X, labels, environments
    )
    assert tuple(learner.features_.tolist()) == expected


def test_where_no_set_is_invariant_the_least_rejected_is_kept_with_a_warning():
    rng = np.random.default_rng(0)
    environments = np.repeat([0, 1], 200)
    X = rng.normal(size=(400, 2))
    y = X[:, 0] + 3.0 * environments + 0.1 * rng.normal(size=400)  # acts on y itself
    learner = CausalMitigatedRegressor(causal_features="invariant", epochs=1, random_state=0)
    with pytest.warns(CausalFeaturesWarning, match="every set of columns predicts y differently"):
        learner.fit(X, y, environments)
    sets = [(X, y, environments)] * 2
    with pytest.warns(CausalFeaturesWarning, match="in 2 of 2 training sets"):
        learner.fit_zoo(sets, 2)


def test_with_no_column_left_a_learner_answers_a_constant():
    X, y, environments = CHAIN.sample(1, 500, 0)
    learner = CausalMitigatedRegressor(
        causal_features=CausalFeatureSelector(keep="parents"), epochs=1, random_state=0
    )
    with pytest.warns(CausalFeaturesWarning, match="no column is selected"):
        learner.fit(X, y, environments)
    assert learner.features_.shape == (0,)
    assert len(np.unique(learner.predict(X))) == 1


def test_a_search_over_rules_runs():
    from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

    X, y, environments = CHAIN.sample(1, 600, 0)
    with sklearn.config_context(enable_metadata_routing=True):
        learner = CausalMitigatedRegressor((2,), penalty=None, epochs=30, random_state=0)
        search = GridSearchCV(
            learner.set_fit_request(environments=True),
            {"causal_features": [None, "invariant", [1]]},
            cv=LeaveOneGroupOut(),
            error_score="raise",
        ).fit(X, y, environments=environments, groups=environments)
    assert search.n_splits_ == 4
