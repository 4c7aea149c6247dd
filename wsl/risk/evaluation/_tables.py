"""What the guesses of an attack add up to: rows of the report's tables.

The intervals are computed in ``_intervals``.
"""

import numpy as np
import pandas as pd

from ...distributions._properties import Properties
from ._attack_runs import AttackRun
from ._confidence_intervals import Estimate, mean_interval, share_interval
from ._metrics import FALSE_POSITIVE_RATES, Contributions, contributions, error_names, rate_name
from ._n_leaked import advantage, n_leaked

COLUMNS = ("attack", "metric", "value", "ci_low", "ci_high", "advantage", "n_leaked")


def attack_table(
    trials: dict[str, AttackRun],
    truth: np.ndarray,
    properties: Properties,
    is_share: bool,
) -> pd.DataFrame:
    """Return the table of all attacks that were tried; see :func:`evaluate`."""
    rows = [
        row
        for name, trial in trials.items()
        for row in evaluate(name, trial, truth, properties, is_share)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def evaluate(
    name: str, trial: AttackRun, truth: np.ndarray, properties: Properties, is_share: bool
) -> list[tuple]:
    """Return the rows of the table for what one attack said.

    Parameters
    ----------
    name : str
    trial : Trial
    truth : ndarray ``(n_targets,)``, or ``(n_targets, n_properties)``
        Classes by their index in ``properties``, or numbers.
    properties : tuple, Interval or list of Interval
    is_share : bool
        Whether the property is the share of a group.
    """
    is_class = isinstance(properties, tuple)
    shares = properties if isinstance(properties, tuple) and is_share else None
    shares = shares if shares is not None and len(shares) == 2 else None
    chances = chance_of(properties, truth)
    rows = []
    for metric, parts in contributions(trial.guesses, trial.scores, truth, is_class).items():
        estimate, leaked = estimate_of(parts), np.nan
        if metric == "accuracy" and shares is not None:
            leaked = n_leaked(estimate.value, *shares)
        gained = advantage(estimate.value, chances[metric], 0.0 if parts.n_units is None else 1.0)
        rows.append((name, metric, estimate.value, estimate.low, estimate.high, gained, leaked))
    return rows


def estimate_of(parts: Contributions) -> Estimate:
    """Return a figure with its 95% interval: of a share within [0, 1], of an error above 0."""
    if parts.n_units is None:
        return mean_interval(parts.values, floor=0.0)
    return share_interval(parts.values, n_units=parts.n_units)


def chance_of(properties: Properties, truth: np.ndarray) -> dict[str, float]:
    """Return for each metric what one reaches who guesses the prior's mean, or any class."""
    if isinstance(properties, tuple):
        rates = {rate_name(rate): rate for rate in FALSE_POSITIVE_RATES}
        return {"accuracy": 1 / len(properties), "auc": 0.5, **rates}
    intervals = properties if isinstance(properties, list) else [properties]
    columns = truth.reshape(len(truth), -1).T
    errors = [
        float(np.abs(column - interval.midpoint).mean())
        for column, interval in zip(columns, intervals, strict=True)
    ]
    return dict(zip(error_names(len(errors)), errors, strict=True))


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with what is guessed rightly or by how much it is missed, one an attack.

    Several numbers have a row each.
    """
    return table[np.array([is_headline(metric) for metric in table["metric"]], dtype=bool)]


def perfect_value(metric: str) -> float:
    """Return the value that a perfect attack reaches."""
    return 0.0 if metric.startswith("mean_absolute_error") else 1.0


def is_headline(metric: str) -> bool:
    """Tell whether a metric says how well an attack guesses, and not how well it ranks."""
    return metric == "accuracy" or metric.startswith("mean_absolute_error")


def utility_table(utility: dict[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Return the mean over targets of each metric ``(n_targets,)``, with its interval.

    There is a column ``test_set`` where test sets have names.
    """
    estimates = {key: mean_interval(scores[None]) for key, scores in utility.items()}
    rows = [(metric, e.value, e.low, e.high, test) for (test, metric), e in estimates.items()]
    table = pd.DataFrame(rows, columns=["metric", "value", "ci_low", "ci_high", "test_set"])
    return table if table["test_set"].any() else table.drop(columns="test_set")
