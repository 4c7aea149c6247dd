import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.optimize import minimize
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl import (
    Architecture,
    CausalFeatureSelector,
    CausalMitigatedClassifier,
    CausalMitigatedRegressor,
    EnvironmentMembershipFamily,
    ModelZoo,
    train_zoo,
)
from wsl.causal import PENALTIES, group_dro_penalty
from wsl.exceptions import CausalFeaturesWarning, EnvironmentsWarning, InvalidInputError

QUICK = {"hidden_layer_sizes": (4,), "epochs": 4, "batch_size": 32, "random_state": 0}
BOTH = [CausalMitigatedClassifier, CausalMitigatedRegressor]
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}


def draw(kind, n_samples=90, seed=0):
    """X with three columns, y for the kind of learner, environments of uneven sizes."""
    rng = np.random.default_rng(seed)
    environments = rng.choice(["a", "b", "c"], n_samples, p=[0.5, 0.3, 0.2])
    X = rng.normal(size=(n_samples, 3)) + (environments == "b")[:, None]
    y = X[:, 0] - X[:, 2] + 0.5 * rng.normal(size=n_samples)
    return X, np.where(y > 0, "yes", "no") if kind is CausalMitigatedClassifier else y, environments


def answers(learner, X):
    """What a fitted learner says, in numbers."""
    return learner.predict_proba(X) if hasattr(learner, "predict_proba") else learner.predict(X)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# --- the same training as a zoo's


def test_without_penalty_it_is_plain_training():
    X, y, environments = draw(CausalMitigatedRegressor)
    learner = CausalMitigatedRegressor(
        (4,), penalty=None, epochs=4, batch_size=32, random_state=3
    ).fit(X, y, environments)
    zoo = train_zoo(
        Architecture.mlp(3, [4], 1),
        (X, y),
        n_models=1,
        epochs=4,
        batch_size=32,
        learning_rate=1e-2,
        weight_decay=1e-4,
        random_state=3,
    )
    np.testing.assert_array_equal(learner.weights_, zoo.weights[0])
    np.testing.assert_array_equal(learner.predict(X), zoo.forward(X)[0, :, 0])
    assert learner.loss_ == pytest.approx(zoo.metadata["train_loss"][0])
    assert learner.architecture_ == zoo.architecture
    without = CausalMitigatedRegressor(**QUICK | {"random_state": 3}, penalty=None).fit(X, y)
    np.testing.assert_array_equal(without.weights_, learner.weights_)


@pytest.mark.parametrize("penalty", [None, "irm"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_those_of_the_logits(n_classes, penalty):
    X, _, environments = draw(CausalMitigatedClassifier)
    names = np.array(["x", "y", "z"])
    y = names[np.digitize(X[:, 0], [0, 1][: n_classes - 1])]
    learner = CausalMitigatedClassifier(**QUICK, penalty=penalty).fit(X, y, environments)
    assert learner.classes_.tolist() == names[:n_classes].tolist()
    logits = ModelZoo(learner.weights_[None], learner.architecture_).forward(X)[0]
    assert logits.shape[1] == (1 if n_classes == 2 else 3)
    if n_classes == 2:
        logits = np.column_stack([np.zeros(len(X)), logits])
    odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(learner.predict_proba(X), odds, atol=1e-5)
    np.testing.assert_array_equal(learner.predict(X), names[logits.argmax(1)])


OPTIONS = {
    "columns": {"causal_features": [2, 0]},
    "warm-up": {"penalty_warmup": 1, "penalty_anneal": 2, "penalty_weight": 3.0},
    "stopping": {"early_stopping": True, "epochs": 30, "n_iter_no_change": 1},
    "environment": {"early_stopping": True, "validation": "environment", "epochs": 30},
    "all at once": {"batch_size": None},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(
    "penalty",
    [None, *(p if p == "irm" else pytest.param(p, marks=pytest.mark.slow) for p in PENALTIES)],
)
@pytest.mark.parametrize("kind", BOTH)
def test_fit_is_a_zoo_of_one(kind, penalty, option):
    dataset = draw(kind)
    learner = kind(**QUICK | OPTIONS[option], penalty=penalty)
    zoo = learner.fit_zoo(dataset, n_models=1)
    assert not hasattr(learner, "weights_")
    learner.fit(*dataset)
    np.testing.assert_array_equal(zoo.weights[0], learner.weights_)
    assert learner.n_iter_ == zoo.metadata["epoch"][0]
    assert learner.loss_ == zoo.metadata["train_loss"][0]
    if learner.early_stopping:
        assert learner.validation_loss_ == zoo.metadata["validation_loss"][0]
    else:
        assert learner.n_iter_ == 4
        assert learner.validation_loss_ is None
    assert zoo.architecture == learner.architecture_
    assert zoo.architecture.n_inputs == 3


@pytest.mark.parametrize("kind", BOTH)
def test_a_zoo_takes_sets_in_every_form(kind):
    sets = [draw(kind, seed=i) for i in range(5)]
    learner = kind(**QUICK, causal_features=[0, 1])
    listed = learner.fit_zoo(sets, n_models=5)
    called = learner.fit_zoo(lambda model: sets[model], n_models=5)
    spread = learner.fit_zoo(lambda model: sets[model], n_models=5, n_jobs=2)
    assert len(np.unique(listed.weights, axis=0)) == 5
    np.testing.assert_array_equal(called.weights, listed.weights)
    np.testing.assert_allclose(spread.weights, listed.weights, **ROUNDING)
    shared = learner.fit_zoo(sets[0], n_models=5)
    np.testing.assert_allclose(shared.weights[0], listed.weights[0], **ROUNDING)
    assert len(np.unique(shared.weights, axis=0)) == 5


def test_one_seed_gives_one_model_and_another_seed_another():
    dataset = draw(CausalMitigatedRegressor)
    first, again, other = (
        CausalMitigatedRegressor(**QUICK | {"random_state": seed}).fit(*dataset).weights_
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# --- what the penalty does


def draw_chain(deviations=(0.2, 1.0, 2.0), n_samples=1000):
    """x1 causes y, y causes x2; the noise of x1 and y differs from one environment to the next.

    This is the first example of Arjovsky et al. (2019): the invariant predictor is x1 itself, with
    the weight 1, and least squares puts weight on x2.
    """
    rng, parts = np.random.default_rng(0), []
    for environment, deviation in enumerate(deviations):
        x1, own, spurious = rng.normal(size=(3, n_samples))
        x1, y = deviation * x1, deviation * (x1 + own)
        parts.append((np.c_[x1, y + spurious], y, np.full(n_samples, environment)))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def minimizer_of_irm(X, y, environments, penalty_weight):
    """Minimise IRMv1's objective of a linear model by another method, in double precision."""
    groups = [
        (np.c_[X, np.ones(len(X))][environments == e], y[environments == e]) for e in (0, 1, 2)
    ]

    def objective(row):
        risks = [np.mean((A @ row - b) ** 2) for A, b in groups]
        slopes = [2 * np.mean((A @ row - b) * (A @ row)) for A, b in groups]
        return np.mean(risks) + penalty_weight * np.mean(np.square(slopes))

    return minimize(objective, [1.0, 0.0, 0.0], tol=1e-12).x


def test_irm_finds_the_cause():
    """The weights are the objective's minimum, and near the cause's if the penalty weighs much."""
    X, y, environments = draw_chain()
    linear = {
        "hidden_layer_sizes": (),
        "epochs": 1500,
        "batch_size": None,
        "learning_rate": 0.05,
        "weight_decay": 0.0,
        "random_state": 1,
    }
    erm = CausalMitigatedRegressor(**linear, penalty=None).fit(X, y, environments).weights_
    design = np.c_[X, np.ones(len(X))]
    np.testing.assert_allclose(erm, np.linalg.lstsq(design, y)[0], atol=1e-3)
    distances = [np.abs(erm[:2] - [1, 0]).max()]
    for penalty_weight in (1, 5, 30):
        learner = CausalMitigatedRegressor(**linear, penalty_weight=penalty_weight)
        weights = learner.fit(X, y, environments).weights_
        expected = minimizer_of_irm(X, y, environments, penalty_weight)
        np.testing.assert_allclose(weights, expected, atol=5e-3)
        distances.append(np.abs(weights[:2] - [1, 0]).max())
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.6
    assert distances[-1] < 0.3


def minimizer_of_causal_dantzig(X, y, environments, penalty_weight):
    """Solve for the minimum of its objective for a linear model: both parts are least squares."""
    groups = [
        (np.c_[X, np.ones(len(X))][environments == e], y[environments == e])
        for e in np.unique(environments)
    ]
    centred = [np.c_[A[:, :-1] - A[:, :-1].mean(0), A[:, -1]] for A, _ in groups]
    products = np.array(
        [2 * C.T @ np.c_[A, b] / len(A) for C, (A, b) in zip(centred, groups, strict=True)]
    )
    deviations = np.concatenate(products - products.mean(0)) * np.sqrt(penalty_weight)
    errors = np.concatenate([np.c_[A, b] / np.sqrt(len(A)) for A, b in groups])
    table = np.concatenate([errors, deviations])
    return np.linalg.lstsq(table[:, :-1], table[:, -1])[0]


@pytest.mark.slow
@pytest.mark.parametrize("property_value", [0, 1])
def test_causal_dantzig_finds_the_cause(property_value):
    """Least squares gives the effect .15 or more; of that, next to nothing is left."""
    family = EnvironmentMembershipFamily.linear_causal()
    X, y, environments = family.sample(property_value, 4096, random_state=0)
    learner = CausalMitigatedRegressor(
        (),
        penalty="causal_dantzig",
        penalty_weight=10.0,
        epochs=1500,
        batch_size=None,
        learning_rate=0.03,
        weight_decay=0.0,
        random_state=0,
    ).fit(X, y, environments)
    expected = minimizer_of_causal_dantzig(X, y, environments, 10.0)
    np.testing.assert_allclose(learner.weights_, expected, atol=5e-3)
    np.testing.assert_allclose(learner.weights_, [1, 0, 0], atol=0.06)
    assert abs(minimizer_of_causal_dantzig(X, y, environments, 0.0)[1]) > 0.15


@pytest.mark.filterwarnings("ignore::wsl.exceptions.EnvironmentsWarning")
def test_without_environments_all_samples_are_of_one():
    X, y, _ = draw(CausalMitigatedRegressor)
    weights = [
        CausalMitigatedRegressor(**QUICK, penalty="irm").fit(X, y, environments).weights_
        for environments in (None, np.zeros(len(X)), np.full(len(X), "only"))
    ]
    np.testing.assert_array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[0], weights[2])


def my_penalty(*args, **kwargs):
    return PENALTIES["vrex"](*args, **kwargs)


ASKED = {
    "`penalty`='irm' must": {"penalty": "irm"},
    "`penalty`='my_penalty' must": {"penalty": my_penalty},
    "`causal_features`='invariant' must": {"penalty": None, "causal_features": "invariant"},
    "`penalty`='vrex' and `causal_features`='invariant' must": {
        "penalty": "vrex", "causal_features": CausalFeatureSelector(),
    },
}  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(
    ("environments", "found"),
    [
        (None, "got no environments. Training goes on without this: pass `environments`"),
        (np.full(90, "only"), "got one environment. Training goes on without this"),
        (np.arange(90), "got 90 environments of one sample each. Differences between single"),
    ],
    ids=["none", "one", "as many as samples"],
)
@pytest.mark.parametrize("kind", BOTH)
def test_what_compares_environments_warns_where_there_is_nothing_to_compare(
    kind, environments, found, asked
):
    X, y, _ = draw(kind)
    learner = kind(**QUICK | {"epochs": 1} | ASKED[asked])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", EnvironmentsWarning)
        warnings.simplefilter("ignore", CausalFeaturesWarning)
        learner.fit(X, y, environments)
        learner.fit_zoo([(X, y, environments)] * 2, 2)
    fit, fit_zoo = (str(w.message) for w in warned if w.category is EnvironmentsWarning)
    assert fit.startswith(asked)
    assert found in fit
    assert fit_zoo == fit.replace(". ", " in `datasets`. ", 1)
    assert {w.filename for w in warned} == {__file__}


@pytest.mark.parametrize(
    "settings", [{"penalty": None}, {"penalty": "irm", "penalty_weight": 0.0}, {}],
    ids=["no penalty", "no weight", "auto"],
)  # fmt: skip
def test_what_compares_no_environments_needs_none(settings):
    X, y, _ = draw(CausalMitigatedRegressor)
    learner = CausalMitigatedRegressor(**QUICK | settings)
    weights = learner.fit(X, y).weights_  # a warning would be an error
    zoo = learner.fit_zoo((X, y), 2)
    plain = CausalMitigatedRegressor(**QUICK, penalty=None)
    np.testing.assert_allclose(weights, plain.fit(X, y).weights_, **ROUNDING)
    np.testing.assert_allclose(zoo.weights, plain.fit_zoo((X, y), 2).weights, **ROUNDING)


@pytest.mark.parametrize("kind", BOTH)
def test_the_automatic_penalty_is_that_of_irm_where_environments_are_passed(kind):
    X, y, environments = draw(kind)
    automatic, irm = kind(**QUICK), kind(**QUICK, penalty="irm")
    weights = [learner.fit(X, y, environments).weights_ for learner in (automatic, irm)]
    np.testing.assert_array_equal(*weights)
    zoos = [learner.fit_zoo((X, y, environments), 2).weights for learner in (automatic, irm)]
    np.testing.assert_array_equal(*zoos)
    with pytest.warns(EnvironmentsWarning, match="`penalty`='irm' must .*; got one environment"):
        automatic.fit(X, y, np.zeros(len(X)))


# --- samples that count differently


@pytest.mark.parametrize("penalty", [None, *(p for p in PENALTIES if p != "irm_unbiased")])
@pytest.mark.parametrize("kind", BOTH)
def test_weights_are_repetition(kind, penalty):
    """To the last bit: equal samples are joined; without that, in ``fit_zoo``, but for rounding."""
    dataset, repeats = draw(kind), np.random.default_rng(0).integers(4, size=90)
    learner = kind(**QUICK | {"batch_size": None}, penalty=penalty)
    weighted = learner.fit(*dataset, sample_weight=repeats).weights_
    shuffled = np.random.default_rng(1).permutation(np.repeat(np.arange(90), repeats))
    repeated = learner.fit(*(values[shuffled] for values in dataset)).weights_
    np.testing.assert_array_equal(weighted, repeated)
    zoo = learner.fit_zoo((*dataset, repeats), n_models=1)
    np.testing.assert_allclose(zoo.weights[0], weighted, **ROUNDING)
    assert (learner.fit(*dataset).weights_ != weighted).any()


@pytest.mark.parametrize("kind", BOTH)
def test_in_batches_weights_are_those_of_train_zoo(kind):
    dataset, weights = draw(kind), np.random.default_rng(0).random(90)
    learner = kind(**QUICK, penalty="vrex")
    zoo = learner.fit_zoo((*dataset, weights), n_models=1)
    np.testing.assert_array_equal(learner.fit(*dataset, weights).weights_, zoo.weights[0])
    plain = learner.fit(*dataset).weights_
    assert np.abs(plain - zoo.weights[0]).max() > 1e-3


@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_weights_are_weights_of_samples(n_classes):
    X, _, environments = draw(CausalMitigatedClassifier)
    y = np.array(["x", "y", "z"])[np.digitize(X[:, 0], [0.8, 1.4][: n_classes - 1])]
    own = np.random.default_rng(0).random(len(y))
    labels = np.unique(y)
    of_class = {label: own[y == label].sum() for label in labels}
    balanced = own * [own.sum() / n_classes / of_class[label] for label in y]
    named = own * np.where(y == "y", 5.0, 1.0)
    for class_weight, weights in (("balanced", balanced), ({"y": 5.0}, named)):
        direct = CausalMitigatedClassifier(**QUICK).fit(X, y, environments, weights)
        learner = CausalMitigatedClassifier(**QUICK, class_weight=class_weight)
        learner.fit(X, y, environments, own)
        np.testing.assert_allclose(learner.weights_, direct.weights_, **ROUNDING)
        zoo = learner.fit_zoo((X, y, environments, own), n_models=1)
        np.testing.assert_array_equal(zoo.weights[0], learner.weights_)
    rarest = min(labels, key=lambda label: (y == label).sum())
    shares = [
        (learner.set_params(class_weight=w).fit(X, y).predict(X) == rarest).mean()
        for w in (None, "balanced")
    ]
    assert shares[1] > shares[0]


@pytest.mark.usefixtures("routing")
def test_weights_reach_fit_by_routing():
    X, y, environments = draw(CausalMitigatedRegressor)
    weights = np.random.default_rng(0).random(90)
    learner = CausalMitigatedRegressor(**QUICK).set_fit_request(
        environments=True, sample_weight=True
    )
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), learner)
    pipeline.fit(X, y, environments=environments, sample_weight=weights)
    scaled = StandardScaler().fit_transform(X)
    direct = CausalMitigatedRegressor(**QUICK).fit(scaled, y, environments, weights)
    np.testing.assert_array_equal(pipeline[-1].weights_, direct.weights_)


def test_a_penalty_of_ones_own():
    dataset = draw(CausalMitigatedRegressor)
    named = CausalMitigatedRegressor(**QUICK, penalty="group_dro").fit(*dataset)
    same = CausalMitigatedRegressor(**QUICK, penalty=partial(group_dro_penalty, step_size=0.01))
    other = CausalMitigatedRegressor(**QUICK, penalty=partial(group_dro_penalty, step_size=9.0))
    np.testing.assert_array_equal(same.fit(*dataset).weights_, named.weights_)
    assert (other.fit(*dataset).weights_ != named.weights_).any()


# --- causal features


@pytest.mark.parametrize(
    "wanted", [[0, 2], [-3, -1], ["x", "z"], np.array([0, 2]), ["x", 2]], ids=str
)
@pytest.mark.parametrize("kind", BOTH)
def test_other_columns_have_no_influence(kind, wanted):
    X, y, environments = draw(kind)
    frame = pd.DataFrame(X, columns=["x", "w", "z"])
    learner = kind(**QUICK, causal_features=wanted).fit(frame, y, environments)
    assert learner.features_.tolist() == [0, 2]
    assert learner.n_features_in_ == 3
    noise = frame.assign(w=1e3 * np.random.default_rng(1).normal(size=len(X)))
    np.testing.assert_array_equal(answers(learner, noise), answers(learner, frame))
    again = kind(**QUICK, causal_features=wanted).fit(noise, y, environments)
    np.testing.assert_array_equal(again.weights_, learner.weights_)
    cut = kind(**QUICK).fit(X[:, [0, 2]], y, environments)
    np.testing.assert_array_equal(cut.weights_, learner.weights_)
    np.testing.assert_allclose(answers(cut, X[:, [0, 2]]), answers(learner, frame), atol=1e-6)


# --- environments on their way to fit


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", BOTH)
def test_environments_reach_fit_through_a_pipeline(kind):
    X, y, environments = draw(kind)
    learner = kind(**QUICK, penalty_weight=5.0).set_fit_request(environments=True)
    pipeline = make_pipeline(StandardScaler(), learner).fit(X, y, environments=environments)
    scaled = StandardScaler().fit_transform(X)
    direct = kind(**QUICK, penalty_weight=5.0).fit(scaled, y, environments)
    blind = kind(**QUICK, penalty_weight=5.0).fit(scaled, y)
    np.testing.assert_array_equal(pipeline[-1].weights_, direct.weights_)
    assert (pipeline[-1].weights_ != blind.weights_).any()


@pytest.mark.parametrize("kind", BOTH)
def test_without_routing_a_pipeline_passes_them_by_the_step(kind):
    X, y, environments = draw(kind)
    pipeline = make_pipeline(StandardScaler(), kind(**QUICK))
    name = f"{kind.__name__.lower()}__environments"
    pipeline.fit(X, y, **{name: environments})
    direct = kind(**QUICK).fit(StandardScaler().fit_transform(X), y, environments)
    np.testing.assert_array_equal(pipeline[-1].weights_, direct.weights_)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", BOTH)
def test_environments_are_split_in_cross_validation(kind):
    X, y, environments = draw(kind)
    learner = kind(**QUICK)
    cv = LeaveOneGroupOut()
    results = cross_validate(
        learner,
        X,
        y,
        cv=cv,
        params={"environments": environments, "groups": environments},
        return_estimator=True,
    )
    folds = list(cv.split(X, y, environments))
    assert len(results["estimator"]) == len(folds) == 3
    for fitted, score, (train, test) in zip(
        results["estimator"], results["test_score"], folds, strict=True
    ):
        direct = kind(**QUICK).fit(X[train], y[train], environments[train])
        np.testing.assert_array_equal(fitted.weights_, direct.weights_)
        assert score == direct.score(X[test], y[test])


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("kind", BOTH)
def test_a_search_leaves_an_environment_out(kind):
    X, y, environments = draw(kind)
    learner = kind(**QUICK)
    grid = {"penalty_weight": [0.0, 10.0], "penalty": [None, "irm"]}
    search = GridSearchCV(learner, grid, cv=LeaveOneGroupOut())
    search.fit(X, y, environments=environments, groups=environments)
    direct = kind(**QUICK).set_params(**search.best_params_).fit(X, y, environments)
    np.testing.assert_array_equal(search.best_estimator_.weights_, direct.weights_)
    assert search.n_splits_ == 3


@pytest.mark.usefixtures("routing")
def test_environments_are_requested_by_default():
    X, y, environments = draw(CausalMitigatedRegressor)
    pipeline = make_pipeline(StandardScaler(), CausalMitigatedRegressor(**QUICK))
    pipeline.fit(X, y, environments=environments)
    scaled = StandardScaler().fit_transform(X)
    direct = CausalMitigatedRegressor(**QUICK).fit(scaled, y, environments)
    np.testing.assert_array_equal(pipeline[-1].weights_, direct.weights_)


@pytest.mark.usefixtures("routing")
def test_environments_that_no_step_requests_are_an_error():
    X, y, environments = draw(CausalMitigatedRegressor)
    learner = CausalMitigatedRegressor(**QUICK).set_fit_request(environments=None)
    with pytest.raises(ValueError, match="environments"):
        make_pipeline(learner).fit(X, y, environments=environments)


def test_searched_in_two_processes():
    X, y, environments = draw(CausalMitigatedRegressor)
    search = GridSearchCV(
        CausalMitigatedRegressor(**QUICK), {"penalty_weight": [0.0, 10.0]}, cv=2, n_jobs=2
    )
    search.fit(X, y, environments=environments)
    direct = CausalMitigatedRegressor(**QUICK, **search.best_params_).fit(X, y, environments)
    np.testing.assert_allclose(search.best_estimator_.weights_, direct.weights_, **ROUNDING)


# --- errors


X, Y, ENVIRONMENTS = draw(CausalMitigatedRegressor)
LABELS = (Y > 0).astype(int)
FRAME = pd.DataFrame(X, columns=["x", "w", "z"])
WRONG_FITS = {
    "environments too short": ({}, (X, Y, ENVIRONMENTS[:-1]), "`environments` must .*; got 89"),
    "environments as a table": ({}, (X, Y, X), r"`environments` must have .*; got \(90, 3\)"),
    "environments as a number": ({}, (X, Y, 3), r"`environments` must have shape .*; got \(\)"),
    "NaN environments": ({}, (X, Y, np.where(Y > 0, 1.0, np.nan)), "`environments` must .*missing"),
    "penalty": ({"penalty": "rex"}, (X, Y), "'penalty' parameter .* Got 'rex'"),
    "penalty_weight": ({"penalty_weight": -1.0}, (X, Y), "'penalty_weight' parameter"),
    "feature name": ({"causal_features": ["q"]}, (FRAME, Y), "`causal_features` .*'w'.*got 'q'"),
    "name without names": ({"causal_features": ["x"]}, (X, Y), "indices below 3; got 'x'"),
    "feature index": ({"causal_features": [0, 3]}, (X, Y), "`causal_features` .* below 3; got 3"),
    "negative index": ({"causal_features": [-4]}, (X, Y), "`causal_features` must .*; got -4"),
    "half an index": ({"causal_features": [0.5]}, (X, Y), "`causal_features` must .*; got 0.5"),
    "short mask": ({"causal_features": [True, False]}, (X, Y), "`causal_features` .*got True"),
    "no features": ({"causal_features": []}, (X, Y), "at least one column"),
    "one name": ({"causal_features": "x"}, (FRAME, Y), "'causal_features' parameter"),
    "NaN in X": ({}, (np.where(X > 2, np.nan, X), Y), "`X` must be finite; got NaN in rows"),
    "infinity in y": ({}, (X, np.where(Y > 2, np.inf, Y)), "`y` must be finite; got infinity"),
    "length of y": ({}, (X, Y[:-1]), "inconsistent numbers of samples"),
    "width": ({"hidden_layer_sizes": (4, 0)}, (X, Y), "hidden_layer_sizes"),
    "half a width": ({"hidden_layer_sizes": (2.5,)}, (X, Y), "hidden_layer_sizes"),
    "too few weights": ({}, (X, Y, None, Y[:-1]), r"`sample_weight` must have .*; got \(89,"),
    "weight below 0": ({}, (X, Y, None, Y), "`sample_weight` must hold finite .*; got -"),
    "infinite weight": ({}, (X, Y, None, np.full(90, np.inf)), "`sample_weight` must .*; got inf"),
    "no weight": ({}, (X, Y, None, Y * 0), "`sample_weight` must be above 0 for some sample"),
    "text as weights": ({}, (X, Y, None, ENVIRONMENTS), "`sample_weight` must hold num.* <U1"),
    "warm-up": ({"penalty_warmup": -1}, (X, Y), "'penalty_warmup' parameter"),
    "annealing": ({"penalty_anneal": 0.5}, (X, Y), "'penalty_anneal' parameter"),
    "patience": ({"n_iter_no_change": 0}, (X, Y), "'n_iter_no_change' parameter"),
    "validation": ({"validation": "kfold"}, (X, Y), "'validation' parameter"),
    "all for validation": ({"validation_fraction": 1.0}, (X, Y), "'validation_fraction' param"),
    "one environment": (
        {"early_stopping": True, "validation": "environment"}, (X, Y), "two environments with vali",
    ),
    "activation": ({"activation": "sine"}, (X, Y), "'activation' parameter .* Got 'sine'"),
    "device": ({"device": "abacus"}, (X, Y), "`device` must be .*got 'abacus'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_FITS)
def test_errors_of_fit_name_the_parameter(case):
    parameters, arguments, named = WRONG_FITS[case]
    with pytest.raises(ValueError, match=named):
        CausalMitigatedRegressor(**QUICK | parameters).fit(*arguments)


WRONG_ZOOS = {
    "one class": ((X, LABELS * 0), 2, "y must contain at least two classes; got one class, .*0"),
    "another class": ([(X, LABELS), (X, LABELS + 1)], 2, r"y must .*\[0, 1\]; got .*2"),
    "NaN": ((X * np.nan, LABELS), 2, "X of `datasets` .*; got NaN"),
    "environments too short": ((X, LABELS, [1, 2]), 2, "environments of `datasets` must .*; got 2"),
    "length of y": ((X, LABELS[:-1]), 2, "y of `datasets` must have 90 entries, as X has; got 89"),
    "no models": ((X, LABELS), 0, "'n_models' parameter .* Got 0"),
    "fewer sets than models": ([(X, LABELS)] * 2, 3, "one set per model, 3; got 2"),
    "more sets than models": ([(X, LABELS)] * 3, 2, "one set per model, 2; got 3"),
    "one axis": ((X[:, 0], LABELS), 2, r"X of `datasets` must have shape .*; got \(90,\)"),
    "no set": (3, 2, "`datasets` must be a tuple.*; got a int"),
    "columns": ([(X, LABELS), (X[:, :2], LABELS)], 2, r"X of `datasets\[1\]` .*got \(90, 2\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_ZOOS)
def test_errors_of_fit_zoo_name_the_parameter(case):
    datasets, n_models, named = WRONG_ZOOS[case]
    with pytest.raises(ValueError, match=named):
        CausalMitigatedClassifier(**QUICK).fit_zoo(datasets, n_models)


def test_one_class_is_refused():
    with pytest.raises(InvalidInputError, match=r"at least two classes; got one class, .*1"):
        CausalMitigatedClassifier(**QUICK).fit(X, np.ones(len(X), int))
    with pytest.raises(ValueError, match="Unknown label type"):
        CausalMitigatedClassifier(**QUICK).fit(X, Y)


@pytest.mark.parametrize(
    ("class_weight", "named"),
    [
        ({2: 1.0}, r"`class_weight` must name classes among \[0, 1\]; got 2"),
        ({0: -1.0}, "`class_weight` must contain finite numbers of at least 0; got .*-1.0"),
        ({0: 0.0, 1: 0.0}, "sample_weight.* must be above 0 for some sample"),
        ("equal", "'class_weight' parameter .* Got 'equal'"),
    ],
)
def test_errors_of_class_weights(class_weight, named):
    with pytest.raises(ValueError, match=named):
        CausalMitigatedClassifier(**QUICK, class_weight=class_weight).fit(X, LABELS)


def test_a_zoo_checks_its_parameters_too():
    with pytest.raises(ValueError, match="'penalty' parameter"):
        CausalMitigatedRegressor(penalty="rex").fit_zoo((X, Y), 2)


def test_the_causal_family_goes_in_as_it_is():
    family = EnvironmentMembershipFamily.linear_causal()
    learner = CausalMitigatedRegressor((2,), penalty="irm", epochs=2, random_state=0)
    zoo = learner.fit_zoo(lambda i: family.sample(i % 2, 64, random_state=i), n_models=4)
    assert zoo.weights.shape == (4, 9)
    assert np.isfinite(zoo.weights).all()
