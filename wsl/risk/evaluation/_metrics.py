"""What each target adds to a figure: every figure of an attack is the mean of such contributions.

From them come intervals (``_intervals``), tables (``_figures``) and comparisons (``_compare``).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

FALSE_POSITIVE_RATES = (0.01, 0.001)

# Negatives that are to be expected above a threshold before it has an interval: then some are with
# a probability of 97.5%. With 370 negatives the interval at 1% covered in 93 to 98% of simulations.
FEWEST_PASSING = 3.69


@dataclass(frozen=True, eq=False)
class Contributions:
    """A figure, taken apart.

    Attributes
    ----------
    values : ndarray ``(n_repeats, n_targets)``
        Their mean is the figure. Of one that is no mean of its own, such as the area under a curve,
        they are the figure plus the influence of each target on it.
    n_units : int or None
        Where the figure is a share: of how many targets it is at least one, for its interval. None
        where it is an error.
    """

    values: np.ndarray
    n_units: int | None = None


def contributions(
    guesses: np.ndarray, scores: np.ndarray | None, truth: np.ndarray, is_class: bool
) -> dict[str, Contributions]:
    """Return the contributions to each metric that what an attack said allows.

    Parameters
    ----------
    guesses : ndarray ``(n_repeats, n_targets)``, or ``(n_repeats, n_targets, n_properties)``
    scores : ndarray ``(n_repeats, n_targets, n_classes)`` or None
    truth : ndarray ``(n_targets,)``, or ``(n_targets, n_properties)``
    is_class : bool
        Whether truth and guesses are indices of classes.

    Returns
    -------
    dict from metric to Contributions
        "accuracy", and with scores "auc" and, of two classes and where there are negatives enough,
        "tpr_at_1%_fpr" and "tpr_at_0.1%_fpr"; or "mean_absolute_error", numbered where properties
        are several.
    """
    if not is_class:
        errors = np.abs(guesses - truth).reshape(*guesses.shape[:2], -1)
        names = error_names(errors.shape[2])
        return {name: Contributions(errors[:, :, i]) for i, name in enumerate(names)}
    hits = (guesses == truth).astype(float)
    found = {"accuracy": Contributions(hits, len(truth))}
    counts = np.bincount(truth, minlength=0 if scores is None else scores.shape[2])
    if scores is None or (counts == 0).any():
        return found
    found["auc"] = Contributions(area_contributions(scores, truth), int(counts.min()))
    if len(counts) > 2:
        return found
    for rate in FALSE_POSITIVE_RATES:
        if counts[0] * rate >= FEWEST_PASSING:
            values = hit_contributions(scores[:, :, 1], truth == 1, rate)
            found[rate_name(rate)] = Contributions(values, int(counts[1]))
    return found


def error_names(n_properties: int) -> list[str]:
    """Return the metric of each property that is a number."""
    if n_properties == 1:
        return ["mean_absolute_error"]
    return [f"mean_absolute_error_{i}" for i in range(n_properties)]


def rate_name(rate: float) -> str:
    """Return the metric for the hits at a rate of false alarms."""
    return f"tpr_at_{100 * rate:g}%_fpr"


def area_contributions(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    r"""Return what adds up to the area under the ROC curve, ``(n_repeats, n_targets)``.

    With more than two classes it is the mean over classes of one against the rest.

    Notes
    -----
    With :math:`V_i` the share of negatives below positive i, and :math:`W_j` that of positives
    above negative j, equal scores counting half, the area is :math:`A = \bar V = \bar W`, and its
    variance is that of :math:`\bar V` plus that of :math:`\bar W` [1]_. So a positive adds
    :math:`A + (V_i - A) n / n_1`, a negative :math:`A + (W_j - A) n / n_0`.

    References
    ----------
    .. [1] DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated
       receiver operating characteristic curves: a nonparametric approach", Biometrics 1988.
    """
    classes = [1] if scores.shape[2] == 2 else range(scores.shape[2])
    return np.mean([_area_of(scores[:, :, c], truth == c) for c in classes], axis=0)


def _area_of(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    n_1 = np.count_nonzero(positive)
    n_0 = len(positive) - n_1
    above = rankdata(scores, axis=1)  # how many of all are below, itself counted
    values = np.empty(scores.shape)
    own = rankdata(scores[:, positive], axis=1)
    values[:, positive] = (above[:, positive] - own) / n_0
    own = rankdata(scores[:, ~positive], axis=1)
    values[:, ~positive] = 1 - (above[:, ~positive] - own) / n_1
    area = values[:, positive].mean(1, keepdims=True)
    return area + (values - area) * len(positive) / np.where(positive, n_1, n_0)


def hit_contributions(scores: np.ndarray, positive: np.ndarray, rate: float) -> np.ndarray:
    r"""Return what adds up to the true-positive rate at a false-positive rate.

    Notes
    -----
    The threshold of each repeat lets ``rate`` of the negatives pass, of one with the threshold's
    own score a part. The threshold is a quantile of a sample, and its
    error moves the rate of hits along the curve: to first order, a negative j adds
    :math:`-f'(\alpha)(1[s_j > t] - \alpha)`, with the slope f' of the curve, here over one standard
    error of the quantile to either side, as the mean of the repeats shows it.
    """
    n_1 = np.count_nonzero(positive)
    n_0 = len(positive) - n_1
    reach = np.sqrt(rate * (1 - rate) / n_0)
    ends = [max(rate - reach, 0.0), min(rate + reach, 1.0)]
    rates = [_passing(scores, positive, end)[:, positive].mean() for end in ends]
    slope = (rates[1] - rates[0]) / (ends[1] - ends[0])
    passing = _passing(scores, positive, rate)
    hits = passing[:, positive].mean(1, keepdims=True)
    moved = np.where(positive, (passing - hits) / n_1, -slope * (passing - rate) / n_0)
    return hits + len(positive) * moved


def _passing(scores: np.ndarray, positive: np.ndarray, rate: float) -> np.ndarray:
    """Return how surely each target is above the threshold, which ``rate`` of negatives are.

    Of the targets with the threshold's own score a share passes, the same for all of them.
    """
    negatives = scores[:, ~positive]
    wanted = rate * negatives.shape[1]
    place = min(int(wanted + 1e-9), negatives.shape[1] - 1)
    level = -np.partition(-negatives, place, axis=1)[:, [place]]
    n_above = (negatives > level).sum(axis=1, keepdims=True)
    n_equal = (negatives == level).sum(axis=1, keepdims=True)
    return (scores > level) + (wanted - n_above) / n_equal * (scores == level)
