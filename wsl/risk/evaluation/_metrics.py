"""Metrics of attacks, each as the mean of contributions of the targets."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

FALSE_POSITIVE_RATES = (0.01, 0.001)

# Expected number of negatives above a threshold for which at least one is there with a probability
# of 97.5%. With 370 negatives, the interval at a rate of 1% covered in 93 to 98% of simulations.
FEWEST_PASSING = 3.69


@dataclass(frozen=True, eq=False)
class Contributions:
    """A metric as contributions of targets.

    Attributes
    ----------
    values : ndarray of shape (n_repeats, n_targets)
        Their mean is the metric. For a metric that is not itself a mean, such as the area under a
        curve, they are the metric plus the influence of each target on it.
    n_units : int or None
        The least number of targets in the denominator of a metric in [0, 1], for its interval.
        None for an error.
    is_area : bool
        Whether the metric is an area under a curve; ``n_units`` is then the size of the smallest
        class.
    """

    values: np.ndarray
    n_units: int | None = None
    is_area: bool = False


def contributions(
    guesses: np.ndarray, scores: np.ndarray | None, truth: np.ndarray, is_class: bool
) -> dict[str, Contributions]:
    """Return the contributions to each metric that the guesses of an attack allow.

    Parameters
    ----------
    guesses : ndarray of shape (n_repeats, n_targets) or (n_repeats, n_targets, n_properties)
    scores : ndarray of shape (n_repeats, n_targets, n_classes), or None
    truth : ndarray of shape (n_targets,) or (n_targets, n_properties)
    is_class : bool
        Whether truth and guesses are indices of classes.

    Returns
    -------
    dict from metric to Contributions
        "accuracy"; with scores also "auc" and, for two classes and enough negatives,
        "tpr_at_1%_fpr" and "tpr_at_0.1%_fpr"; or "mean_absolute_error", numbered if there are
        several properties.
    """
    if not is_class:
        errors = np.abs(guesses - truth).reshape(*guesses.shape[:2], -1)
        names = error_names(errors.shape[2])
        return {name: Contributions(errors[:, :, i]) for i, name in enumerate(names)}
    correct = (guesses == truth).astype(float)
    parts = {"accuracy": Contributions(correct, len(truth))}
    counts = np.bincount(truth, minlength=0 if scores is None else scores.shape[2])
    if scores is None or (counts == 0).any():
        return parts
    parts["auc"] = Contributions(auc_contributions(scores, truth), int(counts.min()), is_area=True)
    if len(counts) > 2:
        return parts
    for rate in FALSE_POSITIVE_RATES:
        if counts[0] * rate >= FEWEST_PASSING:
            values = tpr_contributions(scores[:, :, 1], truth == 1, rate)
            parts[rate_name(rate)] = Contributions(values, int(counts[1]))
    return parts


def error_names(n_properties: int) -> list[str]:
    """Return the metric of each continuous property."""
    if n_properties == 1:
        return ["mean_absolute_error"]
    return [f"mean_absolute_error_{i}" for i in range(n_properties)]


def rate_name(rate: float) -> str:
    """Return the metric for the true-positive rate at a false-positive rate."""
    return f"tpr_at_{100 * rate:g}%_fpr"


def auc_contributions(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    r"""Return contributions to the area under the ROC curve, ``(n_repeats, n_targets)``.

    With more than two classes, it is the average of each class against the rest.

    Notes
    -----
    With :math:`V_i` the fraction of negatives below positive i, and :math:`W_j` that of positives
    above negative j, equal scores counting half, the area is :math:`A = \bar V = \bar W`, and its
    variance is that of :math:`\bar V` plus that of :math:`\bar W` [1]_. A positive contributes
    :math:`A + (V_i - A) n / n_1`, a negative :math:`A + (W_j - A) n / n_0`.

    References
    ----------
    .. [1] DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated
       receiver operating characteristic curves: a nonparametric approach", Biometrics 1988.
    """
    classes = [1] if scores.shape[2] == 2 else range(scores.shape[2])
    return np.mean(
        [_binary_auc_contributions(scores[:, :, c], truth == c) for c in classes], axis=0
    )


def _binary_auc_contributions(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    n_1 = np.count_nonzero(positive)
    n_0 = len(positive) - n_1
    above = rankdata(scores, axis=1)  # number of targets below, counting itself
    values = np.empty(scores.shape)
    within = rankdata(scores[:, positive], axis=1)
    values[:, positive] = (above[:, positive] - within) / n_0
    within = rankdata(scores[:, ~positive], axis=1)
    values[:, ~positive] = 1 - (above[:, ~positive] - within) / n_1
    area = values[:, positive].mean(1, keepdims=True)
    return area + (values - area) * len(positive) / np.where(positive, n_1, n_0)


def tpr_contributions(scores: np.ndarray, positive: np.ndarray, rate: float) -> np.ndarray:
    r"""Return contributions to the true-positive rate at a false-positive rate.

    Notes
    -----
    The threshold of each repeat is exceeded by a fraction ``rate`` of the negatives, where a
    negative at the threshold counts in part. The threshold is a quantile of a sample, and its
    error moves the true-positive rate along the curve: to first order, a negative j contributes
    :math:`-f'(\alpha)(1[s_j > t] - \alpha)`, with the slope f' of the curve over one standard
    error of the quantile to either side, averaged over repeats.
    """
    n_1 = np.count_nonzero(positive)
    n_0 = len(positive) - n_1
    reach = np.sqrt(rate * (1 - rate) / n_0)
    ends = [max(rate - reach, 0.0), min(rate + reach, 1.0)]
    rates = [_passing(scores, positive, end)[:, positive].mean() for end in ends]
    slope = (rates[1] - rates[0]) / (ends[1] - ends[0])
    passing = _passing(scores, positive, rate)
    tpr = passing[:, positive].mean(1, keepdims=True)
    influence = np.where(positive, (passing - tpr) / n_1, -slope * (passing - rate) / n_0)
    return tpr + len(positive) * influence


def _passing(scores: np.ndarray, positive: np.ndarray, rate: float) -> np.ndarray:
    """Return 1 for targets above the threshold, which a fraction ``rate`` of negatives exceeds.

    Targets at the threshold have the same fraction each.
    """
    negatives = scores[:, ~positive]
    n_passing = rate * negatives.shape[1]
    rank = min(int(n_passing + 1e-9), negatives.shape[1] - 1)
    level = -np.partition(-negatives, rank, axis=1)[:, [rank]]
    n_above = (negatives > level).sum(axis=1, keepdims=True)
    n_equal = (negatives == level).sum(axis=1, keepdims=True)
    return (scores > level) + (n_passing - n_above) / n_equal * (scores == level)
