"""Priors of a game: distributions, how likely each is, and the property that is inferred."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._random import draw_seeds, resolve_random_state
from ...distributions import DistributionFamily, Interval
from ...distributions._base import Sample
from ...distributions._properties import class_array
from ...exceptions import InvalidInputError, UnsupportedModuleError
from ._losses import IS_CLASS_LOSS

MAX_CLASSES = 100  # integers with more values are continuous, and were taken for classes
N_DRAWS = 10_000  # from which the risk of the prior is estimated, to about 1%


class DrawnFamily(DistributionFamily):
    """Distributions that a function draws, each identified by the seed that it is drawn with.

    Parameters
    ----------
    draw : callable
        From a numpy Generator to a distribution: an object with ``sample(n_samples,
        random_state)``, or a function of these two.
    """

    properties = Interval(0, 2**31)

    def __init__(self, draw: Callable[[np.random.Generator], Any]):
        self.draw = draw

    def distribution(self, value: Any) -> Any:
        """Return the distribution of a seed."""
        return self.draw(np.random.default_rng(int(value)))

    def draw_properties(self, n_values: int, random_state: Any = None) -> np.ndarray:
        """Draw seeds ``(n_values,)``."""
        return draw_seeds(random_state, n_values)

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`."""
        distribution = self.distribution(property_value)
        sampler = getattr(distribution, "sample", distribution)
        if not callable(sampler):
            raise InvalidInputError(
                "`prior` must draw objects with sample(n_samples, random_state), or functions of "
                f"these two; got a {type(distribution).__name__}."
            )
        return sampler(n_samples, resolve_random_state(random_state))

    def _summary(self) -> dict[str, object]:
        return {"draw": self.draw}


@dataclass(frozen=True)
class Prior:
    """A family to train on, and the property of each of its distributions.

    Parameters
    ----------
    family : DistributionFamily
    property_of : callable or None
        From a distribution to the property that is inferred; None is the family's own property.
    """

    family: DistributionFamily
    property_of: Callable[[Any], Any] | None = None

    def read_properties(self, values: np.ndarray) -> np.ndarray:
        """Return the property of each distribution, ``(n,)`` or ``(n, n_properties)``."""
        if self.property_of is None:
            return values
        distributions = [tuple(v) if isinstance(v, list) else v for v in values.tolist()]
        if isinstance(self.family, DrawnFamily):
            distributions = [self.family.distribution(value) for value in distributions]
        properties = [self.property_of(distribution) for distribution in distributions]
        if isinstance(properties[0], tuple):
            return class_array(tuple(properties))
        try:
            return np.asarray(properties)
        except ValueError:  # of several shapes
            return class_array(tuple(properties))

    def draw_properties(self, n_values: int, random_state: Any) -> np.ndarray:
        """Draw distributions and return their properties."""
        return self.read_properties(self.family.draw_properties(n_values, random_state))


def resolve_prior(prior: Any, property_of: Any, name: str = "prior") -> Prior:
    """Return a prior over the values of a family, or over distributions that a function draws."""
    if property_of is not None and not callable(property_of):
        raise InvalidInputError(f"`property_of` must be a function or None; got {property_of!r}.")
    if isinstance(prior, DistributionFamily):
        return Prior(prior, property_of)
    if not callable(prior):
        raise UnsupportedModuleError(
            f"`{name}` must be a DistributionFamily, or a function that draws a distribution from "
            f"a numpy Generator; got {prior!r}."
        )
    if property_of is None:
        raise InvalidInputError(
            f"`property_of` must be a function if `{name}` is a function; got None."
        )
    return Prior(DrawnFamily(prior), property_of)


def classes_of(prior: Prior, loss: Any, draws: np.ndarray) -> tuple | None:
    """Return the classes of a property, or None if it is continuous.

    Parameters
    ----------
    prior : Prior
    loss : str or callable
        A named loss says which of the two a property is; otherwise floats are continuous.
    draws : ndarray of shape (n_draws,) or (n_draws, n_properties)
        Many draws from the prior.
    """
    values = prior.family.property_values
    own_classes = values if prior.property_of is None and isinstance(values, tuple) else None
    is_class = IS_CLASS_LOSS.get(loss) if isinstance(loss, str) else None
    if is_class is None:
        is_class = own_classes is not None or draws.dtype.kind != "f"
    if not is_class:
        if draws.dtype.kind not in "biuf" or draws.ndim > 2:
            raise InvalidInputError(
                f"`loss` must suit a property with values such as {draws.tolist()[0]!r}; got "
                f"{loss!r}, which is for continuous properties."
            )
        return None
    if own_classes is not None:
        return own_classes
    if draws.ndim > 1 or (prior.property_of is None and draws.dtype.kind == "f"):
        raise InvalidInputError(
            f"`loss` must suit a property with values such as {draws.tolist()[0]!r}; got "
            f"{loss!r}, which is for one of a few classes."
        )
    return _distinct_classes(draws)


def _distinct_classes(draws: np.ndarray) -> tuple:
    """Return the values that a property takes; InvalidInputError for one or for too many."""
    classes = tuple(sorted(set(draws.tolist())))
    if len(classes) > MAX_CLASSES:
        raise InvalidInputError(
            f"`property_of` must return at most {MAX_CLASSES} classes, or floats for a continuous "
            f"property; got {len(classes)} classes, such as {classes[0]!r}."
        )
    if len(classes) < 2:
        raise InvalidInputError(
            f"`property_of` must return at least two values; got {classes} for all draws."
        )
    return classes
