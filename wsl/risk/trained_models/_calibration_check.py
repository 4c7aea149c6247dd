"""Whether posteriors are calibrated: checked on shadow models that they were not fitted to."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd

from ..evaluation._confidence_intervals import Estimate, proportion_interval

N_DRAWS = 500
MODELS_PER_BIN, MAX_BINS = 40, 10
LEVELS = np.linspace(0.1, 0.9, 9)
RELIABILITY_COLUMNS = ("probability", "frequency", "ci_low", "ci_high", "n_models")


def class_reliability(posteriors: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Return how often the most probable class is true, by its probability.

    Parameters
    ----------
    posteriors : ndarray of shape (n_models, n_classes)
    labels : ndarray of int of shape (n_models,)

    Returns
    -------
    DataFrame
        Columns ``probability``, the mean of a bin of equally many models, ``frequency`` with its
        95% interval ``ci_low`` to ``ci_high``, and ``n_models``.
    """
    probabilities, correct = _sorted_guesses(posteriors, labels)
    rows = [
        (float(probabilities[part].mean()), *_proportion(correct[part]), part.stop - part.start)
        for part in _bins(len(labels))
    ]
    return pd.DataFrame(rows, columns=list(RELIABILITY_COLUMNS))


def interval_reliability(below: np.ndarray) -> pd.DataFrame:
    """Return how often central credible intervals hold the true value, by their level.

    ``below (n_models,)`` is the posterior probability of values below the true one. Columns are
    those of ``class_reliability``.
    """
    needed = np.abs(2 * below - 1)  # the level of the smallest interval that holds the value
    rows = [(level, *_proportion(needed <= level), len(below)) for level in LEVELS]
    return pd.DataFrame(rows, columns=list(RELIABILITY_COLUMNS))


def class_calibration_error(posteriors: np.ndarray, labels: np.ndarray) -> tuple[Estimate, float]:
    """Return the expected calibration error with a 95% interval, and that of perfect calibration.

    It is the mean distance between the probability of the most probable class and how often that
    class is true, over bins of equally many models.
    """
    probabilities, correct = _sorted_guesses(posteriors, labels)
    parts = _bins(len(labels))

    def error(gaps: np.ndarray) -> np.ndarray:
        sums = np.add.reduceat(gaps, [part.start for part in parts], axis=-1)
        return np.abs(sums).sum(axis=-1) / gaps.shape[-1]

    rng = np.random.default_rng(0)
    drawn = np.sort(rng.integers(len(labels), size=(N_DRAWS, len(labels))), axis=1)
    gaps = correct - probabilities
    perfect = (rng.random(drawn.shape) < probabilities) - probabilities
    return _error_estimate(float(error(gaps)), error(gaps[drawn]), error(perfect))


def interval_calibration_error(below: np.ndarray) -> tuple[Estimate, float]:
    """Return the same for credible intervals: the mean distance of coverage and level."""
    needed = np.abs(2 * below - 1)

    def error(levels: np.ndarray) -> np.ndarray:
        return np.abs((levels[..., None] <= LEVELS).mean(axis=-2) - LEVELS).mean(axis=-1)

    rng = np.random.default_rng(0)
    drawn = needed[rng.integers(len(needed), size=(N_DRAWS, len(needed)))]
    perfect = rng.random(drawn.shape)
    return _error_estimate(float(error(needed)), error(drawn), error(perfect))


def _error_estimate(
    error: float, resampled: np.ndarray, perfect: np.ndarray
) -> tuple[Estimate, float]:
    """Return an error with its interval, and the mean error of a perfect calibration.

    An error of noise alone is not 0, so the interval starts at 0 unless the error is larger than
    that of 95% of perfect calibrations; otherwise its ends are those of the bootstrap, the lower
    one mirrored at the error, as resampling adds noise to it a second time.
    """
    low, high = np.quantile(resampled, [0.025, 0.975])
    excess = error > np.quantile(perfect, 0.95)
    low = min(max(2 * error - high, 0.0), error) if excess else 0.0
    return Estimate(error, float(low), max(float(high), error)), float(perfect.mean())


def _sorted_guesses(posteriors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest probability of each model, ascending, and whether its class is true."""
    probabilities, guesses = posteriors.max(axis=1), posteriors.argmax(axis=1)
    order = probabilities.argsort(kind="stable")
    return probabilities[order], (guesses == labels).astype(float)[order]


def _bins(n_models: int) -> list[slice]:
    n_bins = min(max(n_models // MODELS_PER_BIN, min(2, n_models)), MAX_BINS)
    edges = [math.floor(i * n_models / n_bins) for i in range(n_bins + 1)]
    return [slice(*ends) for ends in pairwise(edges)]


def _proportion(correct: np.ndarray) -> tuple[float, float, float]:
    if len(correct) < 2:  # no variance can be estimated
        return float(np.mean(correct)), 0.0, 1.0
    estimate = proportion_interval(np.asarray(correct, dtype=float)[None])
    return estimate.value, estimate.low, estimate.high
