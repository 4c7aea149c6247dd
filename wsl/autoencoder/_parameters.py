"""What the parameters of ``WeightSpaceAutoencoder`` may be, alone and together.

Nothing is computed from them here.
"""

import os
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils.validation import check_array

from .._sklearn_compat import Interval, StrOptions
from .._validation import check_n_columns
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from .network._losses import BEHAVIORAL_LOSSES

_SHARE = [Interval(Real, 0, 1, closed="both")]
_COUNT = [Interval(Integral, 1, None, closed="left")]
_COUNT_OR_ZERO = [Interval(Integral, 0, None, closed="left")]

PARAMETER_CONSTRAINTS: dict[str, list] = {
    "architecture": [Architecture, None],
    "queries": ["array-like", dict, None],
    "gamma": _SHARE,
    "beta": _SHARE,
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
    "cycle_weight": [Interval(Real, 0, None, closed="left")],
    "temperature": [Interval(Real, 0, None, closed="neither")],
    "epochs": _COUNT_OR_ZERO,
    "batch_size": _COUNT,
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "schedule": [StrOptions({"cosine", "constant"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "callbacks": [list, tuple, None],
    "warm_start": ["boolean"],
    "checkpoint": [str, os.PathLike, None],
    "mixed_precision": ["boolean"],
    "torch_compile": ["boolean"],
    "pooling": [StrOptions({"mean", "behavior"}), None],
    "refine_steps": _COUNT_OR_ZERO,
    "device": [str, torch.device],
    "random_state": ["random_state", np.random.Generator],
    "verbose": ["verbose"],
}


def check_architecture(
    architecture: Architecture | None, queries, beta: float, symmetric: bool, X: np.ndarray
) -> list[np.ndarray] | None:
    """Return the sets of queries to train on, each float32, or None for no such loss.

    Raises
    ------
    InvalidInputError
        If columns or queries do not fit the architecture, or one of the two is missing.
    UnsupportedModuleError
        If the symmetries are needed and not known.
    """
    if architecture is None:
        if queries is not None:
            raise InvalidInputError("queries needs an architecture to run; got architecture=None")
        return None
    check_n_columns(X, architecture.n_weights, "X")
    if symmetric:
        _ = architecture.permutation_groups  # raises where they are not known
    if queries is None:
        if beta < 1:
            raise InvalidInputError(
                f"queries is missing, but beta={beta} weighs behavior; wanted inputs with "
                f"{architecture.n_inputs} features, or beta=1"
            )
        return None
    sets = check_queries(queries, architecture)
    return sets if beta < 1 else None


def check_queries(queries, architecture: Architecture) -> list[np.ndarray]:
    """Return one array, or each of a dict of arrays, as ``(n_queries, n_features)`` float32.

    Raises InvalidInputError if features do not fit the architecture, or a dict is empty.
    """
    named = queries if isinstance(queries, Mapping) else {"": queries}
    if not named:
        raise InvalidInputError("queries is an empty dict; wanted an array by name of each set")
    sets = []
    for key, inputs in named.items():
        name = f"queries[{key!r}]" if key else "queries"
        inputs = check_array(inputs, dtype=np.float32, allow_nd=True, input_name=name)
        flat = inputs.reshape(len(inputs), -1)
        if flat.shape[1] != architecture.n_inputs:
            raise InvalidInputError(
                f"{name} has {flat.shape[1]} features, but the architecture takes "
                f"{architecture.n_inputs}"
            )
        sets.append(flat)
    return sets


def check_latent_dim(latent_dim) -> int | list[int]:
    """Return one size, or one for each layer, none negative and not all zero."""
    if isinstance(latent_dim, Integral):
        return int(latent_dim)
    sizes = np.asarray(latent_dim)
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (sizes < 0).any() or not sizes.any():
        raise InvalidInputError(
            f"latent_dim={latent_dim!r}; wanted an int of at least 1, or for each layer an int of "
            "at least 0, not all 0"
        )
    return sizes.tolist()


def check_pooling(pooling: str | None, architecture: Architecture | None, queries) -> None:
    """Raise InvalidInputError where answers are asked for and no models can be run."""
    if pooling == "behavior" and (architecture is None or queries is None):
        raise InvalidInputError(
            "pooling='behavior' runs models, but there is no architecture or no queries; "
            "wanted both"
        )
