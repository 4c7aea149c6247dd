"""The parts of an advantage: Shapley values of what was measured, and their intervals.

Advantages are measured in ``_sources``; what the parts mean is said in ``_sources_report``.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation._confidence_intervals import Estimate, mean_interval, proportion_interval
from ..reports._sources_report import SOURCES, SourcesReport
from ._shapley import limit_weights, shapley_values, subsets

RATE, OTHER_RATE = 1.0, 0.5  # of the figures' way to their limit, by which intervals are widened
ENDS = ["advantage", "ci_low", "ci_high"]
Advantages = dict[tuple[bool, bool, int], np.ndarray]


def summarize(
    advantages: Advantages,
    switches: Sequence[str],
    growth: Sequence[int],
    n_samples: int,
    *,
    floor: float | None = None,
    **described: Any,
) -> SourcesReport:
    """Return the report of advantages ``(n_repeats, n_targets)`` by combination and growth.

    Every figure of it is linear in them, so that its interval is that of a mean over repeats and
    targets. Combinations that are one and the same share one array.

    Parameters
    ----------
    advantages : dict from (conditional, bias, growth) to ndarray
    switches : sequence of str
        The sources that can be switched off.
    growth : sequence of int
    n_samples : int
    floor : float, optional
        The advantage of a wrong guess, that of a right one being 1; None where guesses are
        numbers.
    described : dict
        What else the report holds.
    """
    figures, others = (_figures(advantages, switches, growth, r) for r in (RATE, OTHER_RATE))
    doubts_of = _doubts(advantages, floor)
    doubts = _figures(doubts_of, switches, growth, RATE)
    parts, other_parts, part_doubts = (
        shapley_values(switches, own) for own in (figures, others, doubts)
    )
    every, none = frozenset(switches), frozenset[str]()
    table = [
        (name, *_estimate(own, other_parts[name], part_doubts[name])) for name, own in parts.items()
    ]
    bounds = (-math.inf if floor is None else floor, 1.0)
    whole = {on: _estimate(own, others[on], doubts[on], *bounds) for on, own in figures.items()}
    table += [("rest", *whole[none]), ("total", *whole[every])]
    combinations = [
        (*(name in on or name not in switches for name in SOURCES), *own)
        for on, own in whole.items()
    ]
    grown = [
        (differ, biased, k * n_samples, *_estimate(own, own, doubts_of[differ, biased, k], *bounds))
        for (differ, biased, k), own in advantages.items()
    ]
    return SourcesReport(
        pd.DataFrame(table, columns=["source", *ENDS]),
        pd.DataFrame(combinations, columns=[*SOURCES, *ENDS]),
        pd.DataFrame(grown, columns=["conditional", "bias", "n_samples", *ENDS]),
        _lead(parts, other_parts, part_doubts),
        **described,
    )


def _figures(
    advantages: Advantages, switches: Sequence[str], growth: Sequence[int], rate: float
) -> dict[frozenset[str], np.ndarray]:
    """Return the advantages by the sources that are at work, those of infinite data as limits."""
    found = {}
    for on in subsets(switches):
        differ, biased, finite = (name in on or name not in switches for name in SOURCES)
        if finite:
            found[on] = advantages[differ, biased, 1]
        else:
            weights = limit_weights(growth, rate)
            found[on] = sum(
                weight * advantages[differ, biased, k]
                for weight, k in zip(weights, growth, strict=True)
            )
    return found


def _doubts(advantages: Advantages, floor: float | None) -> Advantages:
    """Return what the spread of rare errors does not tell, for intervals to hold as well.

    Where hardly a guess is wrong, or right, targets and halves hardly differ, and a share's own
    interval reaches further than they say. Doubts of different populations are independent: each
    has an entry of its own, ``(n_populations,)``, so that figures that are linear in advantages
    have the root of the sum of squares.
    """
    places = {place: i for i, place in enumerate({id(own): None for own in advantages.values()})}
    found = {}
    for key, own in advantages.items():
        found[key] = np.zeros(len(places))
        if floor is not None:
            hits = (own - floor) / (1 - floor)
            far, near = _half(proportion_interval(hits)), _half(mean_interval(hits))
            reach = math.sqrt(max(far**2 - near**2, 0.0))
            found[key][places[id(own)]] = (1 - floor) * reach
    return found


def _half(found: Estimate) -> float:
    return (found.high - found.low) / 2


def _interval(
    values: np.ndarray,
    other: np.ndarray,
    doubt: np.ndarray,
    least: float = -math.inf,
    most: float = math.inf,
) -> Estimate:
    """Return a figure with its interval, which also holds the figure by another rate.

    It is cut at ``least`` and ``most``, which the figure itself may pass as a limit.
    """
    found = mean_interval(values)
    half = math.hypot(_half(found), float(np.linalg.norm(doubt)))
    low = min(found.value - half, float(other.mean()))
    high = max(found.value + half, float(other.mean()))
    return replace(
        found, low=min(max(low, least), found.value), high=max(min(high, most), found.value)
    )


def _estimate(*args: Any) -> tuple[float, float, float]:
    found = _interval(*args)
    return found.value, found.low, found.high


def _lead(
    parts: dict[str, np.ndarray], others: dict[str, np.ndarray], doubts: dict[str, np.ndarray]
) -> dict[str, float]:
    """Return by how much the largest part leads the next; nothing of a single one."""
    if len(parts) < 2:
        return {}
    first, second = sorted(parts, key=lambda name: -parts[name].mean())[:2]
    found = _interval(*(own[first] - own[second] for own in (parts, others, doubts)))
    return {"value": found.value, "ci_low": found.low, "ci_high": found.high}
