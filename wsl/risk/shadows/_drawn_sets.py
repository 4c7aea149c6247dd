"""Training sets and queries of an audit, drawn from a family by seeds.

Nothing is trained here.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._random import draw_seed, draw_seeds, resolve_random_state
from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError
from .._input_checks import check_numbers, check_sample

N_QUERY_VALUES = 16  # values of a numeric property among which the queries are divided


@dataclass(frozen=True, eq=False)
class DrawnSets:
    """The training sets of a population: from a model's index to its data, the same each time."""

    family: DistributionFamily
    properties: np.ndarray
    n_samples: int
    seeds: np.ndarray

    def __len__(self) -> int:
        return len(self.properties)

    def __call__(self, index: int) -> tuple[np.ndarray, ...]:
        """Return ``(X, y)`` or ``(X, y, environments)`` of one model."""
        value = self.properties[index]
        value = value.item() if isinstance(value, np.generic) else value
        sample = self.family.sample(value, self.n_samples, int(self.seeds[index]))
        check_sample(sample, self.family)
        return sample

    def part(self, models: range) -> "DrawnSets":
        """Return the draws of some models, numbered from 0."""
        own = slice(models.start, models.stop)
        return replace(self, properties=self.properties[own], seeds=self.seeds[own])


@dataclass(frozen=True, eq=False)
class QuerySet:
    """What models are asked.

    Attributes
    ----------
    rows : ndarray ``(n_queries, n_features)``
    labels : ndarray ``(n_queries,)`` or None
        The outcome y that was drawn with each row.
    properties : ndarray ``(n_queries,)`` or ``(n_queries, n_properties)``, or None
        The value of the property whose distribution it was drawn from.
    """

    rows: np.ndarray
    labels: np.ndarray | None = None
    properties: np.ndarray | None = None


def draw(family: DistributionFamily, n_models: int, n_samples: int, seed: int) -> DrawnSets:
    """Draw for each model a value of the property and the seed of its training set.

    The first of many models are those that fewer would be.
    """
    values, data = np.random.SeedSequence(seed).spawn(2)
    rng, properties = np.random.default_rng(values), family.property_values
    n_classes = len(properties) if isinstance(properties, tuple) else n_models
    blocks = [family.draw_properties(n_classes, rng) for _ in range(-(-n_models // n_classes))]
    return DrawnSets(
        family, np.concatenate(blocks)[:n_models], n_samples, draw_seeds(data, n_models)
    )


def redraw(draws: DrawnSets, seed: int, family: DistributionFamily | None = None) -> DrawnSets:
    """Return other samples at the same values of the property, of the same family or another."""
    return replace(draws, family=family or draws.family, seeds=draw_seeds(seed, len(draws)))


def find_queries(queries: Any, family: DistributionFamily, n_queries: int, seed: int) -> QuerySet:
    """Return the queries that ``audit`` was asked for: "family", "random", or rows."""
    if not isinstance(queries, str):
        return QuerySet(check_numbers(queries, "queries"))
    drawn = draw_queries(family, n_queries, seed)
    if queries == "family":
        return drawn
    if queries != "random":
        raise InvalidInputError(f'queries={queries!r}; wanted "family", "random", or an array')
    rows = check_numbers(drawn.rows, "queries of the family")
    noise = np.random.default_rng(seed).normal(size=rows.shape)
    return QuerySet((rows.mean(0) + rows.std(0) * noise).astype(rows.dtype))


def draw_queries(family: DistributionFamily, n_queries: int, seed: int) -> QuerySet:
    """Draw rows with their labels, in equal parts from each class or from 16 values."""
    values = family.property_values
    n_values = len(values) if isinstance(values, tuple) else N_QUERY_VALUES
    rng = resolve_random_state(seed)
    samples: list[tuple[np.ndarray, ...]] = []
    properties: list[np.ndarray] = []
    while (wanting := n_queries - sum(len(X) for X, *_ in samples)) > 0:
        # a family may give fewer than asked
        draws = draw(family, n_values, -(-wanting // n_values), draw_seed(rng))
        own = [draws(index) for index in range(n_values)]
        samples += own
        properties += [
            draws.properties[[i]].repeat(len(X), axis=0) for i, (X, *_) in enumerate(own)
        ]
    turns = np.concatenate([np.arange(len(X)) for X, *_ in samples])
    order = turns.argsort(kind="stable")[:n_queries][rng.permutation(n_queries)]
    return QuerySet(
        np.concatenate([X for X, *_ in samples])[order],
        np.concatenate([y for _, y, *_ in samples])[order],
        np.concatenate(properties)[order],
    )
