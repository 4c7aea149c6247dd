"""Likelihoods of the values of a property that is a class, calibrated on held-out shadow models."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from ._cross_fit import HeldOutScores
from ._likelihoods import Likelihoods

SLOPE_PENALTY, OFFSET_PENALTY = 10.0, 1.0  # few models change an attack's own probabilities little


@dataclass(frozen=True, eq=False)
class ClassCalibration:
    """Likelihoods ``softmax(slope * scores + offset)`` over class frequencies, above a floor.

    Parameters
    ----------
    slope : float
        1 leaves log-probabilities as they are.
    offset : ndarray of shape (n_classes,)
    frequencies : ndarray of shape (n_classes,)
        Of the classes among the models of the fit.
    floor : float
        The least probability of any class, all together: what no model of the fit has shown is
        not impossible.
    """

    slope: float
    offset: np.ndarray
    frequencies: np.ndarray
    floor: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return likelihoods of scores ``(n_models, n_classes)``, rows adding up to 1."""
        probabilities = softmax(self.slope * scores + self.offset, axis=1)
        likelihoods = probabilities / self.frequencies
        likelihoods /= likelihoods.sum(axis=1, keepdims=True)
        return (1 - self.floor) * likelihoods + self.floor / scores.shape[1]


def fit_class_calibration(scores: np.ndarray, labels: np.ndarray) -> ClassCalibration:
    """Fit slope and offsets to log-probabilities of held-out models, by penalized likelihood.

    Parameters
    ----------
    scores : ndarray of shape (n_models, n_classes)
    labels : ndarray of int of shape (n_models,)

    Notes
    -----
    Unlike the targets of Platt scaling, penalty and floor do not flatten the probabilities of
    classes that are far apart: the slope is pulled to 1 and the offsets to 0, and the floor is that
    of Laplace's rule for the models of one class, :math:`1 / (N_c + 2)`.
    """
    counts = np.bincount(labels, minlength=scores.shape[1])
    truth = np.eye(len(counts))[labels]
    centred = scores - scores.mean(axis=1, keepdims=True)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, offset = parameters[0], parameters[1:]
        log_proba = log_softmax(slope * centred + offset, axis=1)
        error = np.exp(log_proba) - truth
        value = -np.sum(truth * log_proba)
        value += (SLOPE_PENALTY * (slope - 1) ** 2 + OFFSET_PENALTY * offset @ offset) / 2
        by_slope = np.sum(error * centred) + SLOPE_PENALTY * (slope - 1)
        return value, np.append(by_slope, error.sum(axis=0) + OFFSET_PENALTY * offset)

    start = np.append(1.0, np.zeros(len(counts)))
    bounds = [(0.0, None)] + [(None, None)] * len(counts)
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return ClassCalibration(
        optimum.x[0], optimum.x[1:], counts / len(labels), 1 / (counts.mean() + 2)
    )


def class_likelihoods(
    scores: HeldOutScores, labels: np.ndarray, folds: list[np.ndarray]
) -> Likelihoods:
    """Return likelihoods of each class, ``(n_models, 1, n_classes)``, rows adding up to 1.

    The scores of a fold are calibrated on the other folds, so that neither the attack nor the
    calibration has used the models that they are checked on. Those of the targets are calibrated
    on all folds, and averaged over the attacks.
    """
    of_shadows = np.empty_like(scores.of_shadows)
    for fold in folds:
        others = np.setdiff1d(np.arange(len(labels)), fold)
        calibrated = fit_class_calibration(scores.of_shadows[others], labels[others])
        of_shadows[fold] = calibrated(scores.of_shadows[fold])
    calibrated = fit_class_calibration(scores.of_shadows, labels)
    of_targets = np.mean([calibrated(own) for own in scores.of_targets], axis=0)
    return Likelihoods(of_shadows[:, None], of_targets[:, None])
