"""The estimators of the strategies that read weights.

The table of strategies lives in ``_strategies``, those that see answers in ``_black_box``.
"""

from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from ..exceptions import InvalidInputError
from ..features import SortedWeights, WeightStatistics
from ._attack_context import AttackContext, meta_estimator
from .meta_classifiers._temperature_scaling import TemperatureScaled
from .meta_networks._deepsets import DeepSetsClassifier, DeepSetsRegressor
from .meta_networks._probes import ProbeClassifier, ProbeRegressor

FEW_MODELS, MANY_MODELS = 512, 1024


def build_deepsets(setting: AttackContext) -> Any:
    """Return a DeepSets estimator of rows of weights."""
    estimator = DeepSetsClassifier if setting.is_classifier else DeepSetsRegressor
    return tempered(estimator(setting.architecture, **training(setting)), setting)


def build_probes(setting: AttackContext) -> Any:
    """Return a network on answers to probes that it learns, which start at queries if given."""
    estimator = ProbeClassifier if setting.is_classifier else ProbeRegressor
    probes = None if setting.architecture is None else setting.queries
    return tempered(estimator(setting.architecture, probes=probes, **training(setting)), setting)


def training(setting: AttackContext) -> dict[str, Any]:
    """Return how a meta-network is trained on so many models.

    With few models it is the number of steps that is short; with many, half as many steps of twice
    the rate do as well.
    """
    batch_size = 16 if setting.n_models <= FEW_MODELS else 32
    learning_rate = 1e-2
    if setting.n_models >= MANY_MODELS:
        batch_size, learning_rate = 64, 2e-2
    return {
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "device": setting.device,
        "random_state": setting.seed,
        "verbose": setting.verbose,
    }


def tempered(network: Any, setting: AttackContext) -> Any:
    """Return a meta-network with the probabilities of a classifier tempered."""
    return TemperatureScaled(network, setting.seed) if setting.is_classifier else network


def build_sorted(setting: AttackContext) -> Pipeline:
    """Return a meta-estimator of weights whose units were aligned."""
    return make_pipeline(SortedWeights(setting.architecture), meta_estimator(setting))


def build_statistics(setting: AttackContext) -> Pipeline:
    """Return a meta-estimator of statistics of each layer."""
    return make_pipeline(WeightStatistics(setting.architecture), meta_estimator(setting))


def build_autoencoder(setting: AttackContext) -> Pipeline:
    """Return a meta-estimator of the embedding of an autoencoder, which is kept if it is fitted."""
    given = setting.autoencoder
    if given is None:
        embedding = small_autoencoder(setting)
    elif is_fitted(given):
        n_weights = getattr(given, "n_features_in_", setting.n_columns)
        if n_weights != setting.n_columns:
            raise InvalidInputError(
                f"X has {setting.n_columns} columns, but autoencoder was fitted to {n_weights}"
            )
        embedding = given if isinstance(given, FrozenEstimator) else FrozenEstimator(given)
    else:
        embedding = clone(given)
    return make_pipeline(embedding, meta_estimator(setting))


def small_autoencoder(setting: AttackContext) -> Any:
    """Return an autoencoder that is trained in seconds on a thousand small models.

    It starts from the optimal linear code of aligned weights; ten epochs from there, with the
    models' behavior in the loss or without it, took ten times as long and read no more.
    """
    from ..autoencoder import WeightSpaceAutoencoder

    return WeightSpaceAutoencoder(
        setting.architecture,
        beta=1.0,
        gamma=0.0,
        d_model=32,
        n_layers=1,
        n_heads=2,
        epochs=1,
        device=setting.device,
        random_state=setting.seed,
        verbose=setting.verbose,
    )


def is_fitted(estimator: Any) -> bool:
    """Tell whether an estimator has been fitted."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
