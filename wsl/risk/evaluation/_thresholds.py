"""Thresholds on the metrics of an audit."""

from collections.abc import Mapping

import pandas as pd

from ...exceptions import InvalidInputError
from ._tables import headline, perfect_value
from ._verdict import advantage_intervals

COLUMNS = ("threshold", "largest", "attack", "metric", "value", "ci_high", "passed")


def check_thresholds(
    thresholds: Mapping[str, float], table: pd.DataFrame, chance: Mapping[str, float]
) -> pd.DataFrame:
    """Return one row per threshold and attack; it passes if its interval ends at or below.

    Parameters
    ----------
    thresholds : dict from str to float
        By "advantage", or a metric of the table that is largest for a perfect attack.
    table : DataFrame
        The table of an audit.
    chance : dict from metric to float
    """
    rows = []
    for name, largest in thresholds.items():
        if name == "advantage":
            chosen = headline(table)
            values, highs = chosen["advantage"], advantage_intervals(chosen, chance)["high"]
        else:
            chosen = table[table["metric"] == name]
            values, highs = chosen["value"], chosen["ci_high"]
            if perfect_value(name) == 0 or (len(table) and not len(chosen)):
                options = [m for m in dict.fromkeys(table["metric"]) if perfect_value(m)]
                raise InvalidInputError(
                    f"`thresholds` must have keys among {['advantage', *options]}; got {name!r}."
                )
        columns = (chosen["attack"], chosen["metric"], values, highs)
        for attack, metric, value, high in zip(*columns, strict=True):
            rows.append((name, float(largest), attack, metric, value, high, high <= largest))
    return pd.DataFrame(rows, columns=list(COLUMNS))
