"""Curves and tables of what an attack said: ROC curves and the confusion of classes.

Figures with intervals come from ``_contributions``; pictures are drawn in ``_pictures``.
"""

import numpy as np
import pandas as pd


def roc_points(scores: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Return the ROC curve of an attack, the mean over its repeats at each false-positive rate.

    With more than two classes it is the mean over classes of one against the rest.

    Parameters
    ----------
    scores : ndarray ``(n_repeats, n_targets, n_classes)``
    truth : ndarray ``(n_targets,)`` of int

    Returns
    -------
    DataFrame with columns ``fpr`` and ``tpr``, both rising from the first to the last row
    """
    classes = [1] if scores.shape[2] == 2 else range(scores.shape[2])
    curves = [_mean_curve(scores[:, :, c], truth == c) for c in classes if (truth == c).any()]
    fpr = np.unique(np.concatenate([rates for rates, _ in curves]))
    tpr = np.mean([np.interp(fpr, *curve) for curve in curves], axis=0)
    # a vertical first step is lost where rates are interpolated
    start = [0.0] if tpr[0] > 0 else []
    return pd.DataFrame({"fpr": [*start, *fpr], "tpr": [*start, *tpr]})


def _mean_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rates at which negatives and positives pass, a threshold at each negative.

    Where scores are equal, the curve is straight.
    """
    n_0 = np.count_nonzero(~positive)
    rates = np.mean([_hits(own[positive], own[~positive]) for own in scores], axis=0)
    return np.arange(n_0 + 1) / n_0, np.append(rates, 1.0)


def _hits(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Return the share of positives above each negative, from the highest of them down."""
    levels, own = np.sort(negatives)[::-1], np.sort(positives)
    n_0, n_1 = len(negatives), len(positives)
    above, at_least = (n_1 - np.searchsorted(own, levels, side=side) for side in ("right", "left"))
    first = n_0 - np.searchsorted(levels[::-1], levels, side="right")  # negatives above it
    n_equal = n_0 - np.searchsorted(levels[::-1], levels, side="left") - first
    return (above + (np.arange(n_0) - first) / n_equal * (at_least - above)) / n_1


def confusion_table(guesses: np.ndarray, truth: np.ndarray, classes: tuple) -> pd.DataFrame:
    """Return the share of the targets of each class, a row, that is guessed to be of each class.

    Parameters
    ----------
    guesses : ndarray ``(n_repeats, n_targets)`` of int
    truth : ndarray ``(n_targets,)`` of int
    classes : tuple
    """
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (np.broadcast_to(truth, guesses.shape).ravel(), guesses.ravel()), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [str(value) for value in classes]
    return pd.DataFrame(
        shares, index=pd.Index(labels, name="truth"), columns=pd.Index(labels, name="guess")
    )
