"""What the guesses of an attack add up to: rows of the report's tables.

The intervals are computed in ``_intervals``.
"""

import numpy as np
import pandas as pd

from ..distributions._properties import Properties
from ._intervals import Estimate, mean_interval, share_interval
from ._leakage import advantage, n_leaked
from ._trials import Trial

COLUMNS = ("attack", "metric", "value", "ci_low", "ci_high", "advantage", "n_leaked")


def attack_table(
    trials: dict[str, Trial],
    truth: np.ndarray,
    properties: Properties,
    is_share: bool,
) -> pd.DataFrame:
    """Return the table of all attacks that were tried; see :func:`evaluate`."""
    rows = [
        row
        for name, trial in trials.items()
        for row in evaluate(name, trial.guesses, truth, properties, is_share)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def evaluate(
    name: str, guesses: np.ndarray, truth: np.ndarray, properties: Properties, is_share: bool
) -> list[tuple]:
    """Return the rows of the table for what one attack guessed.

    Parameters
    ----------
    name : str
    guesses : ndarray ``(n_repeats, n_targets)``, or ``(n_repeats, n_targets, n_properties)``
    truth : ndarray ``(n_targets,)``, or ``(n_targets, n_properties)``
        Classes by their index in ``properties``, or numbers.
    properties : tuple, Interval or list of Interval
    is_share : bool
        Whether the property is the share of a group.
    """
    if isinstance(properties, tuple):
        estimate = share_interval(guesses == truth)
        leaked = np.nan
        if is_share and len(properties) == 2:
            leaked = n_leaked(estimate.value, *properties)
        return [_row(name, "accuracy", estimate, 1 / len(properties), 1.0, leaked)]
    chances = chance_of(properties, truth)
    columns = np.moveaxis(np.abs(guesses - truth).reshape(*guesses.shape[:2], -1), 2, 0)
    return [
        _row(name, metric, mean_interval(errors, floor=0.0), chances[metric], 0.0, np.nan)
        for metric, errors in zip(chances, columns, strict=True)
    ]


def chance_of(properties: Properties, truth: np.ndarray) -> dict[str, float]:
    """Return for each metric what one reaches who guesses the prior's mean, or any class."""
    if isinstance(properties, tuple):
        return {"accuracy": 1 / len(properties)}
    intervals = properties if isinstance(properties, list) else [properties]
    columns = truth.reshape(len(truth), -1).T
    errors = [
        float(np.abs(column - interval.midpoint).mean())
        for column, interval in zip(columns, intervals, strict=True)
    ]
    if len(errors) == 1:
        return {"mean_absolute_error": errors[0]}
    return {f"mean_absolute_error_{i}": error for i, error in enumerate(errors)}


def _row(
    name: str, metric: str, estimate: Estimate, chance: float, perfect: float, leaked: float
) -> tuple:
    gained = advantage(estimate.value, chance, perfect)
    return name, metric, estimate.value, estimate.low, estimate.high, gained, leaked


def utility_table(utility: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the mean over targets of each metric ``(n_targets,)``, with its interval."""
    estimates = {metric: mean_interval(scores[None]) for metric, scores in utility.items()}
    rows = [(metric, e.value, e.low, e.high) for metric, e in estimates.items()]
    return pd.DataFrame(rows, columns=["metric", "value", "ci_low", "ci_high"])
