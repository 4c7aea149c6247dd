"""What an adversary holds likely before it sees a model: distributions, and a property of them.

Training sets are drawn in ``_draws``; what the prior alone tells is reckoned in ``_game``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._random import draw_seeds, resolve_random_state
from ...distributions import DistributionFamily, Interval
from ...distributions._base import Sample
from ...distributions._properties import class_array
from ...exceptions import InvalidInputError, UnsupportedModuleError
from ._losses import NAMED

MOST_CLASSES = 100  # an int that takes more values is taken for a number by mistake
N_DRAWS = 10_000  # from which the prior's own risk is estimated, to about one part in a hundred


class DrawnFamily(DistributionFamily):
    """Distributions that a function draws, each named by the seed that it is drawn with.

    Parameters
    ----------
    draw : callable
        From a numpy Generator to a distribution: an object with ``sample(n_samples,
        random_state)``, or a function of the two.
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
                f"prior drew a {type(distribution).__name__}; wanted an object with "
                "sample(n_samples, random_state), or a function of the two"
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
        From a distribution to what the adversary wants to know of it; None takes the value itself.
    """

    family: DistributionFamily
    property_of: Callable[[Any], Any] | None = None

    def read(self, values: np.ndarray) -> np.ndarray:
        """Return the property of each distribution, ``(n,)`` or ``(n, n_properties)``."""
        if self.property_of is None:
            return values
        named = [tuple(v) if isinstance(v, list) else v for v in values.tolist()]
        if isinstance(self.family, DrawnFamily):
            named = [self.family.distribution(value) for value in named]
        found = [self.property_of(value) for value in named]
        try:
            array = np.asarray(found)
        except ValueError:  # of several shapes
            return class_array(tuple(found))
        return class_array(tuple(found)) if isinstance(found[0], tuple) else array

    def draw(self, n_values: int, random_state: Any) -> np.ndarray:
        """Draw distributions and return their property."""
        return self.read(self.family.draw_properties(n_values, random_state))


def make_prior(given: Any, property_of: Any, name: str = "prior") -> Prior:
    """Return a prior over a family, or over what a function draws."""
    if property_of is not None and not callable(property_of):
        raise InvalidInputError(f"property_of={property_of!r}; wanted a function")
    if isinstance(given, DistributionFamily):
        return Prior(given, property_of)
    if not callable(given):
        raise UnsupportedModuleError(
            f"{name} is a {type(given).__name__}; wanted a DistributionFamily, or a function that "
            "draws a distribution from a numpy Generator"
        )
    if property_of is None:
        raise InvalidInputError(f"property_of=None, but {name} is a function; wanted a function")
    return Prior(DrawnFamily(given), property_of)


def classes_of(prior: Prior, loss: Any, draws: np.ndarray) -> tuple | None:
    """Return the classes that a property takes, or None where it is a number, or several.

    Parameters
    ----------
    prior : Prior
    loss : str or callable
        Of the named ones, which of the two it is; otherwise numbers are floats.
    draws : ndarray
        Many draws from the prior.
    """
    values = prior.family.property_values
    own = values if prior.property_of is None and isinstance(values, tuple) else None
    named = NAMED.get(loss) if isinstance(loss, str) else None
    is_class = named if named is not None else own is not None or draws.dtype.kind != "f"
    if not is_class:
        if draws.dtype.kind not in "biuf" or draws.ndim > 2:
            raise InvalidInputError(
                f"loss={loss!r} is of numbers, but the property is {draws.tolist()[0]!r}"
            )
        return None
    if own is not None:
        return own
    if draws.ndim > 1 or (prior.property_of is None and draws.dtype.kind == "f"):
        raise InvalidInputError(
            f"loss={loss!r} is of classes, but the property is {draws.tolist()[0]!r}; wanted one "
            "of a few values"
        )
    found = tuple(sorted(set(draws.tolist())))
    if len(found) > MOST_CLASSES:
        raise InvalidInputError(
            f"property_of gave {len(found)} classes, {found[0]!r} one of them; wanted at most "
            f"{MOST_CLASSES}, or numbers: floats, or a loss of numbers"
        )
    if len(found) < 2:
        raise InvalidInputError(
            f"property_of gave {found} for all draws; wanted two values or more"
        )
    return found
