"""The prior of an audit of a trained model: how likely each value is before it is observed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...distributions._properties import Properties
from ...exceptions import InvalidInputError
from ._likelihoods import normalized


def resolve_value_prior(prior: Any, properties: Properties, grid: np.ndarray | None) -> np.ndarray:
    """Return probabilities ``(1, n_classes)``, or densities ``(n_properties, n_points)``.

    None is a uniform prior.
    """
    if grid is None:
        assert isinstance(properties, tuple)
        return _class_prior(prior, properties)[None]
    if prior is None:
        return normalized(np.ones_like(grid), grid)
    priors = list(prior) if isinstance(prior, Sequence) and len(grid) > 1 else [prior] * len(grid)
    if len(priors) != len(grid):
        raise InvalidInputError(
            f"`prior` must have one density for each of {len(grid)} properties; got {len(priors)}."
        )
    densities = [_density(own, points) for own, points in zip(priors, grid, strict=True)]
    return normalized(np.stack(densities), grid)


def _class_prior(prior: Any, classes: tuple) -> np.ndarray:
    if prior is None:
        return np.full(len(classes), 1 / len(classes))
    if isinstance(prior, Mapping):
        if set(prior) != set(classes):
            raise InvalidInputError(
                f"`prior` must have a probability for each of {classes}; got {prior!r}."
            )
        prior = [prior[value] for value in classes]
    try:
        probabilities = np.asarray(prior, dtype=float)
    except (TypeError, ValueError):
        probabilities = np.array(np.nan)
    fits = probabilities.shape == (len(classes),) and (probabilities >= 0).all()
    if not fits or not np.isclose(probabilities.sum(), 1, atol=1e-6):
        raise InvalidInputError(
            f"`prior` must be probabilities of {classes}, at least 0, that add up to 1; got "
            f"{prior!r}."
        )
    return probabilities / probabilities.sum()


def _density(prior: Any, points: np.ndarray) -> np.ndarray:
    """Return the density of one continuous property at the points of its interval."""
    density = getattr(prior, "pdf", prior)
    if not callable(density):
        raise InvalidInputError(
            "`prior` of a continuous property must be a density: a function of values, or an "
            f"object with pdf(values), as scipy's distributions have; got {prior!r}."
        )
    values = np.broadcast_to(np.asarray(density(points), dtype=float), points.shape)
    if not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
        raise InvalidInputError(
            f"`prior` must have a finite density between {points[0]:g} and {points[-1]:g}, at "
            f"least 0 and not 0 everywhere; got values from {values.min()} to {values.max()}."
        )
    return values
