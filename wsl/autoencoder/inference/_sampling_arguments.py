"""The checked arguments of ``WeightSpaceAutoencoder.sample``."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from ..._queries import check_query_sets
from ..._validation import check_length
from ...architectures import Architecture
from ...exceptions import InvalidInputError
from ._sampling import SAMPLING_METHODS


@dataclass(frozen=True, eq=False)
class SamplingRequest:
    """What is sampled.

    Parameters
    ----------
    n_models : int
        Models that are returned.
    method : str
        One of ``SAMPLING_METHODS``.
    bandwidth : float or None
        Bandwidth of a kernel density.
    n_steps : int
        Steps of descent of ``"ensemble"``.
    n_candidates : int or None
        Models that are drawn, if the best of them are chosen.
    queries : ndarray ``(n_queries, n_inputs)`` or None
        Inputs of the models; None where none are run.
    labels : ndarray ``(n_queries,)`` or None
        Labels of the queries.
    """

    n_models: int
    method: str
    bandwidth: float | None
    n_steps: int
    n_candidates: int | None
    queries: np.ndarray | None = None
    labels: np.ndarray | None = None

    @property
    def n_drawn(self) -> int:
        """Models that are drawn."""
        return self.n_models if self.n_candidates is None else self.n_candidates


def check_sampling(
    n_models,
    method,
    bandwidth,
    n_candidates,
    n_steps,
    queries,
    labels,
    architecture: Architecture | None,
    fitted_queries,
) -> SamplingRequest:
    """Return the checked request; raise InvalidInputError if an argument is wrong."""
    if method not in SAMPLING_METHODS:
        raise InvalidInputError(f"`method` must be {one_of(SAMPLING_METHODS)}; got {method!r}.")
    check_count(n_models, 1, "n_models")
    check_count(n_steps, 0, "n_steps")
    if bandwidth is not None and not bandwidth >= 0:
        raise InvalidInputError(
            f"`bandwidth` must be None or a number of at least 0; got {bandwidth!r}."
        )
    if n_candidates is not None:
        check_count(n_candidates, int(n_models), "n_candidates")
    if method == "ensemble" or n_candidates is not None:
        queries, labels = _check_data(n_candidates, queries, labels, architecture, fitted_queries)
    elif queries is not None:
        raise InvalidInputError(
            "`queries` is only used with method='ensemble' or together with `n_candidates`; got "
            f"method={method!r} and n_candidates=None."
        )
    if labels is not None and n_candidates is None:
        raise InvalidInputError(
            "`labels` is only used together with `n_candidates`; got n_candidates=None."
        )
    return SamplingRequest(
        int(n_models), method, bandwidth, int(n_steps), n_candidates, queries, labels
    )


def _check_data(
    n_candidates, queries, labels, architecture: Architecture | None, fitted_queries
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return queries ``(n_queries, n_inputs)`` and their labels, for models that are run."""
    if labels is not None and queries is None:
        raise InvalidInputError("`labels` needs the `queries` that it labels; got queries=None.")
    queries = fitted_queries if queries is None else queries
    if architecture is None or queries is None:
        used = "method='ensemble'" if n_candidates is None else "`n_candidates`"
        raise InvalidInputError(
            f"{used} runs models, which needs an architecture and queries; got "
            f"architecture={architecture!r} and queries={queries!r}."
        )
    queries = np.concatenate(list(check_query_sets(queries, architecture).values()))
    if labels is not None:
        labels = np.asarray(labels)
        check_length(labels, len(queries), "labels", "queries")
    return queries, labels


def one_of(names: Sequence[str]) -> str:
    """Return a list of choices as words."""
    return "one of " + ", ".join(map(repr, names))


def check_count(value, least: int, name: str) -> None:
    if not isinstance(value, Integral) or value < least:
        raise InvalidInputError(f"`{name}` must be an int of at least {least}; got {value!r}.")
