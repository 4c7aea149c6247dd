"""What scikit-learn and its users expect of an estimator, of every public one at once."""

import inspect
import pickle
import re
from importlib import import_module
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    TransformerMixin,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import wsl
from wsl import (
    Architecture,
    BehaviorFeatures,
    CausalFeatureSelector,
    CausalMitigatedClassifier,
    CausalMitigatedRegressor,
    DeepSetsClassifier,
    DeepSetsRegressor,
    DistributionInferenceAttack,
    DistributionInferenceRegressor,
    ProbeClassifier,
    ProbeRegressor,
    QueryResponses,
    RebalancedClassifier,
    RebalancedRegressor,
    SortedWeights,
    WeightSpaceAutoencoder,
    WeightStatistics,
)

ARCHITECTURE = Architecture.mlp(2, [3], 1)
QUERIES = np.random.default_rng(0).normal(size=(6, 2))
N_MODELS, N_WEIGHTS = 36, ARCHITECTURE.n_weights
SMALL = {"latent_dim": 2, "d_model": 8, "n_layers": 1, "n_heads": 2, "epochs": 2}

# estimator -> least number of scikit-learn's checks, small settings, settings with an architecture,
# a parameter and its values to search over
ESTIMATORS = {
    WeightStatistics: (
        45, {}, {"architecture": ARCHITECTURE}, ("quantiles", [(0.5,), (0, 1)]),
    ),
    SortedWeights: (
        45, {}, {"architecture": ARCHITECTURE}, ("order", ["aligned", "norm"]),
    ),
    QueryResponses: (
        45, {}, {"architecture": ARCHITECTURE, "queries": QUERIES}, ("output", ["logits", "label"]),
    ),
    BehaviorFeatures: (
        45, {}, {"architecture": ARCHITECTURE, "queries": QUERIES}, ("n_components", [1, 3]),
    ),
    WeightSpaceAutoencoder: (
        45,
        SMALL,
        {"architecture": ARCHITECTURE, "queries": QUERIES},
        ("latent_dim", [1, 2]),
    ),
    DeepSetsClassifier: (
        54, {"epochs": 2}, {"architecture": ARCHITECTURE}, ("hidden_layer_sizes", [4, (8, 4)]),
    ),
    DeepSetsRegressor: (
        52, {"epochs": 2}, {"architecture": ARCHITECTURE}, ("hidden_layer_sizes", [4, (8, 4)]),
    ),
    ProbeClassifier: (
        54,
        {"epochs": 2},
        {"architecture": ARCHITECTURE, "n_probes": 8},
        ("hidden_layer_sizes", [4, (8, 4)]),
    ),
    ProbeRegressor: (
        52,
        {"epochs": 2},
        {"architecture": ARCHITECTURE, "n_probes": 8},
        ("hidden_layer_sizes", [4, (8, 4)]),
    ),
    DistributionInferenceAttack: (
        54, {}, {"architecture": ARCHITECTURE, "queries": QUERIES}, ("strategy", ["queries", "kl"]),
    ),
    DistributionInferenceRegressor: (
        52, {}, {"architecture": ARCHITECTURE, "queries": QUERIES}, ("strategy", ["queries", "kl"]),
    ),
    CausalFeatureSelector: (
        48, {}, {"keep": "parents"}, ("significance_level", [0.05, 0.1]),
    ),
    CausalMitigatedClassifier: (
        62, {"epochs": 2}, {"causal_features": [0, 2]}, ("penalty_weight", [0.0, 5.0]),
    ),
    CausalMitigatedRegressor: (
        57, {"epochs": 2}, {"causal_features": [0, 2]}, ("penalty_weight", [0.0, 5.0]),
    ),
    RebalancedClassifier: (
        50,
        {"estimator": LogisticRegression(), "column": 0},
        {},
        ("method", ["resample", "weight"]),
    ),
    RebalancedRegressor: (
        50,
        {"estimator": LinearRegression(), "column": 0},
        {},
        ("method", ["resample", "weight"]),
    ),
}  # fmt: skip
TRANSFORMERS = [kind for kind in ESTIMATORS if hasattr(kind, "transform")]
PREDICTORS = [kind for kind in ESTIMATORS if hasattr(kind, "predict")]

every_estimator = pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
every_transformer = pytest.mark.parametrize("kind", TRANSFORMERS, ids=lambda kind: kind.__name__)
every_predictor = pytest.mark.parametrize("kind", PREDICTORS, ids=lambda kind: kind.__name__)
every_setting = pytest.mark.parametrize("fitted_to", ["features", "an architecture"])


def plain(kind):
    """An estimator with its default settings; meta-estimators need a learner, and groups."""
    _, small, *_ = ESTIMATORS[kind]
    return kind(**small) if issubclass(kind, MetaEstimatorMixin) else kind()


def make(kind, fitted_to="features"):
    """An estimator with settings that train in no time, and a seed where it takes one."""
    _, small, more, _ = ESTIMATORS[kind]
    settings = small | (more if fitted_to == "an architecture" else {})
    if "random_state" in inspect.signature(kind).parameters:
        settings |= {"random_state": 0}
    return kind(**settings)


def rows_and_targets(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_MODELS, N_WEIGHTS))
    y = X[:, 0] + 0.1 * rng.normal(size=N_MODELS)
    return X, np.where(y > 0, "with", "without") if is_classifier(plain(kind)) else y


def answers(estimator, X):
    """What a fitted estimator gives back."""
    if hasattr(estimator, "transform"):
        return estimator.transform(X)
    return getattr(estimator, "predict_proba", estimator.predict)(X)


def public_classes():
    """Every class that ``wsl`` or one of its folders names in ``__all__``."""
    folders = [import_module(f"wsl.{name}") for name in sorted(wsl._SUBPACKAGES)]
    for module in (wsl, *folders):
        for name in getattr(module, "__all__", ()):
            if isinstance(value := getattr(module, name), type):
                yield value


def test_no_public_estimator_is_left_out():
    found = {value for value in public_classes() if issubclass(value, BaseEstimator)}
    assert found == set(ESTIMATORS)


# --- scikit-learn's own checks


# what an attack answers to is for its strategy to say
STRATEGIES = [
    kind(strategy)
    for kind in (DistributionInferenceAttack, DistributionInferenceRegressor)
    for strategy in ("sorted", "kl")
]


@parametrize_with_checks([plain(kind) for kind in ESTIMATORS])
def test_scikit_learns_checks(estimator, check):
    run_check(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(STRATEGIES)
def test_scikit_learns_checks_of_further_strategies(estimator, check):
    run_check(estimator, check)


def run_check(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"scikit-learn left its check out: {reason}")


class PlainTransformer(TransformerMixin, BaseEstimator):
    """No tags of its own, so that scikit-learn has every reason to check it."""

    def fit(self, X, y=None):
        """Do nothing."""

    def transform(self, X):
        """Do nothing."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # ours give float32, whatever comes in
        return tags


class PlainClassifier(ClassifierMixin, BaseEstimator):
    """The same for classifiers."""

    def fit(self, X, y):
        """Do nothing."""

    def predict(self, X):
        """Do nothing."""

    def predict_proba(self, X):
        """Do nothing."""


class PlainRegressor(RegressorMixin, BaseEstimator):
    """The same for regressors."""

    def fit(self, X, y):
        """Do nothing."""

    def predict(self, X):
        """Do nothing."""


def names_of_checks(estimator):
    return [check.func.__name__ for _, check in estimator_checks_generator(estimator)]


@every_estimator
def test_no_tag_shrinks_the_suite(kind):
    """A tag such as ``no_validation`` takes checks away, and what is left is green."""
    estimator = plain(kind)
    names = names_of_checks(estimator)
    assert len(names) >= ESTIMATORS[kind][0]
    simplest = PlainTransformer()
    if is_classifier(estimator) or is_regressor(estimator):
        simplest = PlainClassifier() if is_classifier(estimator) else PlainRegressor()
    assert not set(names_of_checks(simplest)) - set(names)


# checks that scikit-learn has and never runs by itself
OF_TRANSFORMERS = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
]
OF_ALL = ["check_param_validation", "check_dataframe_column_names_consistency"]
NEVER_YIELDED = [
    pytest.param(kind, check, id=f"{kind.__name__}-{check}")
    for kind in ESTIMATORS
    for check in (OF_ALL + OF_TRANSFORMERS if kind in TRANSFORMERS else OF_ALL)
]


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize(("kind", "check"), NEVER_YIELDED)
def test_checks_that_are_never_yielded(kind, check):
    assert check not in names_of_checks(plain(kind)), "scikit-learn runs it now: drop it here"
    try:
        getattr(estimator_checks, check)(kind.__name__, plain(kind))
    except SkipTest as reason:
        pytest.fail(f"scikit-learn left its check out: {reason}")


# --- copies


@every_setting
@every_estimator
def test_copies(kind, fitted_to):
    estimator = make(kind, fitted_to)
    X, y = rows_and_targets(kind)
    twin = clone(estimator)
    assert repr(twin) == repr(estimator)
    assert kind.__name__ in repr(estimator)
    assert set(twin.get_params()) == set(estimator.get_params())
    estimator.fit(X, y)
    np.testing.assert_array_equal(answers(twin.fit(X, y), X), answers(estimator, X))
    restored = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(answers(restored, X), answers(estimator, X))
    assert repr(restored) == repr(estimator)
    assert isinstance(answers(estimator, X), np.ndarray)
    unfitted = clone(estimator)
    assert not [name for name in vars(unfitted) if name.endswith("_")]


@pytest.mark.parametrize("kind", [k for k in ESTIMATORS if not issubclass(k, MetaEstimatorMixin)])
def test_the_plain_form_says_only_its_name(kind):
    assert repr(plain(kind)) == f"{kind.__name__}()"


@every_setting
@every_estimator
def test_one_seed_gives_one_result_and_global_generators_stay(kind, fitted_to):
    X, y = rows_and_targets(kind)
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first, again = (answers(make(kind, fitted_to).fit(X, y), X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


# --- inside other estimators


@every_setting
@every_estimator
def test_searched_in_a_pipeline_in_two_processes(kind, fitted_to):
    X, y = rows_and_targets(kind)
    parameter, values = ESTIMATORS[kind][3]
    if (parameter, fitted_to) == ("output", "features"):
        values = values[:1]  # without an architecture there is nothing to choose
    step = f"{kind.__name__.lower()}__{parameter}"
    steps = [FunctionTransformer(), make(kind, fitted_to)]
    if kind in TRANSFORMERS:
        steps.append(LinearRegression())
    search = GridSearchCV(
        make_pipeline(*steps), {step: values}, cv=2, n_jobs=2, error_score="raise"
    )
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == (N_MODELS,)
    alone = clone(search.best_estimator_).fit(X, y)
    if kind in TRANSFORMERS:
        np.testing.assert_allclose(search.predict(X), alone.predict(X), rtol=1e-3, atol=1e-3)
    else:
        np.testing.assert_array_equal(search.predict(X), alone.predict(X))


@every_setting
@every_predictor
def test_predictions_out_of_fold(kind, fitted_to):
    X, y = rows_and_targets(kind)
    predicted = cross_val_predict(make(kind, fitted_to), X, y, cv=3)
    assert predicted.shape == y.shape
    assert set(predicted) <= set(y) or is_regressor(plain(kind))


@every_setting
@every_transformer
def test_tables_out(kind, fitted_to):
    X, y = rows_and_targets(kind)
    frame = pd.DataFrame(
        X,
        index=[f"model {i}" for i in range(N_MODELS)],
        columns=[f"w{i}" for i in range(N_WEIGHTS)],
    )
    plain = make(kind, fitted_to).fit(frame, y)
    transformer = make(kind, fitted_to).set_output(transform="pandas").fit(frame, y)
    table = transformer.transform(frame)
    assert isinstance(table, pd.DataFrame)
    assert table.index.equals(frame.index)
    assert table.columns.tolist() == plain.get_feature_names_out().tolist()
    assert len(set(table.columns)) == table.shape[1]
    np.testing.assert_array_equal(table.to_numpy(), plain.transform(frame))
    pipeline = make_pipeline(make(kind, fitted_to), LinearRegression())
    pipeline.set_output(transform="pandas").fit(frame, y)
    assert pipeline[:-1].get_feature_names_out().tolist() == table.columns.tolist()
    assert pipeline[-1].feature_names_in_.tolist() == table.columns.tolist()


# --- parameters and documentation; that parameters are explained: test_public_api.py


@every_estimator
def test_every_parameter_has_its_constraint(kind):
    parameters = inspect.signature(kind).parameters
    assert list(parameters) == list(kind._parameter_constraints)
    positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 2


@every_estimator
def test_what_is_learned_is_explained(kind, documented):
    X, y = rows_and_targets(kind)
    frame = pd.DataFrame(X, columns=[f"w{i}" for i in range(N_WEIGHTS)])
    learned = {name for name in vars(make(kind).fit(frame, y)) if re.fullmatch(r"[a-z]\w*_", name)}
    assert learned <= set(documented(kind.__doc__, "Attributes"))


@every_estimator
def test_every_public_method_is_explained(kind):
    for name, method in inspect.getmembers(kind, callable):
        if not name.startswith("_"):
            assert inspect.getdoc(method), name
