"""The values of a property: classes, an interval, or several intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError


@dataclass(frozen=True)
class Interval:
    """The values of a continuous property: all numbers from ``low`` to ``high``, both included.

    It is a type of its own, so that the tuple ``(0, 1)`` always means two classes.

    Parameters
    ----------
    low : float
        The smallest value.
    high : float
        The largest value.

    Attributes
    ----------
    midpoint : float
        The value halfway, the best guess of an adversary without a model.

    Raises
    ------
    InvalidInputError
        If the bounds are not finite numbers with ``low < high``.

    See Also
    --------
    DistributionFamily : Takes an interval, or a list of intervals, as ``properties``.

    Examples
    --------
    >>> from wsl.distributions import Interval
    >>> 0.3 in Interval(0, 1)
    True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (_is_number(self.low) and _is_number(self.high) and self.low < self.high):
            raise InvalidInputError(
                f"`low` and `high` must be finite with low < high; got {self.low!r} and "
                f"{self.high!r}."
            )

    def __contains__(self, value: object) -> bool:
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]

    @property
    def midpoint(self) -> float:
        """The value halfway, the best guess of an adversary without a model."""
        return (self.low + self.high) / 2


Properties = tuple | Interval | list[Interval]


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def check_properties(properties: Any, of: str = "the family") -> Properties:
    """Return a property's values as a tuple of classes, an Interval, or a list of Intervals.

    Raises InvalidInputError for fewer than two classes, or a mixture of classes and intervals.
    """
    if isinstance(properties, Interval):
        return properties
    if isinstance(properties, (str, bytes)) or not isinstance(properties, (Sequence, np.ndarray)):
        raise InvalidInputError(
            f"`properties` of {of} must be a tuple of classes, an Interval, or a list of "
            f"Intervals; got {properties!r}."
        )
    entries = properties.tolist() if isinstance(properties, np.ndarray) else properties
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in entries]
    n_intervals = sum(isinstance(value, Interval) for value in values)
    if values and n_intervals == len(values):
        return values
    if n_intervals or len(values) < 2 or len(set(values)) < len(values):
        raise InvalidInputError(
            f"`properties` of {of} must be at least two different classes, an Interval, or a list "
            f"of Intervals only; got {properties!r}."
        )
    return tuple(values)


def check_value(properties: Properties, value: Any) -> None:
    """Raise InvalidInputError unless ``value`` is one of the property's values."""
    if isinstance(properties, list):
        numbers = np.ravel(value).tolist()
        fits = len(numbers) == len(properties) and all(map(_contains, properties, numbers))
    else:
        fits = _contains(properties, value)
    if not fits:
        allowed = f"one of {properties}" if isinstance(properties, tuple) else f"in {properties}"
        raise InvalidInputError(f"`property_value` must be {allowed}; got {value!r}.")


def n_components(properties: Any) -> int:
    """Return the number of components of a property value."""
    checked = check_properties(properties)
    if isinstance(checked, list):
        return len(checked)
    return np.size(checked[0]) if isinstance(checked, tuple) else 1


def check_bounds(
    properties: Any, low: float, high: float, expected: str, n_numbers: int = 1
) -> Properties:
    """Return checked properties whose values are ``n_numbers`` numbers within the bounds.

    Several numbers are a list of intervals, or classes that are tuples.
    """
    checked = check_properties(properties)
    parts: list[Any] = checked if isinstance(checked, list) else [checked]
    if isinstance(checked, tuple):
        values = [value if isinstance(value, tuple) else (value,) for value in checked]
        fits = all(len(value) == n_numbers for value in values)
    else:
        values = [(interval.low, interval.high) for interval in parts]
        fits = len(parts) == n_numbers
    numbers = [number for value in values for number in value]
    if not fits or not all(_is_number(number) and low <= number <= high for number in numbers):
        form = "an Interval" if n_numbers == 1 else f"a list of {n_numbers} Intervals"
        raise InvalidInputError(
            f"`properties` must be {expected}, or {form} of such; got {properties!r}."
        )
    return checked


def central_value(properties: Properties) -> np.ndarray:
    """Return the mean of the values, ``(n_numbers,)``."""
    if isinstance(properties, tuple):
        return np.mean([np.atleast_1d(value) for value in properties], axis=0)
    intervals = properties if isinstance(properties, list) else [properties]
    return np.array([interval.midpoint for interval in intervals])


def _contains(values: tuple | Interval, value: Any) -> bool:
    return (isinstance(value, tuple) or np.ndim(value) == 0) and value in values


def draw_values(properties: Properties, n_values: int, random_state: Any = None) -> np.ndarray:
    """Draw classes in equal numbers and random order, or numbers uniformly.

    Returns ``(n_values,)``, or ``(n_values, n_properties)`` for several intervals.
    """
    rng = resolve_random_state(random_state)
    if isinstance(properties, tuple):
        order = rng.permutation(n_values) % len(properties)
        return class_array(properties)[order]
    if isinstance(properties, Interval):
        return rng.uniform(properties.low, properties.high, n_values)
    lows, highs = zip(*((interval.low, interval.high) for interval in properties), strict=True)
    return rng.uniform(lows, highs, (n_values, len(properties)))


def class_array(classes: tuple) -> np.ndarray:
    """Return the classes as an array; classes of several types stay unchanged, as objects."""
    if len({type(value) for value in classes}) == 1 and np.ndim(classes[0]) == 0:
        return np.asarray(classes)
    array = np.empty(len(classes), dtype=object)
    array[:] = classes
    return array
