"""``GaussianFamily``: a Gaussian attribute that inputs and outcome may or may not depend on.

What the best adversary reaches on it lives in ``_bayes``.
"""

import copy
from typing import Any

import numpy as np
from scipy.special import expit, logit

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from . import _bayes_accuracy
from ._base import DistributionFamily, Sample
from ._properties import central_value, check_numbers, count_numbers

RANGES = {"mean": (-np.inf, np.inf), "deviation": (0, np.inf), "share": (0, 1)}


class GaussianFamily(DistributionFamily):
    r"""Linear Gaussian data with an attribute that no model sees; the property is its distribution.

    Two numbers say how the attribute comes into what a model learns: ``on_inputs`` ties it to an
    input and ``on_outcome`` to the outcome. With ``on_outcome=0`` the property is independent of
    the task, with both it is correlated with the task. The best adversary is known, see
    :meth:`bayes_accuracy`.

    Parameters
    ----------
    statistic : {"mean", "deviation", "share"}, default="mean"
        What of the attribute the property is: the mean of a normal one with standard deviation 1,
        the standard deviation of one with mean 0, or the share of ones among zeros.
    properties : tuple of numbers, Interval or list of Interval, default=(0, 1)
        Several numbers, a list of intervals or classes that are tuples, are the same statistic of
        as many attributes, each tied to an input of its own.
    on_inputs : float, default=1.0
        How much of the attribute is in its input.
    on_outcome : float, default=1.0
        How much of the attribute is in the outcome, besides the inputs.
    n_features : int, default=4
        Inputs, more of them than attributes.
    noise : float, default=1.0
        Standard deviation of the outcome, given inputs and attribute.
    binary : bool, default=False
        Whether the outcome is 1 where it is positive and 0 elsewhere.

    Raises
    ------
    InvalidInputError
        If ``statistic`` is unknown, properties lie outside its range, ``noise`` is negative, or
        there are too few features.

    Notes
    -----
    A row has attributes :math:`A_1, \dots, A_k`, one for each number p of the property, and

    .. math:: X_j = \mathrm{on\_inputs}\, A_j + N(0, 1) \ (j \le k), \quad
              X_j = N(0, 1) \ (j > k), \quad
              Y = \sum_{j > k} X_j + \mathrm{on\_outcome} \sum_j A_j + N(0, \mathrm{noise}^2).

    The four cases of an attribute that X and Y depend on, or not, are those of [1]_.

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
            raise InvalidInputError(f"statistic={statistic!r}; wanted one of {sorted(RANGES)}")
        for name, value in (("on_inputs", on_inputs), ("on_outcome", on_outcome), ("noise", noise)):
            if not np.isfinite(value) or (name == "noise" and value < 0):
                raise InvalidInputError(f"{name}={value!r}; wanted a finite number, noise >= 0")
        low, high = RANGES[statistic]
        n_numbers = count_numbers(properties)
        wanted = f"numbers that a {statistic} can be"
        self.properties = check_numbers(properties, low, high, wanted, n_numbers)
        if n_features <= n_numbers:
            raise InvalidInputError(
                f"n_features={n_features}; wanted more than the {n_numbers} numbers of the property"
            )
        self.statistic = statistic
        self.on_inputs = on_inputs
        self.on_outcome = on_outcome
        self.n_features = n_features
        self.noise = noise
        self.binary = binary
        self.property_is_share = statistic == "share" and n_numbers == 1
        self._n_numbers = n_numbers
        self._common: np.ndarray | None = None

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`.

        Returns
        -------
        X : ndarray ``(n_samples, n_features)`` float32
        y : ndarray ``(n_samples,)`` float32, or int64 for a binary outcome
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
        if self.statistic == "share":
            return (rng.random(shape, dtype=np.float32) < p).astype(np.float32)
        normal = rng.standard_normal(shape, dtype=np.float32)
        values = p.astype(np.float32)
        return normal + values if self.statistic == "mean" else normal * values

    def with_common_conditional(self) -> "GaussianFamily":
        r"""Return the family whose outcome, given the inputs, is that of the mean property.

        Inputs keep the distribution that each value gives them. The outcome is drawn with
        attributes of its own, from :math:`A | X` at the mean property: E[Y|X], and the noise about
        it, are the same at every value.

        Returns
        -------
        GaussianFamily
        """
        family = copy.copy(self)
        family._common = central_value(self.property_values)
        return family

    def _redraw(self, p: np.ndarray, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw attributes given the inputs that they are in, ``(n_samples, n_properties)``."""
        a = self.on_inputs
        if self.statistic == "share":
            chance = expit(logit(p) + a * X - a**2 / 2)
            return (rng.random(X.shape) < chance).astype(np.float32)
        prior_mean, variance = (p, np.ones_like(p)) if self.statistic == "mean" else (0 * p, p**2)
        spread = variance / (1 + a**2 * variance)
        centre = (prior_mean + a * variance * X) / (1 + a**2 * variance)
        return (centre + np.sqrt(spread) * rng.standard_normal(X.shape)).astype(np.float32)

    def bayes_accuracy(self, n_samples: int, sees: str = "rows") -> float:
        r"""Return how often the best adversary tells the two values of the property apart.

        Parameters
        ----------
        n_samples : int
            Rows of the training set.
        sees : {"rows", "attribute", "coefficients"}, default="rows"
            "rows": the training set itself, X and y, which bounds every attack on any model; for
            means and deviations. "attribute": the attribute of each row, a bound for all three
            statistics, and a looser one. "coefficients": slopes and intercept of a linear model
            fitted to the training set by least squares; for means.

        Returns
        -------
        float
            Exact, with both values equally likely.

        Raises
        ------
        InvalidInputError
            If the property is not one of two numbers, ``sees`` is unknown or not known for this
            statistic or outcome, or there are too few rows.

        Notes
        -----
        With :math:`a` = on_inputs, :math:`b` = on_outcome and :math:`\kappa = a^2 + b^2 /
        \mathrm{noise}^2`, a row (X, y) tells as much as the attribute seen with the variance
        :math:`1 / \kappa` of noise. For means :math:`p_0, p_1` the accuracy is then
        :math:`\Phi(\sqrt n\, |p_1 - p_0| \sqrt{\kappa / (1 + \kappa)} / 2)`; for deviations
        it is that of telling two variances apart by a sum of squares, and for shares by a count.
        """
        low, high = self._check_known(n_samples, sees)
        if sees == "coefficients":
            return _bayes_accuracy.mean_by_least_squares(
                high - low, n_samples, self.n_features, self.on_inputs, self.on_outcome, self.noise
            )
        gain = 1.0 if sees == "attribute" else self._gain()
        if self.statistic == "mean":
            return _bayes_accuracy.mean(high - low, n_samples, gain)
        if self.statistic == "deviation":
            return _bayes_accuracy.variance(
                1 - gain + gain * low**2, 1 - gain + gain * high**2, n_samples
            )
        return _bayes_accuracy.share(low, high, n_samples)

    def _check_known(self, n_samples: int, sees: str) -> tuple[float, float]:
        """Return the two numbers of the property, the lower one first."""
        if not isinstance(self.properties, tuple) or np.shape(self.properties) != (2,):
            raise InvalidInputError(
                f"properties={self.properties!r}; the best adversary is known for two numbers"
            )
        if self._common is not None:
            raise InvalidInputError("the best adversary is not known for a common conditional")
        known = {"mean": ("rows", "coefficients"), "deviation": ("rows",), "share": ()}
        allowed = ("attribute", *(() if self.binary else known[self.statistic]))
        if sees not in allowed:
            raise InvalidInputError(
                f"sees={sees!r}; wanted one of {allowed} for a {self.statistic}"
                f"{' and a binary outcome' if self.binary else ''}"
            )
        if n_samples <= self.n_features:
            raise InvalidInputError(
                f"n_samples={n_samples!r}; wanted more than the {self.n_features} features"
            )
        low, high = sorted(map(float, self.properties))
        return low, high

    def _gain(self) -> float:
        """Return the share of what a row tells in what its attribute would tell."""
        if self.noise == 0 and self.on_outcome:
            return 1.0
        by_outcome = self.on_outcome**2 / self.noise**2 if self.on_outcome else 0.0
        kappa = self.on_inputs**2 + by_outcome
        return kappa / (1 + kappa)

    def _summary(self) -> dict[str, object]:
        names = ("statistic", "on_inputs", "on_outcome", "n_features", "noise", "binary")
        return {**super()._summary(), **{name: getattr(self, name) for name in names}}
