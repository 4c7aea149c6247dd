"""Cases of ``benchmarks.leakage_sources``: learners, families and what must come out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from benchmarks._gaussian_sources import closed_form_parts
from benchmarks._hartmann import ShadowLearner
from wsl import (
    Architecture,
    CausalMitigatedClassifier,
    DistributionInferenceAttack,
    GaussianFamily,
    RandomNetworkFamily,
    SubsampledFamily,
    train_zoo,
)
from wsl.datasets import load_census_income
from wsl.distributions import Interval


@dataclass(frozen=True)
class Case:
    """A learner on a family.

    ``expected`` is the source that must dominate, the parts in closed form, or None.
    """

    name: str
    learner: Any
    family: Any
    options: dict[str, Any]
    expected: Any


class TrainedOut(BaseEstimator):
    """A network of one hidden layer, wider than the one that labels, trained until it fits.

    Parameters
    ----------
    random_state : int, optional
        Seed of initial weights and minibatches.
    """

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit_zoo(self, datasets, n_models):
        return train_zoo(
            Architecture.mlp(4, [64], 1),
            datasets,
            n_models=n_models,
            loss="mse",
            epochs=100,
            batch_size=64,
            learning_rate=5e-3,
            random_state=self.random_state,
        )


def single_source(seed: int, n_exact: int) -> Iterator[Case]:
    """Yield experiments A, A-bis, B and C.

    The learner of C is trained until it fits: after 20 epochs on 512 rows, most of the error is
    due to short training and not to finite data.
    """
    shadow, fitting = ShadowLearner(), TrainedOut()
    options: dict[str, Any] = {"reference_learner": shadow, "n_samples": 2048, "n_queries": 64}
    for name, epsilon, learner in (
        ("A: epsilon .04", 0.04, shadow),
        ("A-bis: stopped at 30", 0.05, ShadowLearner(30)),
    ):
        family = RandomNetworkFamily(epsilon, random_state=seed)
        yield Case(name, learner, family, options, "conditional")
    inputs = RandomNetworkFamily(0.0, shift=1.0, properties=Interval(0, 1), random_state=seed)
    options = {"reference_learner": fitting, "conditional": inputs, "n_queries": 64}
    longer = options | {"n_samples": 1024, "sample_size_multipliers": (1, 2, 4, 8)}
    yield Case("B: stopped at 50", ShadowLearner(50), inputs, longer, "bias")
    longer = options | {"n_samples": 512, "sample_size_multipliers": (1, 2, 4, 8, 16)}
    yield Case("C: 512 rows", fitting, inputs, longer, "sample")


def closed_form(seed: int, n_exact: int) -> Iterator[Case]:
    """Yield linear Gaussian cases whose property is the mean of an attribute.

    ``n_exact`` shadow models and as many targets are trained, more than for the other cases.
    """
    options = {
        "reference_learner": LinearRegression(), "n_queries": 6, "n_shadows": n_exact,
        "n_targets": n_exact,
    }  # fmt: skip
    for learner in (DummyRegressor(), LinearRegression()):
        for a, b, d, n in ((0.5, 1.0, 0.6, 64), (0.5, 0.5, 0.3, 256), (1.0, 2.0, 0.2, 256)):
            family = GaussianFamily("mean", properties=(0, d), on_inputs=a, on_outcome=b)
            constant = isinstance(learner, DummyRegressor)
            expected = closed_form_parts(constant, n, d, a, b)
            name = f"{'constant' if constant else 'least squares'}, a {a:g}, b {b:g}, d {d:g}"
            yield Case(f"{name}, n {n}", learner, family, options | {"n_samples": n}, expected)
    yield finite_data(
        options | {"n_samples": 64, "n_queries": 3, "sample_size_multipliers": (1, 4, 16)}
    )


def finite_data(options: dict[str, Any]) -> Case:
    """Return a case in which the property shifts the inputs alone.

    The errors of the two least-squares coefficients are then correlated, by an amount that depends
    on the property. The attack reads it from products of two coefficients.
    """
    ends, a = (-1.5, 1.5), 2.0
    family = GaussianFamily("mean", properties=ends, on_inputs=a, on_outcome=0, n_features=2)
    products = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(C=100.0))
    attack = DistributionInferenceAttack("queries", meta_estimator=products)
    total = 2 * family.bayes_accuracy(64, "coefficients") - 1
    expected = {"conditional": 0.0, "bias": 0.0, "sample": total, "rest": 0.0, "total": total}
    name = f"least squares, a {a:g}, b 0, d {ends[1] - ends[0]:g}, n 64"
    return Case(name, LinearRegression(), family, options | {"attacks": attack}, expected)


def census(seed: int, n_exact: int) -> Iterator[Case]:
    """Yield three learners of income; sex is not among the columns that they are given."""
    bunch: Any = load_census_income()
    women = (bunch.sensitive["sex"] == "female").to_numpy()
    family = SubsampledFamily(bunch.data, bunch.target, women, properties=(0.2, 0.5))
    reference_learner = HistGradientBoostingClassifier(max_iter=40, early_stopping=False)
    options = {"n_samples": 1000, "reference_learner": reference_learner, "n_queries": 256}
    learners = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "random forest": RandomForestClassifier(n_estimators=20),
        "MLP": CausalMitigatedClassifier((8,), penalty=None, epochs=20, batch_size=32),
    }
    for name, learner in learners.items():
        yield Case(name, learner, family, options, None)


CASES: dict[str, Callable[[int, int], Iterator[Case]]] = {
    "single-source": single_source, "closed-form": closed_form, "census": census,
}  # fmt: skip
