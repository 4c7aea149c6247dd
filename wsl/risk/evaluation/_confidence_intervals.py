"""Confidence intervals for attacks that are trained several times and run on the same targets."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

# Theory gives 1 for an attack that depends linearly on its shadow models. Attacks on halves of few
# shadow models scatter less about their mean than this mean does from pool to pool; 1.5 is the
# value with which intervals cover in simulations of 32 shadow models, too.
POOL_FACTOR = 1.5


@dataclass(frozen=True)
class Estimate:
    """An estimate with the bounds of its 95% interval.

    Parameters
    ----------
    value : float
        The estimate.
    low : float
        The lower end of its interval.
    high : float
        The upper end of its interval.

    See Also
    --------
    GameReport : Holds the prior's risk as an estimate.

    Examples
    --------
    >>> from wsl.risk import Estimate
    >>> Estimate(0.5, 0.4, 0.6).low
    0.4
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class VarianceEstimate:
    """The variance of a mean over repeats and targets, and its degrees of freedom."""

    variance: float
    degrees_of_freedom: float


def crossed_variance(scores: np.ndarray) -> VarianceEstimate:
    r"""Return the variance of the mean of ``scores`` over samples of targets and shadow models.

    Parameters
    ----------
    scores : ndarray of shape (n_repeats, n_targets)
        Score of the attack trained in each repeat on each target; at least 2 by 2.

    Notes
    -----
    With the mean squares of a two-way layout of R repeats and T targets, the components are
    :math:`\sigma_{RT}^2 = MS_{RT}`, :math:`\sigma_T^2 = (MS_T - MS_{RT})_+ / R` and
    :math:`\sigma_R^2 = (MS_R - MS_{RT})_+ / T`, and

    .. math:: \mathrm{Var} = \frac{\sigma_T^2}{T} + \Big(c + \frac{1}{R}\Big) \sigma_R^2
              + \frac{\sigma_{RT}^2}{R T}.

    The repeats are dependent: each trains on a random half of one pool of shadow models.
    Their variance about their mean is :math:`\sigma_R^2 / R`; in addition, another pool would move
    that mean by a variance near the one between halves, :math:`c \sigma_R^2`. For a linear
    statistic c = 1 (the delete-half jackknife [1]_: half of n values scatters about the whole with
    variance :math:`(1 - \tfrac12) s^2 / (n / 2) = s^2 / n`); attacks need 1.5, by simulation. The
    degrees of freedom are Satterthwaite's, of the sum over targets and of :math:`\sigma_R^2`.

    References
    ----------
    .. [1] Shao and Wu, "A general theory for jackknife variance estimation", Annals of Statistics
       1989.
    """
    n_repeats, n_targets = scores.shape
    mean, by_repeat, by_target = scores.mean(), scores.mean(1), scores.mean(0)
    rest = scores - by_repeat[:, None] - by_target + mean
    df = {"T": n_targets - 1, "R": n_repeats - 1, "RT": (n_targets - 1) * (n_repeats - 1)}
    ms_rest = float((rest**2).sum() / df["RT"])
    ms_target = float(n_repeats * by_target.var(ddof=1))
    ms_repeat = float(n_targets * by_repeat.var(ddof=1))
    of_targets = max(ms_target, ms_rest) / (n_repeats * n_targets)
    of_repeats = max(ms_repeat - ms_rest, 0) / n_targets * (POOL_FACTOR + 1 / n_repeats)
    variance = of_targets + of_repeats
    doubt = of_targets**2 / df["T"] + of_repeats**2 / df["R"]
    known = variance**2 / doubt if doubt > 0 else df["T"]
    return VarianceEstimate(variance, min(max(known, df["R"]), df["T"]))


def target_variance(scores: np.ndarray) -> VarianceEstimate:
    """Return the variance of the mean of scores ``(n_targets,)``."""
    return VarianceEstimate(float(scores.var(ddof=1)) / len(scores), len(scores) - 1)


def variance_of_mean(scores: np.ndarray) -> VarianceEstimate:
    """Return the variance of the mean of scores ``(n_repeats, n_targets)``."""
    return crossed_variance(scores) if len(scores) > 1 else target_variance(scores[0])


def proportion_interval(
    scores: np.ndarray, level: float = 0.95, n_units: int | None = None
) -> Estimate:
    r"""Return an estimate in [0, 1], such as a fraction of correct guesses, by Wilson's interval.

    Parameters
    ----------
    scores : ndarray of shape (n_repeats, n_targets)
        Correct guesses, or other contributions whose mean is the estimate.
    level : float, default=0.95
    n_units : int, optional
        The number of targets in the denominator of the proportion; by default all.

    Notes
    -----
    With p the estimate and Var from :func:`crossed_variance`, the effective number of targets is
    :math:`n = p (1 - p) / \mathrm{Var}`. Where wrong or correct guesses are rare, Var is hardly
    known: with e of them per repeat, the ratio of ``n_units`` to n is :math:`(e q + 1) / (e + 1)`,
    between its estimate q and 1, as if repeats counted no target twice. Wilson's interval with n in
    place of the sample size, and Student's quantile, stays within [0, 1] and has a width at p = 0
    and p = 1. Near those ends its coverage is above its level.

    References
    ----------
    .. [1] Wilson, "Probable inference, the law of succession, and statistical inference", JASA
       1927.
    """
    scores = np.asarray(scores, dtype=float)
    n_units = n_units or scores.shape[1]
    value = min(max(float(scores.mean()), 0.0), 1.0)
    estimate, binomial = variance_of_mean(scores), value * (1 - value)
    n_rare = n_units * min(value, 1 - value)
    ratio, df = _shrunken_ratio(estimate, binomial / n_units, n_rare)
    n_effective = n_units / ratio
    t = float(stats.t.ppf((1 + level) / 2, df))
    widened = 1 + t**2 / n_effective
    center = (value + t**2 / (2 * n_effective)) / widened
    half = t / widened * math.sqrt(binomial / n_effective + t**2 / (4 * n_effective**2))
    return Estimate(value, max(0.0, min(center - half, value)), min(1.0, max(center + half, value)))


def _shrunken_ratio(
    estimate: VarianceEstimate, variance: float, n_rare: float
) -> tuple[float, float]:
    """Return estimated over theoretical variance, nearer 1 the rarer errors are; and its df."""
    if variance * n_rare <= 0:
        return 1.0, estimate.degrees_of_freedom
    ratio = estimate.variance / variance
    return (n_rare * ratio + 1) / (n_rare + 1), estimate.degrees_of_freedom


def area_interval(
    contributions: np.ndarray, n_fewer: int, n_others: int, level: float = 0.95
) -> Estimate:
    r"""Return an area under the ROC curve with the interval of a score test.

    Parameters
    ----------
    contributions : ndarray of shape (n_repeats, n_targets)
        The area plus the influence of each target on it.
    n_fewer, n_others : int
        The number of targets of the smallest class, and of all others.
    level : float, default=0.95

    Notes
    -----
    The interval holds the areas A with :math:`|\hat A - A| \le t \sqrt{q V(A)}`, where V is the
    variance of the area between exponential distributions [1]_ with both sample sizes at their
    mean, as in Newcombe's method 5 [2]_, and q is the ratio of :func:`crossed_variance` to
    :math:`V(\hat A)`. So it stays within [0, 1] and has a width where the classes are separated.
    Where few pairs are in the wrong order, q is hardly known and is taken nearer to 1.

    References
    ----------
    .. [1] Hanley and McNeil, "The meaning and use of the area under a receiver operating
       characteristic (ROC) curve", Radiology 1982.
    .. [2] Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney
       statistic. Part 2", Statistics in Medicine 2006.
    """
    value = min(max(float(contributions.mean()), 0.0), 1.0)

    def variance(area: float) -> float:
        m = (n_fewer + n_others) / 2 - 1
        spread = 1 + m * (1 - area) / (2 - area) + m * area / (1 + area)
        return area * (1 - area) * spread / (n_fewer * n_others)

    n_rare = min(n_fewer, n_others) * min(value, 1 - value)
    ratio, df = _shrunken_ratio(variance_of_mean(contributions), variance(value), n_rare)
    t = float(stats.t.ppf((1 + level) / 2, df))

    def beyond(area: float) -> float:
        return abs(value - area) - t * math.sqrt(ratio * variance(area))

    def end(far: float) -> float:
        near = value + (far - value) * 1e-9
        return value if beyond(near) >= 0 else float(optimize.brentq(beyond, far, near))

    return Estimate(value, end(0.0) if value > 0 else 0.0, end(1.0) if value < 1 else 1.0)


def mean_interval(
    scores: np.ndarray,
    level: float = 0.95,
    floor: float = -math.inf,
    further_variance: float = 0.0,
) -> Estimate:
    """Return the mean of ``scores`` with Student's interval, cut at ``floor``.

    Parameters
    ----------
    scores : ndarray of shape (n_repeats, n_targets)
    level : float, default=0.95
    floor : float, optional
        The least possible value, 0 for an error.
    further_variance : float, default=0
        Variance of the mean that the scores do not show, such as that of a common test set.
    """
    scores = np.asarray(scores, dtype=float)
    estimate = variance_of_mean(scores)
    mean = float(scores.mean())
    t = float(stats.t.ppf((1 + level) / 2, estimate.degrees_of_freedom))
    half = t * math.sqrt(estimate.variance + further_variance)
    return Estimate(mean, max(floor, mean - half), mean + half)


def difference_interval(one: Estimate, other: Estimate, correlation: float = 0.0) -> Estimate:
    r"""Return ``one`` minus ``other``, with an interval recovered from their intervals.

    Parameters
    ----------
    one, other : Estimate
    correlation : float, default=0
        The correlation of the two estimates, if they come from the same targets.

    Notes
    -----
    With values :math:`a, b` and bounds :math:`l, u`, the lower bound is [1]_

    .. math:: a - b - \sqrt{(a - l_a)^2 - 2 r (a - l_a)(u_b - b) + (u_b - b)^2},

    and the upper one alike. It has a width at 0 and 1, where variances are estimated as 0.

    References
    ----------
    .. [1] Zou and Donner, "Construction of confidence limits about effect measures: a general
       approach", Statistics in Medicine 2008; for proportions, Newcombe 1998.
    """
    difference = one.value - other.value

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(a**2 - 2 * correlation * a * b + b**2, 0.0))

    return Estimate(
        difference,
        difference - reach(one.value - one.low, other.high - other.value),
        difference + reach(one.high - one.value, other.value - other.low),
    )


def correlation_of(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two means over the same repeats and targets, 0 of a constant."""
    a, b, between = (variance_of_mean(x).variance for x in (one, other, one - other))
    if a <= 0 or b <= 0:
        return 0.0
    return min(max((a + b - between) / (2 * math.sqrt(a * b)), -1.0), 1.0)
