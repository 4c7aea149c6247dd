"""Confidence intervals for attacks that are trained several times and tried on the same targets.

What the figures are computed from lives in ``_trials`` and ``_shadows``.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

FEWEST_ERRORS = 10  # below it the spread of rare errors is not estimated but bounded


@dataclass(frozen=True)
class Estimate:
    """A figure with the bounds of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """The variance of a mean over repeats and targets, and how well it is known."""

    variance: float
    degrees_of_freedom: float


def crossed_spread(scores: np.ndarray) -> Spread:
    r"""Return the variance of the mean of ``scores``, targets and shadow models being samples.

    Parameters
    ----------
    scores : ndarray ``(n_repeats, n_targets)``
        Score of the attack trained in each repeat on each target; at least 2 by 2.

    Notes
    -----
    With the mean squares of a two-way layout of R repeats and T targets, the components are
    :math:`\sigma_{RT}^2 = MS_{RT}`, :math:`\sigma_T^2 = (MS_T - MS_{RT})_+ / R` and
    :math:`\sigma_R^2 = (MS_R - MS_{RT})_+ / T`, and

    .. math:: \mathrm{Var} = \frac{\sigma_T^2}{T} + \Big(1 + \frac{1}{R}\Big) \sigma_R^2
              + \frac{\sigma_{RT}^2}{R T}.

    The repeats are no independent draws: each trains on a random half of one pool of shadow models.
    Their spread about their mean is :math:`\sigma_R^2 / R`; beyond it, another pool would move that
    mean by a variance that equals the spread between halves, :math:`\sigma_R^2` (the delete-half
    jackknife [1]_: half of n values scatters about the whole with variance
    :math:`(1 - \tfrac12) s^2 / (n / 2) = s^2 / n`). The degrees of freedom are Satterthwaite's, of
    the mean squares as they stand: a component that came out as 0 by luck is not thereby known.

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
    parts = {
        "T": max(ms_target - ms_rest, 0) / (n_repeats * n_targets),
        "R": max(ms_repeat - ms_rest, 0) / n_targets * (1 + 1 / n_repeats),
        "RT": ms_rest / (n_repeats * n_targets),
    }
    variance = sum(parts.values())
    doubt = (ms_target / (n_repeats * n_targets)) ** 2 / df["T"]
    doubt += (ms_repeat * (1 + 1 / n_repeats) / n_targets) ** 2 / df["R"]
    known = variance**2 / doubt if doubt > 0 else df["T"]
    return Spread(variance, min(max(known, df["R"]), df["T"]))


def target_spread(scores: np.ndarray) -> Spread:
    """Return the variance of the mean of scores ``(n_targets,)``, one for each target."""
    return Spread(float(scores.var(ddof=1)) / len(scores), len(scores) - 1)


def _spread(scores: np.ndarray) -> Spread:
    return crossed_spread(scores) if len(scores) > 1 else target_spread(scores[0])


def share_interval(hits: np.ndarray, level: float = 0.95) -> Estimate:
    r"""Return the share of hits with Wilson's interval at an effective number of targets.

    Parameters
    ----------
    hits : ndarray ``(n_repeats, n_targets)`` of bool
    level : float, default=0.95

    Notes
    -----
    With p the share and Var from :func:`crossed_spread`, the effective number of targets is
    :math:`n = p (1 - p) / \mathrm{Var}`. Where hits or misses number fewer than ten a repeat,
    Var cannot be estimated and :math:`n \le T` is imposed: repeats then count no target twice.
    Wilson's interval with n in place of the sample size, and Student's quantile, keeps within
    [0, 1] and has a width at p = 0 and p = 1.

    References
    ----------
    .. [1] Wilson, "Probable inference, the law of succession, and statistical inference", JASA
       1927.
    """
    hits = np.asarray(hits, dtype=float)
    n_repeats, n_targets = hits.shape
    share = float(hits.mean())
    spread = _spread(hits)
    binomial = share * (1 - share)
    n_effective = binomial / spread.variance if spread.variance > 0 else math.inf
    df = spread.degrees_of_freedom
    rare = n_repeats == 1 or n_targets * min(share, 1 - share) < FEWEST_ERRORS
    if n_effective == math.inf or (rare and n_effective > n_targets):
        n_effective, df = n_targets, n_targets - 1
    t = float(stats.t.ppf((1 + level) / 2, df))
    widened = 1 + t**2 / n_effective
    centre = (share + t**2 / (2 * n_effective)) / widened
    half = t / widened * math.sqrt(binomial / n_effective + t**2 / (4 * n_effective**2))
    return Estimate(share, max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))


def mean_interval(scores: np.ndarray, level: float = 0.95, floor: float = -math.inf) -> Estimate:
    """Return the mean of ``scores`` with Student's interval, cut at ``floor``.

    Parameters
    ----------
    scores : ndarray ``(n_repeats, n_targets)``
    level : float, default=0.95
    floor : float, optional
        The least value that the figure can take, 0 for an error.
    """
    scores = np.asarray(scores, dtype=float)
    spread = _spread(scores)
    mean = float(scores.mean())
    t = float(stats.t.ppf((1 + level) / 2, spread.degrees_of_freedom))
    half = t * math.sqrt(spread.variance)
    return Estimate(mean, max(floor, mean - half), mean + half)
