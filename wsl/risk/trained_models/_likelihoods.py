"""Likelihoods of the values of a property, and the posteriors that follow from a prior."""

from dataclasses import dataclass

import numpy as np
from scipy.integrate import trapezoid

from ...distributions._properties import Properties

N_POINTS = 401  # of the interval of a continuous property
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Likelihoods:
    """How likely what an attack observes is at each value of a property.

    Attributes
    ----------
    of_shadows : ndarray of shape (n_shadows, n_properties, n_points)
        Of each shadow model, by an attack and a calibration that have not used it.
    of_targets : ndarray of shape (n_targets, n_properties, n_points)
    """

    of_shadows: np.ndarray
    of_targets: np.ndarray


def property_grid(properties: Properties) -> np.ndarray | None:
    """Return points of continuous properties, ``(n_properties, n_points)``; None for classes."""
    if isinstance(properties, tuple):
        return None
    intervals = properties if isinstance(properties, list) else [properties]
    return np.stack([np.linspace(i.low, i.high, N_POINTS) for i in intervals])


def posterior_of(likelihoods: np.ndarray, prior: np.ndarray, grid: np.ndarray | None) -> np.ndarray:
    """Return posteriors in the shape of the likelihoods ``(n_models, n_properties, n_points)``.

    They are probabilities of classes, or densities at the points of a grid.
    """
    products = likelihoods * prior
    return products / _totals(products, grid)[..., None]


def _totals(values: np.ndarray, grid: np.ndarray | None) -> np.ndarray:
    return values.sum(axis=-1) if grid is None else trapezoid(values, grid, axis=-1)


def normalized(densities: np.ndarray, grid: np.ndarray | None) -> np.ndarray:
    """Return values over their sum, or densities over their integral."""
    return densities / _totals(densities, grid)[..., None]


def cumulative(densities: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the distribution function of densities ``(..., n_points)`` at the points of a grid."""
    steps = (densities[..., 1:] + densities[..., :-1]) / 2 * np.diff(grid)
    totals = np.concatenate([np.zeros((*steps.shape[:-1], 1)), steps.cumsum(axis=-1)], axis=-1)
    return totals / totals[..., -1:]


def quantiles(densities: np.ndarray, grid: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Return quantiles ``(n_models, n_properties, n_levels)`` of densities on a grid."""
    functions = cumulative(densities, grid)
    flat = [
        np.interp(levels, function, points)
        for model in functions
        for function, points in zip(model, grid, strict=True)
    ]
    return np.reshape(flat, (*functions.shape[:2], len(levels)))


def values_below(densities: np.ndarray, grid: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the probability of values below the truth, ``(n_models, n_properties)``."""
    functions = cumulative(densities, grid)
    return np.array(
        [
            [np.interp(*each) for each in zip(values, grid, function, strict=True)]
            for values, function in zip(truth, functions, strict=True)
        ]
    )
