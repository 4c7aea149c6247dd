"""From scores of classes to probabilities: a slope and an offset for each class, fitted on shadows.

What the scores are lives with the attacks that compute them.
"""

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
        At least 0: it never turns the order of the scores round.
    offset : ndarray ``(n_classes,)``
    """

    slope: float
    offset: np.ndarray

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return probabilities ``(n_models, n_classes)`` for scores of that shape."""
        return softmax(self.slope * scores + self.offset, axis=1)


def calibrate(scores: np.ndarray, labels: np.ndarray, *, offsets: bool = True) -> Calibration:
    """Fit a Calibration by maximum likelihood.

    Parameters
    ----------
    scores : ndarray ``(n_models, n_classes)``
        Scores of models that what gave the scores was not fitted to; higher for likelier classes.
    labels : ndarray of int ``(n_models,)``
    offsets : bool, default=True
        Whether each class gets an offset. Without, the likeliest class is that of highest score.

    Notes
    -----
    With one slope it is the logistic fit of Platt (1999), "Probabilistic outputs for support
    vector machines", for several classes: with his targets, :math:`(N_c + 1) / (N_c + 2)` for the
    :math:`N_c` models of class c instead of 1, so that few models make no certainty.
    """
    n_models, n_classes = scores.shape
    unit = scores.std() or 1.0
    scaled = scores / unit
    wanted = _smoothed(labels, n_classes)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logits = parameters[0] * scaled + parameters[1:]
        log_proba = log_softmax(logits, axis=1)
        error = (np.exp(log_proba) - wanted) / n_models
        gradient = np.concatenate([[np.sum(error * scaled)], error.sum(0)])
        return -np.sum(wanted * log_proba) / n_models, gradient

    free = None if offsets else 0.0
    found = minimize(
        loss,
        np.concatenate([[1.0], np.zeros(n_classes)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] + [(free, free)] * n_classes,
    )
    return Calibration(found.x[0] / unit, found.x[1:])


def _smoothed(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the targets ``(n_models, n_classes)``; each row sums to 1."""
    counts = np.bincount(labels, minlength=n_classes)
    short = 1 / (counts + 2)
    wanted = np.repeat(short[labels, None] / max(1, n_classes - 1), n_classes, axis=1)
    wanted[np.arange(len(labels)), labels] = 1 - short[labels]
    return wanted
