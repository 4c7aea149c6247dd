"""Platt scaling: class scores to probabilities, with one slope and an offset per class."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax


@dataclass(frozen=True, eq=False)
class Calibration:
    """Probabilities ``softmax(slope * scores + offset)``.

    Parameters
    ----------
    slope : float
        Not negative, so that the order of the scores is kept.
    offset : ndarray of shape (n_classes,)
        Added to the scaled score of each class.
    """

    slope: float
    offset: np.ndarray

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return probabilities for scores, both of shape ``(n_models, n_classes)``."""
        return softmax(self.slope * scores + self.offset, axis=1)


def calibrate(scores: np.ndarray, labels: np.ndarray, *, offsets: bool = True) -> Calibration:
    """Fit a Calibration by maximum likelihood.

    Parameters
    ----------
    scores : ndarray of shape (n_models, n_classes)
        Scores of models that the scoring estimator was not fitted to; higher is more probable.
    labels : ndarray of int of shape (n_models,)
        Class index of each model.
    offsets : bool, default=True
        Whether each class gets an offset. If False, the most probable class is that of the highest
        score.

    Notes
    -----
    This is the logistic fit of Platt (1999), "Probabilistic outputs for support vector machines",
    for several classes, with the targets :math:`(N_c + 1) / (N_c + 2)` instead of 1 for the
    :math:`N_c` models of class c, so that few models do not lead to certainty.
    """
    n_models, n_classes = scores.shape
    unit = scores.std() or 1.0
    scaled = scores / unit
    targets = _smoothed_targets(labels, n_classes)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logits = parameters[0] * scaled + parameters[1:]
        log_proba = log_softmax(logits, axis=1)
        error = (np.exp(log_proba) - targets) / n_models
        gradient = np.concatenate([[np.sum(error * scaled)], error.sum(0)])
        return -np.sum(targets * log_proba) / n_models, gradient

    bound = None if offsets else 0.0
    optimum = minimize(
        loss,
        np.concatenate([[1.0], np.zeros(n_classes)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] + [(bound, bound)] * n_classes,
    )
    return Calibration(optimum.x[0] / unit, optimum.x[1:])


def _smoothed_targets(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return Platt's targets, ``(n_models, n_classes)``; each row sums to 1."""
    counts = np.bincount(labels, minlength=n_classes)
    missing = 1 / (counts + 2)
    targets = np.repeat(missing[labels, None] / max(1, n_classes - 1), n_classes, axis=1)
    targets[np.arange(len(labels)), labels] = 1 - missing[labels]
    return targets
