"""Building the estimators of white-box strategies, which read weights."""

from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from ..exceptions import InvalidInputError
from ..features import SortedWeights, WeightStatistics
from ._attack_context import AttackContext, resolve_meta_estimator
from .meta_classifiers._temperature_scaling import TemperatureScaled
from .meta_networks._deepsets import DeepSetsClassifier, DeepSetsRegressor
from .meta_networks._probes import ProbeClassifier, ProbeRegressor

FEW_MODELS, MANY_MODELS = 512, 1024


def build_deepsets(context: AttackContext) -> Any:
    """Return a DeepSets estimator of rows of weights."""
    estimator = DeepSetsClassifier if context.is_classifier else DeepSetsRegressor
    return calibrated(estimator(context.architecture, **training_parameters(context)), context)


def build_probes(context: AttackContext) -> Any:
    """Return a network on responses to learned probes, which start at the queries if given."""
    estimator = ProbeClassifier if context.is_classifier else ProbeRegressor
    probes = None if context.architecture is None else context.queries
    parameters = training_parameters(context)
    return calibrated(estimator(context.architecture, probes=probes, **parameters), context)


def training_parameters(context: AttackContext) -> dict[str, Any]:
    """Return the training parameters of a meta-network for this number of shadow models.

    Few models give few steps per epoch, so batches are small; with many models half as many steps
    at twice the rate do as well.
    """
    batch_size = 16 if context.n_models <= FEW_MODELS else 32
    learning_rate = 1e-2
    if context.n_models >= MANY_MODELS:
        batch_size, learning_rate = 64, 2e-2
    return {
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "device": context.device,
        "random_state": context.seed,
        "verbose": context.verbose,
    }


def calibrated(network: Any, context: AttackContext) -> Any:
    """Return a meta-network, a classifier with temperature-scaled probabilities."""
    return TemperatureScaled(network, context.seed) if context.is_classifier else network


def build_sorted(context: AttackContext) -> Pipeline:
    """Return a meta-estimator of weights with hidden units in canonical order."""
    return make_pipeline(SortedWeights(context.architecture), resolve_meta_estimator(context))


def build_statistics(context: AttackContext) -> Pipeline:
    """Return a meta-estimator of the statistics of each layer."""
    return make_pipeline(WeightStatistics(context.architecture), resolve_meta_estimator(context))


def build_autoencoder(context: AttackContext) -> Pipeline:
    """Return a meta-estimator of an autoencoder's embedding; a fitted autoencoder is kept."""
    autoencoder = context.autoencoder
    if autoencoder is None:
        embedding = small_autoencoder(context)
    elif is_fitted(autoencoder):
        n_weights = getattr(autoencoder, "n_features_in_", context.n_columns)
        if n_weights != context.n_columns:
            raise InvalidInputError(
                f"X must have {n_weights} columns, as `autoencoder` was fitted to; got "
                f"{context.n_columns}."
            )
        frozen = isinstance(autoencoder, FrozenEstimator)
        embedding = autoencoder if frozen else FrozenEstimator(autoencoder)
    else:
        embedding = clone(autoencoder)
    return make_pipeline(embedding, resolve_meta_estimator(context))


def small_autoencoder(context: AttackContext) -> Any:
    """Return an autoencoder that is trained in seconds on a thousand small models.

    It starts from the optimal linear code of aligned weights; further epochs and a behavioral loss
    took ten times as long without improving the attack.
    """
    from ..autoencoder import WeightSpaceAutoencoder

    return WeightSpaceAutoencoder(
        context.architecture,
        beta=1.0,
        gamma=0.0,
        d_model=32,
        n_layers=1,
        n_heads=2,
        epochs=1,
        device=context.device,
        random_state=context.seed,
        verbose=context.verbose,
    )


def is_fitted(estimator: Any) -> bool:
    """Return True if an estimator has been fitted."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
