"""Tables of reports: metrics of attacks with intervals, and the utility of models."""

import numpy as np
import pandas as pd

from ...distributions._properties import Properties
from ..shadows._utility import ROW_VARIANCE
from ._attack_runs import AttackRun
from ._confidence_intervals import Estimate, area_interval, mean_interval, proportion_interval
from ._metrics import FALSE_POSITIVE_RATES, Contributions, contributions, error_names, rate_name
from ._n_leaked import advantage, n_leaked

COLUMNS = ("attack", "metric", "value", "ci_low", "ci_high", "advantage", "n_leaked")


def attack_table(
    runs: dict[str, AttackRun],
    truth: np.ndarray,
    properties: Properties,
    is_proportion: bool,
) -> pd.DataFrame:
    """Return the table of all attacks that were run; see :func:`evaluate`."""
    rows = [
        row
        for name, run in runs.items()
        for row in evaluate(name, run, truth, properties, is_proportion)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def evaluate(
    name: str, run: AttackRun, truth: np.ndarray, properties: Properties, is_proportion: bool
) -> list[tuple]:
    """Return the rows of the table for one attack.

    Parameters
    ----------
    name : str
    run : AttackRun
    truth : ndarray of shape (n_targets,) or (n_targets, n_properties)
        Classes by their index in ``properties``, or numbers.
    properties : tuple, Interval or list of Interval
    is_proportion : bool
        Whether the property is the proportion of a group.
    """
    is_class = isinstance(properties, tuple)
    chance = chance_of(properties, truth)
    rows = []
    for metric, parts in contributions(run.guesses, run.scores, truth, is_class).items():
        estimate, n_rows = estimate_of(parts), np.nan
        if metric == "accuracy" and isinstance(properties, tuple) and is_proportion:
            n_rows = n_leaked(estimate.value, *properties) if len(properties) == 2 else np.nan
        gain = advantage(estimate.value, chance[metric], perfect_value(metric))
        rows.append((name, metric, estimate.value, estimate.low, estimate.high, gain, n_rows))
    return rows


def estimate_of(parts: Contributions) -> Estimate:
    """Return a metric with its 95% interval: within [0, 1], or above 0 for an error."""
    if parts.n_units is None:
        return mean_interval(parts.values, floor=0.0)
    if parts.is_area:
        return area_interval(parts.values, parts.n_units, parts.values.shape[1] - parts.n_units)
    return proportion_interval(parts.values, n_units=parts.n_units)


def chance_of(properties: Properties, truth: np.ndarray) -> dict[str, float]:
    """Return the value of each metric for guessing the prior's midpoint, or any class."""
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
    """Return the rows of the main metric, one per attack and continuous property."""
    return table[np.array([is_headline(metric) for metric in table["metric"]], dtype=bool)]


def perfect_value(metric: str) -> float:
    """Return the value that a perfect attack reaches."""
    return 0.0 if metric.startswith("mean_absolute_error") else 1.0


def is_headline(metric: str) -> bool:
    """Return True for the main metrics, accuracy and errors, which concern guesses."""
    return metric == "accuracy" or metric.startswith("mean_absolute_error")


def utility_table(utility: dict[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Return the mean over targets of each metric ``(n_targets,)``, with its interval.

    The interval of a metric on one test set for all models holds the sampling of its rows too. The
    column ``test_set`` is there only if test sets have names.
    """
    rows, variances = [], {ROW_VARIANCE.format(metric) for _, metric in utility}
    for (test_set, metric), values in utility.items():
        known = np.isfinite(values)
        if metric in variances or known.sum() < 2:
            continue
        of_rows = utility.get((test_set, ROW_VARIANCE.format(metric)), np.zeros(len(values)))
        estimate = mean_interval(values[None, known], further_variance=of_rows[known].mean())
        rows.append((metric, estimate.value, estimate.low, estimate.high, test_set))
    table = pd.DataFrame(rows, columns=["metric", "value", "ci_low", "ci_high", "test_set"])
    return table if table["test_set"].any() else table.drop(columns="test_set")
