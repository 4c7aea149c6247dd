"""``DistributionFamily``: a property value in, a training set out. The base of every family.

The families themselves, synthetic and real, live in the modules beside this one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError
from ._properties import Properties, check_properties, check_value, draw_values

Sample = tuple[np.ndarray, ...]


class DistributionFamily(ABC):
    """A family of data distributions, one for each value of a property.

    What an adversary wants to learn is the value; what it sees is a model trained on a sample. A
    family of one's own is a subclass with the attribute ``properties`` and the method ``sample``,
    or a plain function handed to :meth:`from_function`.

    Attributes
    ----------
    properties : tuple, Interval or list of Interval
        The values of the property: a tuple of classes, an :class:`~wsl.distributions.Interval` of
        numbers, or a list of intervals where the property is several numbers at once. A class may
        itself be a tuple, such as the shares of several groups.
    property_is_share : bool, default=False
        Whether the property is the share of a group among the rows: ``audit`` can then say how many
        rows, seen directly, would tell as much as a model.

    Notes
    -----
    A family is not changed by sampling: all randomness comes from ``random_state``. It can be
    pickled, since samples are drawn where models are trained.

    Examples
    --------
    >>> from wsl._random import resolve_random_state
    >>> from wsl.distributions import DistributionFamily
    >>> class ShiftedLine(DistributionFamily):
    ...     properties = (0, 1)
    ...
    ...     def sample(self, property_value, n_samples, random_state=None):
    ...         X = resolve_random_state(random_state).normal(property_value, 1, (n_samples, 1))
    ...         return X, 2 * X[:, 0]
    >>> X, y = ShiftedLine().sample(1, 100, random_state=0)
    >>> X.shape, y.shape
    ((100, 1), (100,))
    """

    properties: Properties
    property_is_share = False

    @abstractmethod
    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set.

        Parameters
        ----------
        property_value : object
            One of ``properties``.
        n_samples : int
        random_state : int, Generator, RandomState, SeedSequence or None

        Returns
        -------
        X : ndarray ``(n_samples, n_features)``
        y : ndarray ``(n_samples,)``
        environments : ndarray ``(n_samples,)`` of int, only from families that have environments

        Raises
        ------
        InvalidInputError
            If ``property_value`` is none of the family's, or ``n_samples`` cannot be met.
        """

    @classmethod
    def from_function(
        cls, function: Callable[..., Sample], properties: Any
    ) -> "DistributionFamily":
        """Return a family that samples with ``function(property_value, n_samples, random_state)``.

        Parameters
        ----------
        function : callable
            Returns ``(X, y)`` or ``(X, y, environments)``. It pickles if it has a name in a module.
        properties : tuple, Interval or list of Interval

        Returns
        -------
        DistributionFamily
        """
        return FunctionFamily(function, properties)

    @property
    def property_values(self) -> Properties:
        """``properties``, checked; InvalidInputError if a family of one's own has none of use."""
        return check_properties(getattr(self, "properties", None), repr(self))

    @property
    def is_numeric(self) -> bool:
        """Whether the property is a number, or several, and not a class."""
        return not isinstance(self.property_values, tuple)

    def draw_properties(self, n_values: int, random_state: Any = None) -> np.ndarray:
        """Draw property values: classes in equal numbers and random order, numbers uniformly.

        Returns
        -------
        ndarray ``(n_values,)``, or ``(n_values, n_properties)`` for several intervals
        """
        return draw_values(self.property_values, n_values, random_state)

    def _check(self, property_value: Any, n_samples: int) -> None:
        check_value(self.properties, property_value)
        if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise InvalidInputError(f"n_samples={n_samples!r}; wanted an int of at least 1")

    def _summary(self) -> dict[str, object]:
        """What ``repr`` shows, by name."""
        return {"properties": getattr(self, "properties", None)}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._summary().items())
        return f"{type(self).__name__}({shown})"


class FunctionFamily(DistributionFamily):
    """A family whose samples a plain function draws; ``from_function`` makes it."""

    def __init__(self, function: Callable[..., Sample], properties: Any):
        if not callable(function):
            raise InvalidInputError(f"function={function!r}; wanted a callable")
        self.function = function
        self.properties = check_properties(properties)

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`."""
        self._check(property_value, n_samples)
        return self.function(property_value, n_samples, random_state)

    def _summary(self) -> dict[str, object]:
        return {"function": self.function, **super()._summary()}
