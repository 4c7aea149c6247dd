"""What ``fit`` does: build the parts from an estimator's parameters, or go on, and train them.

How rows are checked and what an estimator remembers lives in ``_estimator``.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._device import resolve_device
from .._random import resolve_random_state, scoped_torch_seed, torch_generator
from .._validation import owned_tensor
from ..exceptions import InvalidInputError
from ._codec import Codec, NetworkSize, Symmetries
from ._parameters import check_architecture, check_latent_dim, check_pooling
from .network._autoencoder_objective import LossWeights
from .network._checkpoint import EpochCheckpoint, training_fingerprint
from .network._query_sets import QuerySets
from .network._training import AutoencoderTrainingConfig, WeightSpaceNet, n_steps_done, train
from .tokens._dataset import NormalizedRows


@dataclass(frozen=True)
class FitConfig:
    """What one call trains: for how long, on which schedule, with which share held out.

    ``rescales``: whether the scales of the losses are told anew from its rows.
    """

    epochs: int
    schedule: str
    held_out: float
    rescales: bool = True


def learn(
    estimator: Any, X: np.ndarray, lesson: FitConfig, before: tuple[Codec, WeightSpaceNet] | None
) -> tuple[Codec, WeightSpaceNet, np.ndarray]:
    """Train a codec on rows, and return it with its net and the rows' latents.

    Parameters
    ----------
    estimator : WeightSpaceAutoencoder
        Its parameters are read, each valid by itself.
    X : ndarray ``(n_models, n_weights)`` float32
    before : Codec and WeightSpaceNet, optional
        Training goes on from these.

    Raises
    ------
    InvalidInputError, UnsupportedModuleError
        Where parameters do not go together.
    """
    symmetries, queries = _check_together(estimator, X)
    device, rng = resolve_device(estimator.device), resolve_random_state(estimator.random_state)
    held_out = np.sort(rng.permutation(len(X))[: int(lesson.held_out * len(X))])
    training = np.setdiff1d(np.arange(len(X)), held_out)
    if before is None:
        codec, rows = _start(estimator, X, training, symmetries, queries, rng)
        previous = None
    else:
        codec, previous = before
        rows = NormalizedRows.enter(X, codec.layout, codec.frame).keep()
        codec.objective.weighting, codec.objective.queries = _weighting(estimator), queries
    if before is None or lesson.rescales:
        codec.fit_scales(rows, training, estimator.batch_size)
    settings = _settings(estimator, lesson)
    if codec.is_exact(rows):
        settings = replace(settings, epochs=0)
    checkpoint = None
    if estimator.checkpoint is not None:
        n_before = 0 if previous is None else n_steps_done(previous)
        parameters = estimator.get_params(deep=False)
        checkpoint = EpochCheckpoint(
            estimator.checkpoint, training_fingerprint(parameters, X, device, n_before)
        )
    net = train(
        codec.network, codec.objective, rows, held_out, settings, device, previous, checkpoint
    )
    codec.rest()
    return codec, net, codec.encode_all(rows, device).numpy()


def _check_together(estimator: Any, X: np.ndarray) -> tuple[Symmetries, QuerySets | None]:
    align = estimator.permutations if estimator.align is None else estimator.align
    symmetries = Symmetries(align, estimator.permutations)
    symmetric = symmetries.align is not False or symmetries.permuted
    sets = check_architecture(
        estimator.architecture, estimator.queries, estimator.beta, symmetric, X
    )
    check_pooling(estimator.pooling, estimator.architecture, estimator.queries)
    if estimator.d_model % estimator.n_heads:
        raise InvalidInputError(
            f"d_model={estimator.d_model} is no multiple of n_heads={estimator.n_heads}"
        )
    if estimator.checkpoint is not None and not isinstance(
        estimator.random_state, (int, np.integer)
    ):
        raise InvalidInputError(
            f"random_state={estimator.random_state!r} cannot be told again when a training goes on "
            "from a checkpoint; wanted an int"
        )
    return symmetries, None if sets is None else QuerySets([owned_tensor(one) for one in sets])


def _start(
    estimator: Any,
    X: np.ndarray,
    training: np.ndarray,
    symmetries: Symmetries,
    queries: QuerySets | None,
    rng: np.random.Generator,
) -> tuple[Codec, NormalizedRows]:
    size = NetworkSize(
        estimator.code,
        check_latent_dim(estimator.latent_dim),
        estimator.d_model,
        estimator.n_layers,
        estimator.n_heads,
        estimator.token_size,
    )
    generator = torch_generator(rng)
    with scoped_torch_seed(rng):
        return Codec.start(
            X, training, size, _weighting(estimator), estimator.architecture, queries, symmetries,
            generator,
        )  # fmt: skip


def _weighting(estimator: Any) -> LossWeights:
    return LossWeights(
        estimator.gamma,
        estimator.beta,
        estimator.temperature,
        estimator.behavioral_loss,
        estimator.n_queries,
        estimator.cycle_weight,
    )


def _settings(estimator: Any, lesson: FitConfig) -> AutoencoderTrainingConfig:
    return AutoencoderTrainingConfig(
        epochs=lesson.epochs,
        batch_size=estimator.batch_size,
        learning_rate=estimator.learning_rate,
        weight_decay=estimator.weight_decay,
        schedule=lesson.schedule,
        callbacks=estimator.callbacks or (),
        mixed_precision=estimator.mixed_precision,
        compiled=estimator.torch_compile,
        verbose=int(estimator.verbose),
    )
