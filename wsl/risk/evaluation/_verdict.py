"""The verdict of an audit or a game, by a rule on intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ._n_leaked import advantage
from ._tables import is_headline, perfect_value

LEAKS, BOUNDED, NOT_SHOWN = "leaks", "bounded", "not shown"
LARGEST_BOUND = 0.2  # the largest advantage that is still called bounded
RULE = (
    "The verdict is 'leaks' if the 95% interval of any metric of any attack excludes chance; "
    "otherwise 'bounded' if the intervals of all attacks' guesses end at an advantage of at most "
    f"{LARGEST_BOUND:g}; otherwise 'not shown'. By accident alone, about 1 interval in 40 lies "
    "above chance, so a leak that is found by only one of many attacks should be audited again."
)


@dataclass(frozen=True)
class Verdict:
    """What the intervals of several attacks say together.

    Attributes
    ----------
    outcome : {"leaks", "bounded", "not shown"}
        See ``RULE``.
    evidence : int or None
        The position of the row whose interval excludes chance by most; None unless the outcome is
        "leaks".
    bound : float
        The largest upper end of an advantage of guesses; NaN without guesses.
    """

    outcome: str
    evidence: int | None
    bound: float


def decide(ends: pd.DataFrame, guesses: pd.DataFrame) -> Verdict:
    """Return the verdict on intervals of advantages, with columns ``low`` and ``high``.

    Parameters
    ----------
    ends : DataFrame
        The intervals of all metrics, any of which may show a leak.
    guesses : DataFrame
        The intervals of metrics of guesses, which bound the advantage.
    """
    bound = float(guesses["high"].max()) if len(guesses) else math.nan
    if (ends["low"] > 0).any():
        return Verdict(LEAKS, int(np.nanargmax(ends["low"])), bound)
    return Verdict(BOUNDED if bound <= LARGEST_BOUND else NOT_SHOWN, None, bound)


def advantage_intervals(table: pd.DataFrame, chance: Mapping[str, float]) -> pd.DataFrame:
    """Return columns ``low`` and ``high``: the intervals of an audit's table as advantages."""
    ends = [
        sorted(
            advantage(float(row[end]), chance[row["metric"]], perfect_value(row["metric"]))
            for end in ("ci_low", "ci_high")
        )
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(ends, columns=["low", "high"], index=table.index, dtype=float)


def audit_verdict(table: pd.DataFrame, chance: Mapping[str, float]) -> Verdict:
    """Return the verdict on an audit's table."""
    ends = advantage_intervals(table, chance)
    return decide(ends, ends[[is_headline(metric) for metric in table["metric"]]])


def targets_needed(ends: pd.DataFrame, n_targets: int) -> int:
    """Return about how many targets would have shown an advantage of ``LARGEST_BOUND``.

    The width of an interval falls with the root of the number of models, if target and shadow
    models grow in proportion; the narrowest of the intervals ``ends`` counts.
    """
    half = float((ends["high"] - ends["low"]).min()) / 2
    needed = n_targets * (half / LARGEST_BOUND) ** 2
    digits = 1 - math.floor(math.log10(max(needed, 1)))
    return max(int(round(needed, digits)), n_targets)
