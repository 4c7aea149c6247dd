"""Inputs with a fixed distribution; the property shifts E[Y|X]."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._properties import central_value, check_bounds, n_components
from ._row_pool import RowPool, check_fraction
from ._table_rows import check_table

N_REFERENCE = 4096  # inputs that normalize a random direction if there is no table
N_UNITS = 32


class ConditionalShiftFamily(DistributionFamily):
    r"""Inputs from one distribution; the property shifts only the expected outcome E[Y|X].

    A model can leak such a property only by memorizing E[Y|X]: there is no other source of
    leakage. The base may be a model fitted to real data, and the inputs real rows.

    Parameters
    ----------
    base : callable or fitted estimator
        Function from ``X`` of shape (n, n_features) to E[Y|X] at property 0, of shape (n,). For a
        fitted regressor it is ``predict``, for a fitted classifier of two classes the probability
        of the second.
    inputs : array-like of shape (n_rows, n_features) or callable
        Rows of a table, drawn without replacement within a training set; or a function
        ``f(n_samples, rng)`` that returns ``X`` of shape (n_samples, n_features).
    epsilon : float, default=0.1
        Size of the shift of E[Y|X], in units of y; with the default direction, the root mean
        square of the shift at property 1.
    direction : callable, default=None
        Function from ``X`` to the shift at property 1 for ``epsilon=1``, of shape (n,), or
        (n, n_properties) for several properties. None draws random smooth functions with mean 0
        and variance 1 over the inputs, which keep the mean outcome.
    properties : tuple of numbers, Interval or list of Interval, default=(0, 1)
        Multiples of the shift.
    noise : float, default=0.0
        Standard deviation of y around E[Y|X].
    binary : bool, default=None
        Whether y is 0 or 1, with E[Y|X] clipped to [0, 1] as the probability of 1. None means
        True for a classifier as base.
    random_state : int, Generator, RandomState or None, default=None
        Seed of the random direction.

    Attributes
    ----------
    base : callable
        The function E[Y|X] at property 0.
    direction : callable
        The shift of E[Y|X].

    Raises
    ------
    InvalidInputError
        If ``epsilon`` or ``noise`` is negative, a binary outcome has noise, or ``base``,
        ``inputs`` or ``direction`` return another shape.

    See Also
    --------
    RandomNetworkFamily : Random networks as base and direction.
    GaussianFamily : Gaussian data for which the best adversary is known.
    wsl.leakage_sources : Decomposes an attack's advantage into sources of leakage.

    Notes
    -----
    .. math:: E[Y|X] = \mathrm{base}(X) + \epsilon \sum_k p_k\, \mathrm{direction}_k(X)

    A random direction is a network of 32 tanh units on standardized inputs with Gaussian weights.
    On a table, ``base`` and ``direction`` are computed once.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023: memorized E[Y|X] as a source of leakage.

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
                raise InvalidInputError(f"`{name}` must be at least 0; got {value!r}.")
        self.epsilon = epsilon
        self.noise = noise
        self.binary = _classifies(base) if binary is None else binary
        if self.binary and noise:
            raise InvalidInputError(f"`noise` must be 0 for a binary outcome; got {noise!r}.")
        n_numbers = n_components(properties)
        self.properties = check_bounds(properties, -np.inf, np.inf, "finite numbers", n_numbers)
        self.base = _as_function(base)
        rng = resolve_random_state(random_state)
        table = None if callable(inputs) else check_table(inputs, np.zeros(len(inputs)))[0]
        if direction is None:
            reference = inputs(N_REFERENCE, rng) if table is None else table
            direction = RandomDirections.draw(np.asarray(reference, float), n_numbers, rng)
        self.direction = direction
        self._n_numbers = n_numbers
        self._common: np.ndarray | None = None
        self._inputs = inputs if table is None else RowPool(table, self._parts(table), "inputs")

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
        X : ndarray of float32 of shape (n_samples, n_features)
            The inputs.
        y : ndarray of float32 or int64 of shape (n_samples,)
            The outcomes; int64 for a binary outcome.

        Raises
        ------
        InvalidInputError
            If ``property_value`` is not a value of the family, or there are too few rows.
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        X, parts = self._draw(n_samples, rng)
        multiples = np.ravel(property_value) if self._common is None else self._common
        expected = parts[:, 0] + self.epsilon * (parts[:, 1:] @ multiples)
        if self.binary:
            return X, (rng.random(n_samples) < expected).astype(np.int64)
        if self.noise:
            expected = expected + self.noise * rng.standard_normal(n_samples)
        return X, expected.astype(np.float32)

    def split(
        self, fraction: float = 0.5, random_state: Any = None
    ) -> tuple["ConditionalShiftFamily", "ConditionalShiftFamily"]:
        """Split into two families that share no row, for the targets and the adversary.

        Parameters
        ----------
        fraction : float, default=0.5
            Fraction of the rows in the first family. A callable ``inputs`` is used by both, as it
            draws fresh rows.
        random_state : int, Generator, RandomState or None, default=None
            Seed of the split.

        Returns
        -------
        first : ConditionalShiftFamily
            The family with ``fraction`` of the rows.
        second : ConditionalShiftFamily
            The family with the other rows.

        Raises
        ------
        InvalidInputError
            If ``fraction`` is not between 0 and 1.
        """
        check_fraction(fraction)
        if not isinstance(self._inputs, RowPool):
            return self, self
        first, second = self._inputs.split(fraction, resolve_random_state(random_state))
        return self._with(_inputs=first), self._with(_inputs=second)

    def with_common_conditional(self) -> "ConditionalShiftFamily":
        """Return the family whose E[Y|X] is that of the mean property, at every value.

        Returns
        -------
        ConditionalShiftFamily
            The family.
        """
        return self._with(_common=central_value(self.property_values))

    def _with(self, **changed: Any) -> "ConditionalShiftFamily":
        family = object.__new__(type(self))
        family.__dict__ = {**self.__dict__, **changed}
        return family

    def _draw(self, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return ``X``, and in columns the base and the directions at ``X``."""
        if isinstance(self._inputs, RowPool):
            return self._inputs(n_samples, rng)
        X = np.asarray(self._inputs(n_samples, rng), dtype=np.float32)
        if X.ndim != 2 or len(X) != n_samples:
            raise InvalidInputError(
                f"`inputs` must return shape ({n_samples}, n_features); got {X.shape}."
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
                    f"`{name}` must return shape "
                    f"({len(X)},{f' {n_columns}' if n_columns > 1 else ''}) for {len(X)} rows; got "
                    f"{values.shape}."
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
    """Smooth random functions of the inputs, with mean 0 and variance 1 over a reference.

    Parameters
    ----------
    first : ndarray of shape (n_features + 1, 32)
        Weights of the tanh units, with the biases in the last row.
    second : ndarray of shape (33, n_functions)
        Weights of the functions, with the constants in the last row.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray):
        self.first = first
        self.second = second

    @classmethod
    def draw(
        cls, reference: np.ndarray, n_functions: int, rng: np.random.Generator
    ) -> "RandomDirections":
        """Draw functions that are normalized over ``reference``."""
        n_features = reference.shape[1]
        deviation = np.where(np.ptp(reference, axis=0) > 0, reference.std(0), 0)
        if not deviation.any():
            raise InvalidInputError("`inputs` must contain rows that differ; all are equal.")
        weights = rng.standard_normal((n_features, N_UNITS)) / np.sqrt(n_features)
        weights /= np.where(deviation > 0, deviation, 1)[:, None]
        first = np.vstack([weights, rng.standard_normal(N_UNITS) - reference.mean(0) @ weights])
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
                f"`base` must be a classifier fitted to two classes, or a function; got {base!r}."
            )
        return SecondClass(base)
    if hasattr(base, "predict"):
        return base.predict
    if not callable(base):
        raise InvalidInputError(f"`base` must be a function or a fitted estimator; got {base!r}.")
    return base


class SecondClass:
    """The function from rows to a classifier's probability of its second class."""

    def __init__(self, model: Any):
        self.model = model

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n_samples,)``."""
        return self.model.predict_proba(X)[:, 1]

    def __repr__(self) -> str:
        return repr(self.model)
