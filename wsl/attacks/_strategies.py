"""The strategies of an attack: a name, what it sees, and what estimator it builds.

The estimators that users construct live in ``_attack``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ..features import QueryResponses
from ..features._responses import check_queries
from ._deepsets import DeepSetsClassifier, DeepSetsRegressor

FEW_MODELS = 512


@dataclass(frozen=True)
class AttackSetting:
    """What a builder knows of the attack and of the shadow models that it will be fitted to."""

    is_classifier: bool
    architecture: Architecture | None
    queries: Any
    meta_estimator: Any
    device: Any
    seed: int
    verbose: int
    n_models: int
    n_columns: int


@dataclass(frozen=True)
class Strategy:
    """An attack by name: ``build`` makes its estimator of rows, not yet fitted."""

    build: Callable[[AttackSetting], Any]
    white_box: bool


def build_deepsets(setting: AttackSetting) -> Any:
    """Return a DeepSets estimator of rows of weights."""
    if setting.meta_estimator is not None:
        raise InvalidInputError(
            f"meta_estimator={setting.meta_estimator!r} was given, but strategy 'deepsets' is its "
            "own meta-estimator; wanted one of the two"
        )
    if setting.queries is not None:
        raise InvalidInputError(
            "queries were given, but strategy 'deepsets' reads weights alone; wanted "
            "strategy='queries', or no queries"
        )
    estimator = DeepSetsClassifier if setting.is_classifier else DeepSetsRegressor
    return estimator(
        setting.architecture,
        # with few models it is the number of steps that is short
        batch_size=16 if setting.n_models <= FEW_MODELS else 32,
        device=setting.device,
        random_state=setting.seed,
        verbose=setting.verbose,
    )


def build_queries(setting: AttackSetting) -> Any:
    """Return a meta-estimator of query responses, of X itself without an architecture."""
    queries = check_queries(setting.architecture, setting.queries)
    n_features = setting.n_columns
    if setting.architecture is not None and queries is not None:
        n_features = len(queries) * setting.architecture.n_outputs
    if setting.meta_estimator is None:
        meta = default_meta_estimator(setting, n_features)
    else:
        meta = clone(setting.meta_estimator)
    if setting.architecture is None:
        return meta
    return make_pipeline(QueryResponses(setting.architecture, queries), meta)


def default_meta_estimator(setting: AttackSetting, n_features: int) -> Pipeline:
    """Return a linear model on the features of a wide Gaussian kernel.

    So wide a kernel is nearly linear, which is what most properties need, and bends where they do
    not. On 64 to 1024 shadow models it was within about a point of a regularised linear model where
    that is right, and up to 20 points above it where a class lies between two others. Against an
    MLP (128, 64), the published choice, it was from two points below to seven above, at a fraction
    of its time, and its regression error was clearly smaller throughout.
    """
    kernel = Nystroem(
        gamma=0.1 / n_features,
        n_components=min(256, setting.n_models),
        random_state=setting.seed,
    )
    if setting.is_classifier:
        return make_pipeline(StandardScaler(), kernel, LogisticRegression(C=100.0, max_iter=1000))
    return make_pipeline(StandardScaler(), kernel, RidgeCV(alphas=np.logspace(-6, 2, 9)))


STRATEGIES: dict[str, Strategy] = {
    "deepsets": Strategy(build_deepsets, white_box=True),
    "queries": Strategy(build_queries, white_box=False),
}


def resolve_strategy(strategy: str, architecture: Architecture | None, queries: Any) -> str:
    """Return the name of the strategy; InvalidInputError with the known ones if it is unknown."""
    if strategy == "auto":
        return "deepsets" if architecture is not None and queries is None else "queries"
    if strategy not in STRATEGIES:
        known = ", ".join(repr(name) for name in ("auto", *STRATEGIES))
        raise InvalidInputError(f"strategy={strategy!r} is unknown; wanted one of {known}")
    return strategy
