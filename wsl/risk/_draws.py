"""Training sets and queries of an audit, drawn from a family by seeds.

Nothing is trained here.
"""

from dataclasses import dataclass

import numpy as np

from .._random import draw_seed, draw_seeds, resolve_random_state
from ..distributions import DistributionFamily

N_QUERY_VALUES = 16  # values of a numeric property among which the queries are divided


@dataclass(frozen=True, eq=False)
class Draws:
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
        return self.family.sample(value, self.n_samples, int(self.seeds[index]))


def draw(family: DistributionFamily, n_models: int, n_samples: int, seed: int) -> Draws:
    """Draw for each model a value of the property and the seed of its training set."""
    values, data = np.random.SeedSequence(seed).spawn(2)
    return Draws(
        family, family.draw_properties(n_models, values), n_samples, draw_seeds(data, n_models)
    )


def redraw(draws: Draws, seed: int) -> Draws:
    """Return other samples of the same distributions."""
    return Draws(draws.family, draws.properties, draws.n_samples, draw_seeds(seed, len(draws)))


def draw_queries(family: DistributionFamily, n_queries: int, seed: int) -> np.ndarray:
    """Draw rows ``(n_queries, n_features)``, in equal parts from each class or from 16 values."""
    values = family.property_values
    n_values = len(values) if isinstance(values, tuple) else N_QUERY_VALUES
    rng = resolve_random_state(seed)
    drawn: list[np.ndarray] = []
    while (wanting := n_queries - sum(map(len, drawn))) > 0:  # a family may give fewer than asked
        draws = draw(family, n_values, -(-wanting // n_values), draw_seed(rng))
        drawn += [draws(index)[0] for index in range(n_values)]
    turns = np.concatenate([np.arange(len(X)) for X in drawn])
    rows = np.concatenate(drawn)[turns.argsort(kind="stable")[:n_queries]]
    return rows[rng.permutation(n_queries)]
