"""What the parameters of ``WeightSpaceAutoencoder`` may be, alone and together.

Nothing is computed from them here.
"""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils.validation import check_array

from .._sklearn_compat import Interval, StrOptions
from .._validation import check_n_columns
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._losses import BEHAVIORAL_LOSSES

_SHARE = [Interval(Real, 0, 1, closed="both")]
_COUNT = [Interval(Integral, 1, None, closed="left")]
_COUNT_OR_ZERO = [Interval(Integral, 0, None, closed="left")]

PARAMETER_CONSTRAINTS: dict[str, list] = {
    "architecture": [Architecture, None],
    "queries": ["array-like", None],
    "gamma": _SHARE,
    "beta": _SHARE,
    "behavioral_loss": [StrOptions(set(BEHAVIORAL_LOSSES))],
    "n_queries": _COUNT,
    "latent_dim": _COUNT,
    "d_model": _COUNT,
    "n_layers": _COUNT,
    "n_heads": _COUNT,
    "token_size": [*_COUNT, None],
    "permutations": ["boolean"],
    "temperature": [Interval(Real, 0, None, closed="neither")],
    "epochs": _COUNT_OR_ZERO,
    "batch_size": _COUNT,
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "callbacks": [list, tuple, None],
    "pooling": [StrOptions({"mean"}), None],
    "refine_steps": _COUNT_OR_ZERO,
    "device": [str, torch.device],
    "random_state": ["random_state", np.random.Generator],
    "verbose": ["verbose"],
}


def check_architecture(
    architecture: Architecture | None, queries, beta: float, permutations: bool, X: np.ndarray
) -> np.ndarray | None:
    """Return the queries to train on, ``(n_all_queries, ...)`` float32, or None for no such loss.

    Raises
    ------
    InvalidInputError
        If columns or queries do not fit the architecture, or one of the two is missing.
    UnsupportedModuleError
        If ``permutations`` are asked for and not known.
    """
    if architecture is None:
        if queries is not None:
            raise InvalidInputError("queries needs an architecture to run; got architecture=None")
        return None
    check_n_columns(X, architecture.n_weights, "X")
    if permutations:
        _ = architecture.permutation_groups  # raises where they are not known
    if queries is None:
        if beta < 1:
            raise InvalidInputError(
                f"queries is missing, but beta={beta} weighs behavior; wanted inputs with "
                f"{architecture.n_inputs} features, or beta=1"
            )
        return None
    queries = check_array(queries, dtype=np.float32, allow_nd=True, input_name="queries")
    n_features = int(np.prod(queries.shape[1:]))
    if n_features != architecture.n_inputs:
        raise InvalidInputError(
            f"queries has {n_features} features, but the architecture takes {architecture.n_inputs}"
        )
    return queries if beta < 1 else None
