"""The steps of a fit: order of units, normalization, code, network, training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from .._random import resolve_random_state, torch_generator
from ..exceptions import InvalidInputError
from ._codec import Codec
from ._parameters import FitConfig, has_symmetries
from .codes._activation_aware import ActivationAwareCode
from .codes._fit_code import Code, fit_code, sample_indices
from .losses._behavioral_loss import BehavioralLoss
from .network._autoencoder_objective import AutoencoderObjective
from .network._checkpoint import EpochCheckpoint, training_fingerprint
from .network._network import TokenAutoencoder
from .network._training import WeightSpaceNet, n_steps_done, train
from .tokens._dataset import NormalizedRows, Ordering, largest_row
from .tokens._normalization import Scaling
from .tokens._unit_order import Alignment, Ranking


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained codec, the net that trained it, and the latents of the rows it was fitted to."""

    codec: Codec
    net: WeightSpaceNet
    latents: np.ndarray


def fit_codec(
    X: np.ndarray, config: FitConfig, parameters: Mapping[str, Any], previous: Fitted | None = None
) -> Fitted:
    """Fit a codec to rows ``(n_models, n_weights)`` float32, or continue a fit.

    Parameters
    ----------
    X : ndarray
        The rows.
    config : FitConfig
        What the fit does.
    parameters : mapping
        Parameters of the estimator, by name: its seed, and what identifies the training.
    previous : Fitted, optional
        The fit that is continued.
    """
    rng = resolve_random_state(parameters["random_state"])
    held_out = np.sort(rng.permutation(len(X))[: int(config.validation_fraction * len(X))])
    training = np.setdiff1d(np.arange(len(X)), held_out)
    if previous is None:
        codec, rows = start_codec(X, training, config, rng)
    else:
        codec, rows = continue_codec(previous.codec, X, config)
    if previous is None or config.rescales:
        sampled = sample_indices(training, codec.objective.generator)
        batch_size = min(config.training.batch_size, len(training))
        codec.objective.fit_scales(rows.batches(sampled), batch_size)
    schedule = replace(config.training, epochs=0) if codec.is_exact(rows) else config.training
    net_before = None if previous is None else previous.net
    net = train(
        codec.network, codec.objective, rows, held_out, schedule, config.device, net_before,
        _checkpoint(X, config, parameters, net_before),
    )  # fmt: skip
    codec.rest()
    return Fitted(codec, net, codec.encode_all(rows, config.device).numpy())


def start_codec(
    X: np.ndarray, training: np.ndarray, config: FitConfig, rng: np.random.Generator
) -> tuple[Codec, NormalizedRows]:
    """Return a codec before training, and the normalized rows.

    Normalization and code are fitted to the rows with indices ``training``. Of several orders of
    units the one whose code has the least loss is used.
    """
    generator = torch_generator(rng)
    best: tuple[NormalizedRows, Code] | None = None
    least = np.inf
    for ordering in unit_orders(X, training, config):
        rows = NormalizedRows.fit(X, training, config.layout, ordering)
        behavior = _behavioral_loss(config, Scaling(rows.normalization), generator)
        code, loss = fit_code(config.code, config.layout, rows, training, behavior, generator)
        if best is None or loss < least:
            best, least = (rows, code), loss
    assert best is not None
    rows, code = best
    network = TokenAutoencoder(config.layout, code, config.network, torch_generator(rng))
    return _assemble(config, rows, network, generator), rows.cache()


def continue_codec(
    previous: Codec, X: np.ndarray, config: FitConfig
) -> tuple[Codec, NormalizedRows]:
    """Return a fitted codec with the losses of ``config``, and rows in its normalization."""
    rows = NormalizedRows.transform(X, previous.layout, previous.normalization).cache()
    codec = _assemble(config, rows, previous.network, previous.objective.generator)
    codec.objective.scales = previous.objective.scales
    return codec, rows


def unit_orders(X: np.ndarray, training: np.ndarray, config: FitConfig) -> Iterator[Ordering]:
    """Yield the orders of hidden units that are tried.

    The reference of an alignment is the row of largest norm: its units differ most from each other.
    Raises InvalidInputError where units are to be ranked and models cannot be run.
    """
    architecture, queries, align = config.architecture, config.queries, config.align
    if architecture is None or align is False:
        yield None
        return
    if align == "importance" and (queries is None or architecture.forward_pass.plan is None):
        raise InvalidInputError(
            "align='importance' needs queries, beta below 1 and an architecture whose layers can "
            "be run one by one. Pass align='reference' to align units without running models."
        )
    ranked = align is True and config.code.activation_aware and has_symmetries(architecture)
    if ranked or align == "importance":
        assert queries is not None
        yield Ranking(architecture, queries.few(architecture.forward_pass.activation_size))
    if align != "importance":
        yield Alignment(architecture, largest_row(X, training))


def _assemble(
    config: FitConfig, rows: NormalizedRows, network: TokenAutoencoder, generator: torch.Generator
) -> Codec:
    """Return the codec of a network, with its objective."""
    scaling = Scaling(rows.normalization)
    ordered = rows.normalization.ordering is not None
    objective = AutoencoderObjective(
        config.layout,
        scaling,
        config.weighting,
        config.architecture,
        _behavioral_loss(config, scaling, generator),
        config.permuted,
        ordered and isinstance(network.code, ActivationAwareCode),
        generator,
    )
    return Codec(
        config.layout,
        rows.normalization,
        network,
        objective,
        config.behavioral_loss,
        config.structure,
    )


def _behavioral_loss(
    config: FitConfig, scaling: Scaling, generator: torch.Generator
) -> BehavioralLoss | None:
    if config.architecture is None or config.queries is None:
        return None
    return BehavioralLoss(
        config.architecture,
        scaling,
        config.queries,
        config.behavioral_loss,
        config.n_queries,
        generator,
    )


def _checkpoint(
    X: np.ndarray,
    config: FitConfig,
    parameters: Mapping[str, Any],
    previous: WeightSpaceNet | None,
) -> EpochCheckpoint | None:
    if config.checkpoint is None:
        return None
    n_before = 0 if previous is None else n_steps_done(previous)
    decisive = {**parameters, "validation_fraction": config.validation_fraction}
    fingerprint = training_fingerprint(decisive, X, config.device, n_before)
    return EpochCheckpoint(config.checkpoint, fingerprint)
