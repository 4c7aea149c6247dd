"""Linear Gaussian data with an attribute that inputs and outcome may depend on."""

import copy
from typing import Any

import numpy as np
from scipy.special import expit, logit

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from . import _bayes_accuracy
from ._base import DistributionFamily, Sample
from ._properties import central_value, check_bounds, n_components

RANGES = {"mean": (-np.inf, np.inf), "deviation": (0, np.inf), "fraction": (0, 1)}


class GaussianFamily(DistributionFamily):
    r"""Linear Gaussian data with a hidden attribute; the property is the attribute's distribution.

    ``on_inputs`` and ``on_outcome`` are the coefficients of the attribute in an input and in the
    outcome. With ``on_outcome=0`` the property is independent of the task, with both it is
    correlated with the task. The best adversary is known, see :meth:`bayes_accuracy`.

    Parameters
    ----------
    statistic : {"mean", "deviation", "fraction"}, default="mean"
        The statistic of the attribute that is the property: the mean of a normal attribute with
        standard deviation 1, the standard deviation of one with mean 0, or the fraction of ones
        of a binary attribute.
    properties : tuple of numbers, Interval or list of Interval, default=(0, 1)
        Values of the statistic. Several numbers (a list of intervals, or classes that are tuples)
        are the statistic of as many attributes, each in its own input.
    on_inputs : float, default=1.0
        Coefficient of the attribute in its input.
    on_outcome : float, default=1.0
        Coefficient of the attribute in the outcome, in addition to the inputs.
    n_features : int, default=4
        Number of inputs, larger than the number of attributes.
    noise : float, default=1.0
        Standard deviation of the outcome given inputs and attribute.
    binary : bool, default=False
        Whether the outcome is 1 if positive and 0 otherwise.

    Raises
    ------
    InvalidInputError
        If ``statistic`` is unknown, properties lie outside its range, ``noise`` is negative, or
        there are too few features.

    See Also
    --------
    RandomNetworkFamily : The synthetic experiments of Hartmann et al.
    ConditionalShiftFamily : A shift of E[Y|X] only.

    Notes
    -----
    A row has attributes :math:`A_1, \dots, A_k`, one per number of the property, and

    .. math:: X_j = \mathrm{on\_inputs}\, A_j + N(0, 1) \ (j \le k), \quad
              X_j = N(0, 1) \ (j > k), \quad
              Y = \sum_{j > k} X_j + \mathrm{on\_outcome} \sum_j A_j + N(0, \mathrm{noise}^2).

    The four cases, with X and Y depending on the attribute or not, are those of [1]_.

    References
    ----------
    .. [1] Zhang, Tople and Ohrimenko, "Leakage of dataset properties in multi-party machine
       learning", USENIX Security 2021.

    Examples
    --------
    >>> from wsl.distributions import GaussianFamily
    >>> family = GaussianFamily("mean", properties=(0, 0.1), on_inputs=0, on_outcome=1)
    >>> X, y = family.sample(0.1, 512, random_state=0)
    >>> X.shape, y.shape
    ((512, 4), (512,))
    >>> round(family.bayes_accuracy(512), 3), round(family.bayes_accuracy(512, "coefficients"), 3)
    (0.788, 0.787)
    """

    def __init__(
        self,
        statistic: str = "mean",
        *,
        properties: Any = (0, 1),
        on_inputs: float = 1.0,
        on_outcome: float = 1.0,
        n_features: int = 4,
        noise: float = 1.0,
        binary: bool = False,
    ):
        if statistic not in RANGES:
            raise InvalidInputError(
                f"`statistic` must be one of {sorted(RANGES)}; got {statistic!r}."
            )
        for name, value in (("on_inputs", on_inputs), ("on_outcome", on_outcome), ("noise", noise)):
            if not np.isfinite(value) or (name == "noise" and value < 0):
                raise InvalidInputError(
                    f"`{name}` must be finite, and `noise` at least 0; got {value!r}."
                )
        low, high = RANGES[statistic]
        n_numbers = n_components(properties)
        expected = f"numbers in the range of a {statistic}"
        self.properties = check_bounds(properties, low, high, expected, n_numbers)
        if n_features <= n_numbers:
            raise InvalidInputError(
                f"`n_features` must exceed the {n_numbers} numbers of the property; got "
                f"{n_features}."
            )
        self.statistic = statistic
        self.on_inputs = on_inputs
        self.on_outcome = on_outcome
        self.n_features = n_features
        self.noise = noise
        self.binary = binary
        self.property_is_fraction = statistic == "fraction" and n_numbers == 1
        self._n_numbers = n_numbers
        self._common: np.ndarray | None = None

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
            If ``property_value`` is not a value of the family, or ``n_samples`` is not positive.
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        attributes = self._draw_attributes(np.ravel(property_value), n_samples, rng)
        X = rng.standard_normal((n_samples, self.n_features), dtype=np.float32)
        X[:, : self._n_numbers] += np.float32(self.on_inputs) * attributes
        if self._common is not None and self.on_outcome:
            attributes = self._redraw(self._common, X[:, : self._n_numbers], rng)
        y = X[:, self._n_numbers :].sum(1) + np.float32(self.on_outcome) * attributes.sum(1)
        y += np.float32(self.noise) * rng.standard_normal(n_samples, dtype=np.float32)
        return X, (y > 0).astype(np.int64) if self.binary else y

    def _draw_attributes(
        self, p: np.ndarray, n_samples: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Return ``(n_samples, n_properties)`` float32."""
        shape = n_samples, len(p)
        if self.statistic == "fraction":
            return (rng.random(shape, dtype=np.float32) < p).astype(np.float32)
        normal = rng.standard_normal(shape, dtype=np.float32)
        values = p.astype(np.float32)
        return normal + values if self.statistic == "mean" else normal * values

    def with_common_conditional(self) -> "GaussianFamily":
        r"""Return the family whose outcome, given the inputs, is that of the mean property.

        The distribution of the inputs still depends on the property. The outcome is drawn with
        new attributes from :math:`A | X` at the mean property: E[Y|X] and the noise around it are
        the same at every value.

        Returns
        -------
        GaussianFamily
            The family.
        """
        family = copy.copy(self)
        family._common = central_value(self.property_values)
        return family

    def _redraw(self, p: np.ndarray, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw attributes given their inputs, ``(n_samples, n_properties)``."""
        a = self.on_inputs
        if self.statistic == "fraction":
            probability = expit(logit(p) + a * X - a**2 / 2)
            return (rng.random(X.shape) < probability).astype(np.float32)
        prior_mean, variance = (p, np.ones_like(p)) if self.statistic == "mean" else (0 * p, p**2)
        posterior = variance / (1 + a**2 * variance)
        mean = (prior_mean + a * variance * X) / (1 + a**2 * variance)
        return (mean + np.sqrt(posterior) * rng.standard_normal(X.shape)).astype(np.float32)

    def bayes_accuracy(self, n_samples: int, observed: str = "rows") -> float:
        r"""Compute the accuracy of the best adversary that distinguishes two property values.

        Parameters
        ----------
        n_samples : int
            Rows of the training set.
        observed : {"rows", "attribute", "coefficients"}, default="rows"
            What the adversary observes. "rows": X and y of the training set, which bounds every
            attack on any model; for means and deviations. "attribute": the attribute of each row,
            a looser bound for all statistics. "coefficients": slopes and intercept of a linear
            model fitted to the training set by least squares; for means.

        Returns
        -------
        float
            The exact accuracy if both values are equally likely.

        Raises
        ------
        InvalidInputError
            If the property does not have two numbers as values, ``observed`` is not available for
            this statistic or outcome, or there are too few rows.

        Notes
        -----
        With :math:`a` = on_inputs, :math:`b` = on_outcome and :math:`\kappa = a^2 + b^2 /
        \mathrm{noise}^2`, a row (X, y) is as informative as the attribute observed with noise of
        variance :math:`1 / \kappa`. For means :math:`p_0, p_1` the accuracy is then
        :math:`\Phi(\sqrt n\, |p_1 - p_0| \sqrt{\kappa / (1 + \kappa)} / 2)`; for deviations
        it is that of distinguishing two variances by a sum of squares, for fractions by a count.
        """
        low, high = self._check_available(n_samples, observed)
        if observed == "coefficients":
            return _bayes_accuracy.mean_by_least_squares(
                high - low, n_samples, self.n_features, self.on_inputs, self.on_outcome, self.noise
            )
        gain = 1.0 if observed == "attribute" else self._gain()
        if self.statistic == "mean":
            return _bayes_accuracy.mean(high - low, n_samples, gain)
        if self.statistic == "deviation":
            return _bayes_accuracy.variance(
                1 - gain + gain * low**2, 1 - gain + gain * high**2, n_samples
            )
        return _bayes_accuracy.fraction(low, high, n_samples)

    def _check_available(self, n_samples: int, observed: str) -> tuple[float, float]:
        """Return the two numbers of the property, the lower one first."""
        if not isinstance(self.properties, tuple) or np.shape(self.properties) != (2,):
            raise InvalidInputError(
                "the best adversary is known for two numbers as `properties`; got "
                f"{self.properties!r}."
            )
        if self._common is not None:
            raise InvalidInputError("the best adversary is not known for a common conditional")
        known = {"mean": ("rows", "coefficients"), "deviation": ("rows",), "fraction": ()}
        allowed = ("attribute", *(() if self.binary else known[self.statistic]))
        if observed not in allowed:
            raise InvalidInputError(
                f"`observed` must be one of {allowed} for a {self.statistic}"
                f"{' and a binary outcome' if self.binary else ''}; got {observed!r}."
            )
        if n_samples <= self.n_features:
            raise InvalidInputError(
                f"`n_samples` must exceed the {self.n_features} features; got {n_samples!r}."
            )
        low, high = sorted(map(float, self.properties))
        return low, high

    def _gain(self) -> float:
        """Return the information of a row relative to that of its attribute."""
        if self.noise == 0 and self.on_outcome:
            return 1.0
        by_outcome = self.on_outcome**2 / self.noise**2 if self.on_outcome else 0.0
        kappa = self.on_inputs**2 + by_outcome
        return kappa / (1 + kappa)

    def _summary(self) -> dict[str, object]:
        names = ("statistic", "on_inputs", "on_outcome", "n_features", "noise", "binary")
        return {**super()._summary(), **{name: getattr(self, name) for name in names}}
