"""ROC curves and confusion tables of attacks."""

import numpy as np
import pandas as pd


def roc_points(scores: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Return the ROC curve of an attack, averaged over its repeats at each false-positive rate.

    With more than two classes, it is the average of each class against the rest.

    Parameters
    ----------
    scores : ndarray of shape (n_repeats, n_targets, n_classes)
    truth : ndarray of int, of shape (n_targets,)

    Returns
    -------
    DataFrame with columns ``fpr`` and ``tpr``, both rising from the first to the last row
    """
    classes = [1] if scores.shape[2] == 2 else range(scores.shape[2])
    curves = [_mean_curve(scores[:, :, c], truth == c) for c in classes if (truth == c).any()]
    fpr = np.unique(np.concatenate([rates for rates, _ in curves]))
    tpr = np.mean([np.interp(fpr, *curve) for curve in curves], axis=0)
    # interpolation loses a vertical first step
    start = [0.0] if tpr[0] > 0 else []
    return pd.DataFrame({"fpr": [*start, *fpr], "tpr": [*start, *tpr]})


def _mean_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false- and true-positive rates ``(n_negatives + 1,)``, averaged over repeats.

    There is a threshold at each negative; between equal scores, the curve is straight.
    """
    n_0 = np.count_nonzero(~positive)
    rates = np.mean([_true_positive_rates(s[positive], s[~positive]) for s in scores], axis=0)
    return np.arange(n_0 + 1) / n_0, np.append(rates, 1.0)


def _true_positive_rates(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Return the fraction of positives above each negative, from the highest negative down."""
    levels, ranked = np.sort(negatives)[::-1], np.sort(positives)
    n_0, n_1 = len(negatives), len(positives)
    above, at_least = (
        n_1 - np.searchsorted(ranked, levels, side=side) for side in ("right", "left")
    )
    first = n_0 - np.searchsorted(levels[::-1], levels, side="right")  # negatives above it
    n_equal = n_0 - np.searchsorted(levels[::-1], levels, side="left") - first
    return (above + (np.arange(n_0) - first) / n_equal * (at_least - above)) / n_1


def confusion_table(guesses: np.ndarray, truth: np.ndarray, classes: tuple) -> pd.DataFrame:
    """Return the fractions of the targets of each class (rows) that are guessed as each class.

    Parameters
    ----------
    guesses : ndarray of int, of shape (n_repeats, n_targets)
    truth : ndarray of int, of shape (n_targets,)
    classes : tuple
        The values of the property.
    """
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (np.broadcast_to(truth, guesses.shape).ravel(), guesses.ravel()), 1)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [str(value) for value in classes]
    return pd.DataFrame(
        fractions, index=pd.Index(labels, name="truth"), columns=pd.Index(labels, name="guess")
    )
