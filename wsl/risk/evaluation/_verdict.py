"""The verdict of an audit, by a rule on the intervals of its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ._n_leaked import advantage
from ._tables import headline, perfect_value

LEAKS, BOUNDED, NOT_SHOWN = "leaks", "bounded", "not shown"
LARGEST_BOUND = 0.2  # an advantage that a report may still call bounded


@dataclass(frozen=True)
class Verdict:
    """What the intervals of an audit say together.

    Attributes
    ----------
    outcome : {"leaks", "bounded", "not shown"}
        "leaks" if the interval of any metric of any attack excludes chance; otherwise "bounded" if
        the interval of every attack's guesses ends at an advantage of at most 0.2; otherwise
        "not shown".
    attack, metric : str or None
        Those of the largest lower end among the intervals that exclude chance.
    bound : float
        The largest upper end of an advantage of guesses; NaN without guesses.
    """

    outcome: str
    attack: str | None
    metric: str | None
    bound: float


def advantage_intervals(table: pd.DataFrame, chance: Mapping[str, float]) -> pd.DataFrame:
    """Return columns ``low`` and ``high``: the intervals of a table's rows, as advantages."""
    ends = [
        sorted(
            advantage(float(row[end]), chance[row["metric"]], perfect_value(row["metric"]))
            for end in ("ci_low", "ci_high")
        )
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(ends, columns=["low", "high"], index=table.index, dtype=float)


def verdict_of(table: pd.DataFrame, chance: Mapping[str, float]) -> Verdict:
    """Return the verdict on an audit's table."""
    ends = advantage_intervals(table, chance)
    guesses = ends.loc[headline(table).index, "high"]
    bound = float(guesses.max()) if len(guesses) else float("nan")
    if (ends["low"] > 0).any():
        row = table.loc[ends["low"].idxmax()]
        return Verdict(LEAKS, str(row["attack"]), str(row["metric"]), bound)
    return Verdict(BOUNDED if bound <= LARGEST_BOUND else NOT_SHOWN, None, None, bound)
