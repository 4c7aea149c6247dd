"""The base of distribution families: a property value in, a training set out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError
from ._properties import Properties, check_properties, check_value, draw_values

Sample = tuple[Any, ...]


class DistributionFamily(ABC):
    """A family of data distributions, one for each value of a property.

    The property value is what an adversary infers from a model trained on a sample. To define a
    family, subclass this with an attribute ``properties`` and a method ``sample``, or pass a
    function to :meth:`from_function`. Any other object with ``properties`` and ``sample`` is
    accepted too, see :meth:`from_object`.

    Attributes
    ----------
    properties : tuple, Interval or list of Interval
        The values of the property: a tuple of classes, an :class:`Interval` for a continuous
        property, or a list of intervals for several continuous properties. A class may itself be a
        tuple, such as the fractions of several groups.
    property_is_fraction : bool, default=False
        Whether the property is the fraction of a group among the rows. :func:`wsl.audit` then
        reports how many rows of data reveal as much as a model.
    report_names : dict from str to str, default={}
        What the sentences of a report call the "property", or the "group" whose fraction it is,
        unless :func:`wsl.audit` is passed other ``names``.
    property_column : str, default=""
        The column of the rows that defines the property, if models see it. Reports say so.

    See Also
    --------
    SubsampledFamily : Training sets from a real table.
    EnvironmentMembershipFamily : Mixtures of environments, with or without one of them.
    RandomNetworkFamily : Synthetic data labelled by a random network.
    wsl.audit : Audits a learner on the training sets of a family.

    Notes
    -----
    Sampling does not change a family: all randomness comes from ``random_state``. Families must be
    picklable, since samples are drawn where models are trained.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.distributions import DistributionFamily
    >>> class ShiftedLine(DistributionFamily):
    ...     properties = (0, 1)
    ...
    ...     def sample(self, property_value, n_samples, random_state=None):
    ...         rng = np.random.default_rng(random_state)
    ...         X = rng.normal(property_value, 1, (n_samples, 1))
    ...         return X, 2 * X[:, 0]
    >>> X, y = ShiftedLine().sample(1, 100, random_state=0)
    >>> X.shape, y.shape
    ((100, 1), (100,))
    """

    properties: Properties
    property_is_fraction = False
    report_names: Mapping[str, str] = MappingProxyType({})
    property_column: str = ""

    @abstractmethod
    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set.

        Parameters
        ----------
        property_value : object
            One of the values of ``properties``.
        n_samples : int
            Number of rows.
        random_state : int, Generator, RandomState, SeedSequence or None, default=None
            Seed of the draw.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            The rows.
        y : ndarray of shape (n_samples,)
            Their outcomes.
        environments : ndarray of int of shape (n_samples,)
            The environment of each row; only families with environments return it.

        Raises
        ------
        InvalidInputError
            If ``property_value`` is not a value of the family, or there are too few rows.
        """

    @classmethod
    def from_function(
        cls, function: Callable[..., Sample], properties: Any
    ) -> "DistributionFamily":
        """Return a family that samples with a function.

        Parameters
        ----------
        function : callable
            Called as ``function(property_value, n_samples, random_state)``; returns ``(X, y)`` or
            ``(X, y, environments)`` of ``n_samples`` rows. Arrays and DataFrames are passed to the
            learner unchanged.
            Define it in a module so that it can be pickled.
        properties : tuple, Interval or list of Interval
            The values of the property.

        Returns
        -------
        DistributionFamily
            The family.

        Raises
        ------
        InvalidInputError
            If ``function`` is not callable, or ``properties`` are not values of a property.
        """
        return FunctionFamily(function, properties)

    @classmethod
    def from_object(cls, family: Any) -> "DistributionFamily":
        """Return a family for any object with ``properties`` and ``sample``.

        Parameters
        ----------
        family : object
            A DistributionFamily, which is returned as it is, or an object with an attribute
            ``properties`` and a method ``sample(property_value, n_samples, random_state)``.

        Returns
        -------
        DistributionFamily
            The family.

        Raises
        ------
        InvalidInputError
            If the object lacks one of them.
        """
        if isinstance(family, DistributionFamily):
            return family
        if not hasattr(family, "properties") or not callable(getattr(family, "sample", None)):
            raise InvalidInputError(
                "`family` must have an attribute `properties` and a method "
                f"`sample(property_value, n_samples, random_state)`; got {family!r}."
            )
        return FunctionFamily(family.sample, family.properties)

    @property
    def property_values(self) -> Properties:
        """The values of ``properties``, checked; raises InvalidInputError if they are invalid."""
        return check_properties(getattr(self, "properties", None), repr(self))

    @property
    def is_numeric(self) -> bool:
        """Whether the property is continuous, and not a class."""
        return not isinstance(self.property_values, tuple)

    def draw_properties(self, n_values: int, random_state: Any = None) -> np.ndarray:
        """Draw property values: classes in equal numbers and random order, numbers uniformly.

        Parameters
        ----------
        n_values : int
            Number of values.
        random_state : int, Generator, RandomState, SeedSequence or None, default=None
            Seed of the draw.

        Returns
        -------
        ndarray of shape (n_values,) or (n_values, n_properties)
            The values; two-dimensional for several intervals.
        """
        return draw_values(self.property_values, n_values, random_state)

    def _check(self, property_value: Any, n_samples: int) -> None:
        check_value(self.properties, property_value)
        if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise InvalidInputError(f"`n_samples` must be an int of at least 1; got {n_samples!r}.")

    def _summary(self) -> dict[str, object]:
        """Return what ``repr`` shows, by name."""
        return {"properties": getattr(self, "properties", None)}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._summary().items())
        return f"{type(self).__name__}({shown})"


class FunctionFamily(DistributionFamily):
    """A family that samples with a plain function."""

    def __init__(self, function: Callable[..., Sample], properties: Any):
        if not callable(function):
            raise InvalidInputError(f"`function` must be callable; got {function!r}.")
        self.function = function
        self.properties = check_properties(properties)

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set, see :meth:`DistributionFamily.sample`."""
        self._check(property_value, n_samples)
        return self.function(property_value, n_samples, random_state)

    def _summary(self) -> dict[str, object]:
        return {"function": self.function, **super()._summary()}
