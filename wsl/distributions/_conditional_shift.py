"""``ConditionalShiftFamily``: inputs that stay as they are; the property moves E[Y|X].

The base is any function or fitted model; random networks as a base live in ``_synthetic``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._properties import central_value, check_numbers, count_numbers
from ._row_pool import Pool, check_fraction, check_table

N_REFERENCE = 4096  # inputs by which a random direction gets its size, where there is no table
N_UNITS = 32


class ConditionalShiftFamily(DistributionFamily):
    r"""Inputs from one distribution; the property moves the expected outcome, E[Y|X], alone.

    What a model gives away of such a property is what it memorised of E[Y|X]: no other source of
    leakage is left. The base may be a model fitted to real data, and the inputs real rows.

    Parameters
    ----------
    base : callable or fitted estimator
        From ``X`` ``(n, n_features)`` to E[Y|X] at property 0, ``(n,)``. Of a fitted regressor
        these are its predictions, of a fitted classifier of two classes the probabilities of the
        second.
    inputs : array ``(n_rows, n_features)`` or callable
        Rows of a table, drawn without replacement within a training set; or a function
        ``f(n_samples, rng)`` that returns ``X`` ``(n_samples, n_features)``.
    epsilon : float, default=0.1
        How far the property moves E[Y|X], in units of y; with the direction by default, the root
        mean square of the move at property 1.
    direction : callable, optional
        From ``X`` to the move at property 1 for ``epsilon=1``, ``(n,)``; for several numbers
        ``(n, n_properties)``, one column for each. By default random smooth functions with mean 0
        and variance 1 over the inputs, so that the mean outcome stays as it is.
    properties : tuple of numbers, Interval or list of Interval, default=(0, 1)
        How much of the move there is.
    noise : float, default=0.0
        Standard deviation of y around E[Y|X].
    binary : bool, optional
        Whether y is 0 or 1 and E[Y|X], clipped to [0, 1], the probability of 1; by default if the
        base is a classifier.
    random_state : int, Generator, RandomState or None
        Draws the direction.

    Raises
    ------
    InvalidInputError
        If ``epsilon`` or ``noise`` is negative, a binary outcome has noise, or ``base``,
        ``inputs`` or ``direction`` return something of another shape. From ``sample``: if the table
        has too few rows.

    Notes
    -----
    .. math:: E[Y|X] = \mathrm{base}(X) + \epsilon \sum_k p_k\, \mathrm{direction}_k(X)

    A random direction is a network of 32 tanh units on standardised inputs with Gaussian weights.
    On a table ``base`` and ``direction`` are computed once.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023: memorised E[Y|X] as a source of leakage.

    Examples
    --------
    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from wsl.distributions import ConditionalShiftFamily
    >>> X, y = load_diabetes(return_X_y=True)
    >>> base = GradientBoostingRegressor(random_state=0).fit(X, y)
    >>> family = ConditionalShiftFamily(base, X, epsilon=5, noise=10, random_state=0)
    >>> X_drawn, y_drawn = family.sample(1, 128, random_state=0)
    >>> X_drawn.shape, y_drawn.shape
    ((128, 10), (128,))
    """

    def __init__(
        self,
        base: Any,
        inputs: Any,
        *,
        epsilon: float = 0.1,
        direction: Callable[[np.ndarray], Any] | None = None,
        properties: Any = (0, 1),
        noise: float = 0.0,
        binary: bool | None = None,
        random_state: Any = None,
    ):
        for name, value in (("epsilon", epsilon), ("noise", noise)):
            if not (np.isfinite(value) and value >= 0):
                raise InvalidInputError(f"{name}={value!r}; wanted a number of at least 0")
        self.epsilon = epsilon
        self.noise = noise
        self.binary = _classifies(base) if binary is None else binary
        if self.binary and noise:
            raise InvalidInputError(f"noise={noise!r} was given, but a binary outcome takes none")
        n_numbers = count_numbers(properties)
        self.properties = check_numbers(properties, -np.inf, np.inf, "finite numbers", n_numbers)
        self.base = _as_function(base)
        rng = resolve_random_state(random_state)
        table = None if callable(inputs) else check_table(inputs, np.zeros(len(inputs)))[0]
        if direction is None:
            reference = inputs(N_REFERENCE, rng) if table is None else table
            direction = RandomDirections.draw(np.asarray(reference, float), n_numbers, rng)
        self.direction = direction
        self._n_numbers = n_numbers
        self._common: np.ndarray | None = None
        self._inputs = inputs if table is None else Pool(table, self._parts(table), "inputs")

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`.

        Returns
        -------
        X : ndarray ``(n_samples, n_features)`` float32
        y : ndarray ``(n_samples,)`` float32, or int64 for a binary outcome
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        X, parts = self._draw(n_samples, rng)
        moved = np.ravel(property_value) if self._common is None else self._common
        expected = parts[:, 0] + self.epsilon * (parts[:, 1:] @ moved)
        if self.binary:
            return X, (rng.random(n_samples) < expected).astype(np.int64)
        if self.noise:
            expected = expected + self.noise * rng.standard_normal(n_samples)
        return X, expected.astype(np.float32)

    def split(
        self, fraction: float = 0.5, random_state: Any = None
    ) -> tuple["ConditionalShiftFamily", "ConditionalShiftFamily"]:
        """Return two families, the target's and the adversary's, that share no row of the table.

        Parameters
        ----------
        fraction : float, default=0.5
            Share of the rows that goes to the first. A function as ``inputs`` goes to both: what
            it draws is fresh anyway.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        tuple of two ConditionalShiftFamily
        """
        check_fraction(fraction)
        if not isinstance(self._inputs, Pool):
            return self, self
        first, second = self._inputs.split(fraction, resolve_random_state(random_state))
        return self._with(_inputs=first), self._with(_inputs=second)

    def with_common_conditional(self) -> "ConditionalShiftFamily":
        """Return the family where E[Y|X] is that of the mean property at every value of it."""
        return self._with(_common=central_value(self.property_values))

    def _with(self, **changed: Any) -> "ConditionalShiftFamily":
        family = object.__new__(type(self))
        family.__dict__ = {**self.__dict__, **changed}
        return family

    def _draw(self, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return ``X`` and, in columns, the base and the directions there."""
        if isinstance(self._inputs, Pool):
            return self._inputs(n_samples, rng)
        X = np.asarray(self._inputs(n_samples, rng), dtype=np.float32)
        if X.ndim != 2 or len(X) != n_samples:
            raise InvalidInputError(
                f"inputs returned X of shape {X.shape}; wanted ({n_samples}, n_features)"
            )
        return X, self._parts(X)

    def _parts(self, X: np.ndarray) -> np.ndarray:
        parts = []
        for name, function, n_columns in (
            ("base", self.base, 1),
            ("direction", self.direction, self._n_numbers),
        ):
            values = np.asarray(function(X), dtype=float)
            if values.shape not in [(len(X), n_columns), (len(X),) * (n_columns == 1)]:
                raise InvalidInputError(
                    f"{name} returned shape {values.shape} for {len(X)} rows; wanted "
                    f"({len(X)},{f' {n_columns}' if n_columns > 1 else ''})"
                )
            parts.append(values.reshape(len(X), n_columns))
        return np.hstack(parts)

    def _summary(self) -> dict[str, object]:
        return {
            "base": self.base,
            "epsilon": self.epsilon,
            **super()._summary(),
            "noise": self.noise,
            "binary": self.binary,
        }


class RandomDirections:
    """Smooth random functions of the inputs, each with mean 0 and variance 1 over a reference.

    Parameters
    ----------
    first : ndarray ``(n_features + 1, 32)``
        Weights of the tanh units, the bias in the last row.
    second : ndarray ``(33, n_functions)``
        Weights of the functions, the constant in the last row.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray):
        self.first = first
        self.second = second

    @classmethod
    def draw(
        cls, reference: np.ndarray, n_functions: int, rng: np.random.Generator
    ) -> "RandomDirections":
        """Draw functions that have their mean and variance over ``reference``."""
        n_features = reference.shape[1]
        spread = np.where(np.ptp(reference, axis=0) > 0, reference.std(0), 0)
        if not spread.any():
            raise InvalidInputError("inputs are all alike; wanted rows that differ")
        slopes = rng.standard_normal((n_features, N_UNITS)) / np.sqrt(n_features)
        slopes /= np.where(spread > 0, spread, 1)[:, None]
        first = np.vstack([slopes, rng.standard_normal(N_UNITS) - reference.mean(0) @ slopes])
        second = rng.standard_normal((N_UNITS, n_functions))
        raw = cls(first, np.vstack([second, np.zeros(n_functions)]))(reference)
        return cls(first, np.vstack([second, -raw.mean(0)]) / raw.std(0))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n_samples, n_functions)``."""
        units = np.tanh(X @ self.first[:-1] + self.first[-1])
        return units @ self.second[:-1] + self.second[-1]


def _classifies(base: Any) -> bool:
    return hasattr(base, "predict") and is_classifier(base)


def _as_function(base: Any) -> Callable[[np.ndarray], np.ndarray]:
    if _classifies(base):
        if len(getattr(base, "classes_", ())) != 2:
            raise InvalidInputError(
                f"base is {base!r}; wanted a classifier fitted to two classes, or a function"
            )
        return SecondClass(base)
    if hasattr(base, "predict"):
        return base.predict
    if not callable(base):
        raise InvalidInputError(f"base is {base!r}; wanted a function or a fitted estimator")
    return base


class SecondClass:
    """From rows to a classifier's probability of its second class."""

    def __init__(self, model: Any):
        self.model = model

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n_samples,)``."""
        return self.model.predict_proba(X)[:, 1]

    def __repr__(self) -> str:
        return repr(self.model)
