"""Likelihoods of the values of continuous properties, calibrated on held-out shadow models."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from ._cross_fit import HeldOutScores
from ._likelihoods import Likelihoods

PENALTY = 1.0  # of curvature and of unequal noise, so that few models do not lead to either


@dataclass(frozen=True, eq=False)
class GuessModel:
    """How an attack's guess depends on the value: normal around a parabola.

    Parameters
    ----------
    middle, half : float
        Of the values, which are scaled to -1 to 1.
    trend : ndarray of shape (3,)
        Coefficients of the mean guess, scaled alike, in powers of the value.
    noise : ndarray of shape (2,)
        Coefficients of the logarithm of the guess's standard deviation.
    floor : float
        The part of the likelihood that is the same at all values, as a guess may be an outlier.
    """

    middle: float
    half: float
    trend: np.ndarray
    noise: np.ndarray
    floor: float

    def likelihoods(self, guesses: np.ndarray, grid: np.ndarray) -> np.ndarray:
        """Return the likelihood of each point, ``(n_models, n_points)``, rows adding up to 1."""
        points, scaled = ((x - self.middle) / self.half for x in (grid, guesses))
        means, deviations = self._moments(points)
        least = np.diff(points).min()  # narrower peaks could fall between two points
        deviations = np.maximum(deviations, least)
        log = -np.log(deviations) - ((scaled[:, None] - means) / deviations) ** 2 / 2
        likelihoods = softmax(log, axis=1)
        return (1 - self.floor) * likelihoods + self.floor / len(grid)

    def _moments(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        powers = np.vander(points, 3, increasing=True)
        return powers @ self.trend, np.exp(powers[:, :2] @ self.noise)


def fit_guess_model(guesses: np.ndarray, values: np.ndarray, grid: np.ndarray) -> GuessModel:
    """Fit a model of the guesses ``(n_models,)`` for values by penalized maximum likelihood."""
    middle, half = (grid[0] + grid[-1]) / 2, (grid[-1] - grid[0]) / 2
    points, scaled = ((x - middle) / half for x in (values, guesses))
    powers = np.vander(points, 3, increasing=True)
    line, *_ = np.linalg.lstsq(powers[:, :2], scaled, rcond=None)
    residuals = scaled - powers[:, :2] @ line
    step = grid[1] - grid[0]
    start = np.array([*line, 0.0, np.log(max(residuals.std(), step / half)), 0.0])

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        trend, noise = parameters[:3], parameters[3:]
        log_deviations = powers[:, :2] @ noise
        deviations = np.exp(log_deviations)
        scores = (scaled - powers @ trend) / deviations
        value = np.sum(log_deviations + scores**2 / 2)
        value += PENALTY / 2 * (trend[2] ** 2 + noise[1] ** 2)
        gradient = np.concatenate(
            [-powers.T @ (scores / deviations), powers[:, :2].T @ (1 - scores**2)]
        )
        gradient[[2, 4]] += PENALTY * parameters[[2, 4]]
        return value, gradient

    bounds = [(None, None)] * 3 + [(np.log(step / half) - 1, None), (None, None)]
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return GuessModel(middle, half, optimum.x[:3], optimum.x[3:], 1 / (len(values) + 2))


def value_likelihoods(
    scores: HeldOutScores, values: np.ndarray, folds: list[np.ndarray], grid: np.ndarray
) -> Likelihoods:
    """Return likelihoods at the points of a grid, ``(n_models, n_properties, n_points)``.

    Parameters
    ----------
    scores : HeldOutScores
        Guesses, a column per property.
    values : ndarray of shape (n_shadows, n_properties)
        The values under which the shadow models were trained.
    folds : list of ndarray
    grid : ndarray of shape (n_properties, n_points)

    Notes
    -----
    The guesses of a fold are calibrated on the other folds, as in ``class_likelihoods``. Each
    property is inferred from the guess of that property.
    """
    of_shadows = np.empty((*values.shape, grid.shape[1]))
    of_targets = np.empty((scores.of_targets.shape[1], *grid.shape))
    for column, points in enumerate(grid):
        guesses, truth = scores.of_shadows[:, column], values[:, column]
        for fold in folds:
            others = np.setdiff1d(np.arange(len(truth)), fold)
            model = fit_guess_model(guesses[others], truth[others], points)
            of_shadows[fold, column] = model.likelihoods(guesses[fold], points)
        model = fit_guess_model(guesses, truth, points)
        by_attack = [model.likelihoods(own, points) for own in scores.of_targets[:, :, column]]
        of_targets[:, column] = np.mean(by_attack, axis=0)
    return Likelihoods(of_shadows, of_targets)
