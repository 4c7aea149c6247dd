"""Thresholds on the metrics of an audit."""

import math
from collections.abc import Mapping
from numbers import Real

import pandas as pd

from ...exceptions import InvalidInputError
from ._metrics import FALSE_POSITIVE_RATES, rate_name
from ._tables import headline
from ._verdict import advantage_intervals

COLUMNS = ("threshold", "largest", "attack", "metric", "value", "ci_high", "passed")
NAMES = ("advantage", "accuracy", "auc", *map(rate_name, FALSE_POSITIVE_RATES))


def check_threshold_names(thresholds: Mapping[str, float]) -> None:
    """Raise InvalidInputError unless thresholds are numbers by names of ``NAMES``."""
    if not isinstance(thresholds, Mapping):
        raise InvalidInputError(
            f"`thresholds` must be a dict with keys among {list(NAMES)}; got {thresholds!r}."
        )
    for name, largest in thresholds.items():
        if name not in NAMES:
            raise InvalidInputError(
                f"`thresholds` must have keys among {list(NAMES)}; got {name!r}."
            )
        if not isinstance(largest, Real) or not math.isfinite(largest):
            raise InvalidInputError(
                f"`thresholds[{name!r}]` must be a finite number; got {largest!r}."
            )


def check_thresholds(
    thresholds: Mapping[str, float], table: pd.DataFrame, chance: Mapping[str, float]
) -> pd.DataFrame:
    """Return one row per threshold and attack; it passes if its interval ends at or below.

    A threshold on a metric that no attack has is not kept: it has one row, without an attack.

    Parameters
    ----------
    thresholds : dict from str to float
        By names of ``NAMES``.
    table : DataFrame
        The table of an audit.
    chance : dict from metric to float
    """
    check_threshold_names(thresholds)
    rows: list[tuple] = []
    for name, largest in thresholds.items():
        chosen = headline(table) if name == "advantage" else table[table["metric"] == name]
        values, highs = chosen["value"], chosen["ci_high"]
        if name == "advantage":
            values, highs = chosen["advantage"], advantage_intervals(chosen, chance)["high"]
        columns = (chosen["attack"], chosen["metric"], values, highs)
        for attack, metric, value, high in zip(*columns, strict=True):
            rows.append((name, largest, attack, metric, value, high, bool(high <= largest)))
        if not len(chosen):
            rows.append((name, largest, "", name, math.nan, math.nan, False))
    return pd.DataFrame(rows, columns=list(COLUMNS))
