"""The queries of an adversary: the inputs for which it observes the models' responses."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._random import draw_seed, resolve_random_state
from ...distributions import DistributionFamily
from ...distributions._table_rows import concatenate_rows, draw_marginals, take_rows
from ...exceptions import InvalidInputError
from .._input_checks import check_query_rows
from ._drawn_sets import draw_sets

N_QUERY_VALUES = 16  # values of a continuous property among which the queries are divided


@dataclass(frozen=True, eq=False)
class QuerySet:
    """Queries, with what is known of the distribution that they were drawn from.

    Attributes
    ----------
    rows : ndarray or DataFrame of shape (n_queries, n_features)
    labels : ndarray of shape (n_queries,) or None
        The target y that was drawn with each row.
    properties : ndarray of shape (n_queries,) or (n_queries, n_properties), or None
        The property of the distribution that each row was drawn from.
    """

    rows: Any
    labels: np.ndarray | None = None
    properties: np.ndarray | None = None


def resolve_queries(
    queries: Any, family: DistributionFamily, n_queries: int, seed: int
) -> QuerySet:
    """Return queries from what ``Adversary.queries`` may be: "family", "random" or rows."""
    if not isinstance(queries, str):
        return QuerySet(check_query_rows(queries, "adversary.queries"))
    if queries not in ("family", "random"):
        raise InvalidInputError(
            "`adversary.queries` must be 'family', 'random', an array or a DataFrame; got "
            f"{queries!r}."
        )
    try:
        drawn = draw_queries(family, n_queries, seed)
    except InvalidInputError as error:
        raise InvalidInputError(
            f"`adversary.n_queries` rows must be drawn from the family; got {n_queries}, which "
            f"fails: {error}"
        ) from error
    if queries == "family":
        return drawn
    rows = check_query_rows(drawn.rows, "X of the family")
    return QuerySet(draw_marginals(rows, len(rows), np.random.default_rng(seed)))


def draw_queries(family: DistributionFamily, n_queries: int, seed: int) -> QuerySet:
    """Draw rows with their targets, in equal numbers per class or from 16 values."""
    values = family.property_values
    n_values = len(values) if isinstance(values, tuple) else N_QUERY_VALUES
    rng = resolve_random_state(seed)
    n_of_each = -(-n_queries // n_values)
    drawn_sets = draw_sets(family, n_values, n_of_each, draw_seed(rng))
    samples = [drawn_sets(index) for index in range(n_values)]
    properties = drawn_sets.properties.repeat(n_of_each, axis=0)
    # one row of each value in turn, so that values are in balance whatever is cut off
    turns = np.concatenate([np.arange(len(X)) for X, *_ in samples])
    order = turns.argsort(kind="stable")[:n_queries][rng.permutation(n_queries)]
    return QuerySet(
        take_rows(concatenate_rows([X for X, *_ in samples]), order),
        np.concatenate([y for _, y, *_ in samples])[order],
        properties[order],
    )
