"""From shadow and target models to posteriors, and to what the same attack achieves on average."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...distributions._properties import Properties
from ..evaluation._attack_runs import AttackRun
from ..evaluation._confidence_intervals import Estimate
from ._calibration_check import (
    RELIABILITY_COLUMNS,
    class_calibration_error,
    class_reliability,
    interval_calibration_error,
    interval_reliability,
)
from ._class_likelihoods import class_likelihoods
from ._cross_fit import HeldOutScores
from ._likelihoods import LEVEL, Likelihoods, normalized, posterior_of, quantiles, values_below
from ._value_likelihoods import value_likelihoods

CALIBRATION_COLUMNS = (
    "attack", "calibration_error", "ci_low", "ci_high", "if_calibrated", "log_loss",
)  # fmt: skip


CLASS_COLUMNS = ("model", "attack", "guess", "probability", "prior", "likelihood_ratio")
VALUE_COLUMNS = (
    "model", "attack", "guess", "ci_low", "ci_high", "prior_low", "prior_high", "property",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Inference:
    """The points of a property, its prior, and what is known of the shadow models.

    Attributes
    ----------
    properties : tuple, Interval or list of Interval
    grid : ndarray of shape (n_properties, n_points), or None for classes
    prior : ndarray of shape (n_properties, n_points)
    truth : ndarray of shape (n_shadows,) or (n_shadows, n_properties)
        Of the shadow models: classes by their index, or numbers.
    folds : list of ndarray
    """

    properties: Properties
    grid: np.ndarray | None
    prior: np.ndarray
    truth: np.ndarray
    folds: list[np.ndarray]

    @property
    def values(self) -> np.ndarray:
        """The truth, ``(n_shadows, n_properties)``."""
        return self.truth.reshape(len(self.truth), -1)

    def likelihoods(self, scores: HeldOutScores) -> Likelihoods:
        """Return calibrated likelihoods of shadow and target models."""
        if self.grid is None:
            return class_likelihoods(scores, self.truth, self.folds)
        return value_likelihoods(scores, self.values, self.folds, self.grid)

    def check(self, likelihoods: Likelihoods) -> "HeldOutCheck":
        """Return what posteriors of held-out shadow models, under a uniform prior, are worth."""
        return check_posteriors(
            normalized(likelihoods.of_shadows, self.grid), self.grid, self.truth
        )


@dataclass(frozen=True, eq=False)
class HeldOutCheck:
    """How good and how well calibrated posteriors of held-out shadow models are.

    Attributes
    ----------
    run : AttackRun
        Guesses and, of classes, probabilities.
    reliability : DataFrame
    error : Estimate
        The calibration error.
    error_if_calibrated : float
    log_loss : float
    """

    run: AttackRun
    reliability: pd.DataFrame
    error: Estimate
    error_if_calibrated: float
    log_loss: float


def check_posteriors(
    posteriors: np.ndarray, grid: np.ndarray | None, truth: np.ndarray
) -> HeldOutCheck:
    """Return what posteriors ``(n_models, n_properties, n_points)`` are worth, given the truth."""
    if grid is None:
        return _check_classes(posteriors[:, 0], truth)
    return _check_values(posteriors, grid, truth)


def _check_classes(posteriors: np.ndarray, truth: np.ndarray) -> HeldOutCheck:
    error, chance = class_calibration_error(posteriors, truth)
    return HeldOutCheck(
        AttackRun(posteriors.argmax(axis=1)[None], posteriors[None].astype(np.float32)),
        class_reliability(posteriors, truth),
        error,
        chance,
        float(-np.log(posteriors[np.arange(len(truth)), truth]).mean()),
    )


def _check_values(posteriors: np.ndarray, grid: np.ndarray, truth: np.ndarray) -> HeldOutCheck:
    values = truth.reshape(len(truth), -1)
    below = values_below(posteriors, grid, values).ravel()
    error, chance = interval_calibration_error(below)
    guesses = quantiles(posteriors, grid, (0.5,)).reshape(truth.shape)
    densities = [
        np.interp(value, points, density)
        for own, model in zip(values, posteriors, strict=True)
        for value, points, density in zip(own, grid, model, strict=True)
    ]
    return HeldOutCheck(
        AttackRun(guesses[None]), interval_reliability(below), error, chance,
        float(-np.log(np.maximum(densities, 1e-12)).mean()),
    )  # fmt: skip


def calibration_table(checks: Mapping[str, HeldOutCheck]) -> pd.DataFrame:
    """Return the calibration error of each attack, with its interval."""
    rows = [
        (name, c.error.value, c.error.low, c.error.high, c.error_if_calibrated, c.log_loss)
        for name, c in checks.items()
    ]
    return pd.DataFrame(rows, columns=list(CALIBRATION_COLUMNS))


def reliability_table(checks: Mapping[str, HeldOutCheck]) -> pd.DataFrame:
    """Return the reliability of each attack, one row per bin or level."""
    parts = [check.reliability.assign(attack=name) for name, check in checks.items()]
    return pd.concat(parts, ignore_index=True)[["attack", *RELIABILITY_COLUMNS]]


def model_table(
    names: Sequence[str], attack: str, likelihoods: np.ndarray, inference: Inference
) -> pd.DataFrame:
    """Return the report's table: one row per model and property.

    Parameters
    ----------
    names : sequence of str
    attack : str
    likelihoods : ndarray of shape (n_models, n_properties, n_points)
    inference : Inference
    """
    prior, grid = inference.prior, inference.grid
    posteriors = posterior_of(likelihoods, prior, grid)
    if grid is None:
        guesses = [
            (name, attack, *_guess_class(posterior, own, prior[0], inference.properties))
            for name, posterior, own in zip(names, posteriors[:, 0], likelihoods[:, 0], strict=True)
        ]
        return pd.DataFrame(guesses, columns=list(CLASS_COLUMNS))
    levels = ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)
    before = quantiles(prior[None], grid, levels)[0]
    rows = [
        (name, attack, guess, low, high, before[column, 0], before[column, 2], column)
        for name, ends in zip(names, quantiles(posteriors, grid, levels).tolist(), strict=True)
        for column, (low, guess, high) in enumerate(ends)
    ]
    table = pd.DataFrame(rows, columns=list(VALUE_COLUMNS))
    return table if len(grid) > 1 else table.drop(columns="property")


def _guess_class(
    posterior: np.ndarray, likelihood: np.ndarray, prior: np.ndarray, classes: Any
) -> tuple[Any, float, float, float]:
    """Return the most probable class, its probability, that before, and the likelihood ratio."""
    best = int(posterior.argmax())
    ratio = likelihood_ratio(likelihood, prior, best)
    return classes[best], float(posterior[best]), float(prior[best]), ratio


def likelihood_ratio(likelihood: np.ndarray, prior: np.ndarray, best: int) -> float:
    """Return how many times as likely observations are under one class as under the others.

    The others are weighted by their prior; of two classes there is one other.
    """
    others = np.delete(likelihood * prior, best).sum()
    return float(likelihood[best] * np.delete(prior, best).sum() / others) if others else math.inf
