"""Accuracy of the best adversary that distinguishes two Gaussian distributions, in closed form."""

import numpy as np
from scipy import stats

N_POINTS = 400


def mean(difference: float, n_samples: int, gain: float = 1.0) -> float:
    """Return the accuracy for two means of ``n_samples`` normal draws.

    ``gain`` is the information of a draw relative to one with standard deviation 1.
    """
    return float(stats.norm.cdf(np.sqrt(n_samples * gain) * difference / 2))


def variance(low: float, high: float, n_samples: int) -> float:
    """Return the accuracy for two variances of ``n_samples`` normal draws with mean 0."""
    if low == high:
        return 0.5
    if low == 0:
        return 1.0
    bound = n_samples * np.log(high / low) / (1 / low - 1 / high)  # of the sum of squares
    below = stats.chi2.cdf([bound / low, bound / high], n_samples)
    return float((1 + below[0] - below[1]) / 2)


def fraction(low: float, high: float, n_samples: int) -> float:
    """Return the accuracy for two fractions, from the count among ``n_samples`` draws."""
    counts = np.arange(n_samples + 1)
    difference = stats.binom.pmf(counts, n_samples, low) - stats.binom.pmf(counts, n_samples, high)
    return float(0.5 + np.abs(difference).sum() / 4)


def mean_by_least_squares(
    difference: float,
    n_samples: int,
    n_features: int,
    on_inputs: float,
    on_outcome: float,
    noise: float,
) -> float:
    r"""Return the accuracy for two means of an attribute, from slopes and intercept of a fit.

    Notes
    -----
    Given X, the outcome has slopes that do not depend on the mean p, the intercept
    :math:`b p / (1 + a^2)` and the variance :math:`\tau^2 = b^2 / (1 + a^2) + \mathrm{noise}^2`.
    The slopes' errors :math:`\delta` are independent of the means of the rows, so the slopes alone
    are not informative; given them, the intercept is normal with a mean that p shifts by
    :math:`b / (1 + a^2) + a \delta_1` and the variance :math:`(\tau^2 + \delta^T \Sigma \delta) /
    n`. The errors are :math:`\delta = \tau \Sigma^{-1/2} t` with a t in a random direction and
    :math:`|t|^2 / (1 + |t|^2) \sim \mathrm{Beta}(d / 2, (n - d) / 2)`, averaged over here.
    """
    deviation = np.sqrt(1 + on_inputs**2)
    tau = np.sqrt((on_outcome / deviation) ** 2 + noise**2)
    if tau == 0:
        return 1.0 if on_outcome and difference else 0.5
    levels = (np.arange(N_POINTS) + 0.5) / N_POINTS
    quantiles = stats.beta.ppf(levels, n_features / 2, (n_samples - n_features) / 2)[:, None]
    length = np.sqrt(quantiles / (1 - quantiles))
    cosine = np.sqrt(stats.beta.ppf(levels, 0.5, (n_features - 1) / 2))
    first = length * np.concatenate([-cosine, cosine])
    shift = np.abs(on_outcome / deviation**2 + on_inputs * tau * first / deviation)
    certainty = np.sqrt(n_samples) * difference * shift / (tau * np.sqrt(1 + length**2))
    return float(stats.norm.cdf(certainty / 2).mean())
