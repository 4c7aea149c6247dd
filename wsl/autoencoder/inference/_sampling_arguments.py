"""What the arguments of ``WeightSpaceAutoencoder.sample`` may be, alone and together.

Nothing is drawn from them here.
"""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_array

from ..._validation import check_length
from ...architectures import Architecture
from ...exceptions import InvalidInputError
from ._sampling import SAMPLING_METHODS


def check_counts(n_models, method, bandwidth, n_candidates, n_steps) -> int:
    """Return how many models to draw."""
    if method not in SAMPLING_METHODS:
        raise InvalidInputError(f"method={method!r}; wanted one of {SAMPLING_METHODS}")
    _check_count(n_models, 1, "n_models")
    _check_count(n_steps, 0, "n_steps")
    if bandwidth is not None and not bandwidth >= 0:
        raise InvalidInputError(f"bandwidth={bandwidth!r}; wanted a number of at least 0, or None")
    if n_candidates is None:
        return int(n_models)
    _check_count(n_candidates, int(n_models), "n_candidates")
    return int(n_candidates)


def check_data(
    architecture: Architecture | None, fitted_queries, queries, labels, method, n_candidates
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return queries ``(n_queries, n_features)`` and their labels; None where none are used."""
    user = f"method={method!r}" if method == "ensemble" else f"n_candidates={n_candidates}"
    if labels is not None and n_candidates is None:
        raise InvalidInputError("labels are to choose models by; wanted n_candidates= with them")
    if method != "ensemble" and n_candidates is None:
        if queries is not None:
            raise InvalidInputError(
                "queries are for method='ensemble' and for choosing among n_candidates; wanted one"
            )
        return None, None
    if labels is not None and queries is None:
        raise InvalidInputError("labels were given without their queries; wanted both")
    queries = fitted_queries if queries is None else queries
    if isinstance(queries, Mapping):
        queries = np.concatenate(list(queries.values()))
    if architecture is None or queries is None:
        raise InvalidInputError(
            f"{user} runs models, but there is no architecture or no queries; wanted both"
        )
    queries = check_array(queries, dtype=np.float32, allow_nd=True, input_name="queries")
    queries = queries.reshape(len(queries), -1)
    if queries.shape[1] != architecture.n_inputs:
        raise InvalidInputError(
            f"queries has {queries.shape[1]} features, but the architecture takes "
            f"{architecture.n_inputs}"
        )
    if labels is not None:
        labels = np.asarray(labels)
        check_length(labels, len(queries), "labels", "queries")
    return queries, labels


def _check_count(value, least: int, name: str) -> None:
    if not isinstance(value, Integral) or value < least:
        raise InvalidInputError(f"{name}={value!r}; wanted an int of at least {least}")
