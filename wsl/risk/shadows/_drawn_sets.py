"""Training sets of an audit, drawn from a family by seeds when they are used."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._random import draw_seeds
from ...distributions import DistributionFamily
from .._input_checks import check_sample


@dataclass(frozen=True, eq=False)
class DrawnSets:
    """The data sets of a population, one per model, drawn anew and the same at each access.

    Attributes
    ----------
    family : DistributionFamily
    properties : ndarray of shape (n_models,) or (n_models, n_properties)
        Value of the property under which each data set is drawn.
    n_samples : int
        Rows per data set.
    seeds : ndarray of shape (n_models,), int
    """

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
        check_sample(sample, self.family, self.n_samples)
        return sample

    def part(self, models: range) -> "DrawnSets":
        """Return the data sets of some models, which are numbered from 0."""
        rows = slice(models.start, models.stop)
        return replace(self, properties=self.properties[rows], seeds=self.seeds[rows])


TestSet = tuple[np.ndarray, np.ndarray]
TestSets = dict[str, DrawnSets | TestSet]  # by name: a set per model, or one for all


def draw_sets(family: DistributionFamily, n_models: int, n_samples: int, seed: int) -> DrawnSets:
    """Draw a value of the property and a seed per model.

    With one seed, the first models are the same whatever their number.
    """
    values, data = np.random.SeedSequence(seed).spawn(2)
    rng, properties = np.random.default_rng(values), family.property_values
    n_classes = len(properties) if isinstance(properties, tuple) else n_models
    blocks = [family.draw_properties(n_classes, rng) for _ in range(-(-n_models // n_classes))]
    return DrawnSets(
        family, np.concatenate(blocks)[:n_models], n_samples, draw_seeds(data, n_models)
    )


def redraw_sets(
    drawn_sets: DrawnSets, seed: int, family: DistributionFamily | None = None
) -> DrawnSets:
    """Return other data sets at the same values of the property, perhaps of another family."""
    return replace(
        drawn_sets, family=family or drawn_sets.family, seeds=draw_seeds(seed, len(drawn_sets))
    )


def draw_test_sets(test_sets: dict[str, Any], drawn_sets: DrawnSets, seed: int) -> TestSets:
    """Return test sets by name, one per model where a family is given, at the model's property."""
    return {
        name: redraw_sets(drawn_sets, seed, test) if isinstance(test, DistributionFamily) else test
        for name, test in test_sets.items()
    }
