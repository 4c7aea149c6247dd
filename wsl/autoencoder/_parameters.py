"""The parameters of ``WeightSpaceAutoencoder``: constraints, and what a fit resolves them to."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

from .._device import resolve_device
from .._queries import check_query_sets
from .._sklearn_compat import Interval, StrOptions
from .._validation import check_n_columns, owned_tensor
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from .codes._fit_code import CodeConfig
from .losses._losses import BEHAVIORAL_LOSSES
from .losses._query_sets import QuerySets
from .network._autoencoder_objective import LossWeights
from .network._network import NetworkSize
from .network._training import AutoencoderTrainingConfig, sets_learning_rate
from .tokens._tokens import TokenLayout, token_layout

HELD_OUT = 0.1  # of the rows, where callbacks may monitor a validation loss

_FRACTION = [Interval(Real, 0, 1, closed="both")]
_COUNT = [Interval(Integral, 1, None, closed="left")]
_COUNT_OR_ZERO = [Interval(Integral, 0, None, closed="left")]

PARAMETER_CONSTRAINTS: dict[str, list] = {
    "architecture": [Architecture, None],
    "queries": ["array-like", dict, None],
    "gamma": _FRACTION,
    "beta": _FRACTION,
    "behavioral_loss": [StrOptions(set(BEHAVIORAL_LOSSES))],
    "n_queries": _COUNT,
    "code": [StrOptions({"auto", "linear", "responses"})],
    "latent_dim": [*_COUNT, "array-like"],
    "d_model": _COUNT,
    "n_layers": _COUNT,
    "n_heads": _COUNT,
    "token_size": [*_COUNT, None],
    "permutations": ["boolean"],
    "align": ["boolean", StrOptions({"importance", "reference"}), None],
    "epochs": _COUNT_OR_ZERO,
    "batch_size": _COUNT,
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "validation_fraction": [Interval(Real, 0, 1, closed="left"), None],
    "callbacks": [list, tuple, None],
    "warm_start": ["boolean"],
    "checkpoint": [str, os.PathLike, None],
    "refine_steps": _COUNT_OR_ZERO,
    "device": [str, torch.device],
    "random_state": ["random_state", np.random.Generator],
    "verbose": ["verbose"],
}


# parameters of what a continued fit keeps: token layout, normalization, code and network
STRUCTURAL = (
    "architecture", "code", "latent_dim", "d_model", "n_layers", "n_heads", "token_size",
    "permutations", "align",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class FitConfig:
    """What a fit does, resolved from the parameters of an estimator and the rows.

    Parameters
    ----------
    architecture : Architecture or None
        What a row means.
    queries : QuerySets or None
        Inputs of the behavioral loss; None where it is off.
    layout : TokenLayout
        Rows to tokens.
    align : bool or str
        The order of units, as the estimator takes it.
    permuted : bool
        Whether copies with permuted units are shown in training.
    code : CodeConfig
        The closed-form code.
    network : NetworkSize
        The network around it.
    weighting : LossWeights
        Weights of the losses.
    behavioral_loss : str
        How outputs are compared.
    n_queries : int
        Queries per step.
    training : AutoencoderTrainingConfig
        How the network is trained.
    validation_fraction : float
        Fraction of the rows held out of training.
    rescales : bool
        Whether a continued fit fits the scales of the losses again.
    device : torch.device
        Where it is trained.
    checkpoint : path or None
        File of the state after each epoch.
    structure : mapping
        The values of the ``STRUCTURAL`` parameters.
    """

    architecture: Architecture | None
    queries: QuerySets | None
    layout: TokenLayout
    align: bool | str
    permuted: bool
    code: CodeConfig
    network: NetworkSize
    weighting: LossWeights
    behavioral_loss: str
    n_queries: int
    training: AutoencoderTrainingConfig
    validation_fraction: float
    rescales: bool
    device: torch.device
    checkpoint: str | os.PathLike | None
    structure: Mapping[str, Any]


def resolve_fit(estimator: Any, X: np.ndarray, one_epoch: bool) -> FitConfig:
    """Return what a fit does; ``one_epoch`` is a ``partial_fit``.

    Raises
    ------
    InvalidInputError
        If parameters do not go together, or do not fit the rows ``(n_models, n_weights)``.
    UnsupportedModuleError
        If the symmetries of the architecture are needed and not known.
    """
    architecture = estimator.architecture
    align = estimator.permutations if estimator.align is None else estimator.align
    sets = _check_architecture(estimator, X, align is not False or estimator.permutations)
    _check_together(estimator)
    layout = token_layout(architecture, X.shape[1], estimator.token_size)
    latent_dim = check_latent_dim(estimator.latent_dim)
    callbacks = tuple(estimator.callbacks or ())
    fraction = estimator.validation_fraction
    if fraction is None:
        fraction = HELD_OUT if callbacks else 0.0
    return FitConfig(
        architecture=architecture,
        queries=None if sets is None else QuerySets([owned_tensor(one) for one in sets]),
        layout=layout,
        align=align,
        permuted=estimator.permutations and has_symmetries(architecture),
        code=CodeConfig(
            is_activation_aware(estimator.code, layout, architecture, sets),
            layout.n_latents(latent_dim),
            estimator.beta,
        ),
        network=NetworkSize(estimator.d_model, estimator.n_layers, estimator.n_heads),
        weighting=LossWeights(estimator.gamma, estimator.beta),
        behavioral_loss=estimator.behavioral_loss,
        n_queries=estimator.n_queries,
        training=AutoencoderTrainingConfig(
            epochs=1 if one_epoch else estimator.epochs,
            batch_size=estimator.batch_size,
            learning_rate=estimator.learning_rate,
            decays=not one_epoch and not sets_learning_rate(callbacks),
            callbacks=callbacks,
            verbose=int(estimator.verbose),
        ),
        validation_fraction=0.0 if one_epoch else fraction,
        rescales=not one_epoch,
        device=resolve_device(estimator.device),
        checkpoint=None if one_epoch else estimator.checkpoint,
        structure={name: getattr(estimator, name) for name in STRUCTURAL}
        | {"latent_dim": latent_dim},
    )


def _check_architecture(estimator: Any, X: np.ndarray, symmetric: bool) -> list[np.ndarray] | None:
    """Return the sets of queries of the behavioral loss, or None where it is off."""
    architecture, queries, beta = estimator.architecture, estimator.queries, estimator.beta
    if architecture is None:
        if queries is not None:
            raise InvalidInputError(
                "`queries` needs an architecture that runs on them; got architecture=None."
            )
        return None
    check_n_columns(X, architecture.n_weights, "X")
    if symmetric:
        _ = architecture.permutation_groups  # raises where they are not known
    if queries is None:
        if beta < 1:
            raise InvalidInputError(
                f"`queries` must be inputs of the models, {architecture.n_inputs} columns, as "
                f"beta={beta} compares behavior; got None. Pass beta=1 to compare weights alone."
            )
        return None
    sets = check_query_sets(queries, architecture)
    return list(sets.values()) if beta < 1 else None


def _check_together(estimator: Any) -> None:
    if estimator.d_model % estimator.n_heads:
        raise InvalidInputError(
            f"`d_model` must be a multiple of n_heads={estimator.n_heads}; got {estimator.d_model}."
        )
    if estimator.checkpoint is not None and not isinstance(
        estimator.random_state, (int, np.integer)
    ):
        raise InvalidInputError(
            "`random_state` must be an int, so that a fit can resume from `checkpoint`; got "
            f"{estimator.random_state!r}."
        )


def check_latent_dim(latent_dim: int | Sequence[int]) -> int | list[int]:
    """Return one int, or one per layer, none negative and not all zero."""
    if isinstance(latent_dim, Integral):
        return int(latent_dim)
    sizes = np.asarray(latent_dim)
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (sizes < 0).any() or not sizes.any():
        raise InvalidInputError(
            "`latent_dim` must be an int of at least 1, or one int of at least 0 per layer, not "
            f"all 0; got {latent_dim!r}."
        )
    return sizes.tolist()


def is_activation_aware(
    code: str,
    layout: TokenLayout,
    architecture: Architecture | None,
    queries: Sequence[np.ndarray] | None,
) -> bool:
    """Return True if the code is fitted to responses, for which models run layer by layer.

    Raises InvalidInputError where that is requested and not possible.
    """
    if architecture is None or queries is None:
        missing = "an architecture, queries and beta below 1"
    elif architecture.forward_pass.plan is None:
        missing = "an architecture whose layers can be run one by one"
    elif layout.splits_units:
        missing = f"whole units as tokens; got token_size={layout.token_size}"
    else:
        return code != "linear"
    if code == "responses":
        raise InvalidInputError(
            f"code='responses' needs {missing}. Pass code='auto' to use it only where possible."
        )
    return False


def check_same_structure(estimator: Any, structure: Mapping[str, Any]) -> None:
    """Raise InvalidInputError if a structural parameter has changed since the first fit."""
    for name in STRUCTURAL:
        fitted, current = structure[name], getattr(estimator, name)
        if fitted is not current and not np.array_equal(fitted, current):
            raise InvalidInputError(
                f"`{name}` must stay {fitted!r}, as the fit continues with the same code and "
                f"network; got {current!r}. Start anew with warm_start=False, or clone the "
                "estimator before `partial_fit`."
            )


def has_symmetries(architecture: Architecture | None) -> bool:
    """Return True if hidden units of the architecture can be permuted."""
    return architecture is not None and len(architecture.permutation_groups) > 0
