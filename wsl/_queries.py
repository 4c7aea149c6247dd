"""Queries, the inputs on which models are compared: checks, named sets, the first of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .exceptions import InvalidInputError

N_COMPARED = 1000  # queries on which scores and features compare models, unless told otherwise


def check_query_sets(queries: Any, architecture: Any) -> dict[str, np.ndarray]:
    """Return each set of queries as float32 ``(n_queries, n_inputs)``, by its name.

    ``queries`` is an array, or a dict of arrays. Raises InvalidInputError if it is neither, is
    empty, or does not hold inputs of the architecture.
    """
    if isinstance(queries, Mapping) and not queries:
        raise InvalidInputError("`queries` must hold at least one set; got an empty dict.")
    return {name: check_query_array(one, architecture, name) for name, one in named_sets(queries)}


def check_query_array(queries: Any, architecture: Any, name: str = "queries") -> np.ndarray:
    """Return one set of queries as float32 ``(n_queries, n_inputs)``.

    They keep the axes of an input where the architecture has no ``input_shape``.
    """
    inputs = architecture.check_inputs(queries, name)
    if not len(inputs):
        raise InvalidInputError(f"`{name}` must hold at least one query; got none.")
    return inputs if architecture.input_shape is None else inputs.reshape(len(inputs), -1)


def named_sets(queries: Any) -> list[tuple[str, Any]]:
    """Return the sets of queries with what messages call them; one array is one set."""
    if isinstance(queries, Mapping):
        return [(f"queries[{key!r}]", one) for key, one in queries.items()]
    return [("queries", queries)]


def first_queries(queries: Any, n_queries: int = N_COMPARED) -> np.ndarray:
    """Return the first queries, ``n_queries`` at most; of several sets, as many of each."""
    sets = [np.asarray(one) for _, one in named_sets(queries)]
    sizes = set_sizes([len(one) for one in sets], n_queries)
    return np.concatenate([one[:size] for one, size in zip(sets, sizes, strict=True)])


def set_sizes(sizes: Sequence[int], n_queries: int) -> list[int]:
    """Return how many of ``n_queries`` come from each set: evenly, and at least 1 of each."""
    parts = [(n_queries + index) // len(sizes) for index in range(len(sizes))]  # of sum n_queries
    return [max(1, min(size, part)) for size, part in zip(sizes, parts, strict=True)]
