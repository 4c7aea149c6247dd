"""The parts of an advantage: Shapley values of measured advantages, with their intervals."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..evaluation._confidence_intervals import Estimate, mean_interval, proportion_interval
from ..reports._sources_report import SOURCES, SourcesReport
from ._shapley import limit_weights, shapley_values, subsets

# Rate at which advantages approach their limit of infinite data, and another one, by which
# intervals are widened.
RATE, OTHER_RATE = 1.0, 0.5
ENDS = ["advantage", "ci_low", "ci_high"]
Advantages = dict[tuple[bool, bool, int], np.ndarray]


class Values(NamedTuple):
    """A linear function of advantages, and what its interval is computed from.

    Attributes
    ----------
    values : ndarray of shape (n_repeats, n_targets)
    other_values : ndarray of shape (n_repeats, n_targets)
        The same with limits of another rate.
    extra_half_widths : ndarray of shape (n_populations,)
        By which the interval of the mean is too narrow, per independent population.
    """

    values: np.ndarray
    other_values: np.ndarray
    extra_half_widths: np.ndarray

    def estimate(self, least: float = -math.inf, most: float = math.inf) -> Estimate:
        """Return the mean with its interval, which also holds the mean by the other rate.

        The interval is cut at ``least`` and ``most``, which the mean itself may exceed as a limit.
        """
        mean, other_mean = mean_interval(self.values), float(self.other_values.mean())
        extra = float(np.linalg.norm(self.extra_half_widths))
        half_width = math.hypot(_half_width(mean), extra)
        low = min(mean.value - half_width, other_mean)
        high = max(mean.value + half_width, other_mean)
        return replace(
            mean, low=min(max(low, least), mean.value), high=max(min(high, most), mean.value)
        )


def decompose(
    advantages: Advantages,
    switches: Sequence[str],
    multipliers: Sequence[int],
    n_samples: int,
    *,
    floor: float | None = None,
    **described: Any,
) -> SourcesReport:
    """Return the report of advantages ``(n_repeats, n_targets)`` by combination of sources.

    Every estimate in it is linear in them, so that its interval is that of a mean over repeats and
    targets. Combinations with the same models share one array.

    Parameters
    ----------
    advantages : dict from (conditional, bias, multiplier) to ndarray
        The first two say whether the source is on.
    switches : sequence of str
        Sources that can be switched off.
    multipliers : sequence of int
    n_samples : int
    floor : float, optional
        Advantage of a wrong guess, that of a right one being 1; None for continuous properties.
    described : dict
        Further fields of the report.
    """
    bounds = (-math.inf if floor is None else floor, 1.0)
    extra = _extra_half_widths(advantages, floor)
    worths = [
        _worths(advantages, switches, multipliers, RATE),
        _worths(advantages, switches, multipliers, OTHER_RATE),
        _worths(extra, switches, multipliers, RATE),
    ]
    parts = _zip_values([shapley_values(switches, each) for each in worths])
    totals = {on: own.estimate(*bounds) for on, own in _zip_values(worths).items()}
    rows = {name: own.estimate() for name, own in parts.items()}
    rows |= {"rest": totals[frozenset()], "total": totals[frozenset(switches)]}
    combinations = [
        (*(name in on or name not in switches for name in SOURCES), *_ends(total))
        for on, total in totals.items()
    ]
    by_n_samples = [
        (differ, biased, k * n_samples, *_ends(Values(own, own, extra[key]).estimate(*bounds)))
        for key, own in advantages.items()
        for differ, biased, k in [key]
    ]
    return SourcesReport(
        pd.DataFrame([(n, *_ends(e)) for n, e in rows.items()], columns=["source", *ENDS]),
        pd.DataFrame(combinations, columns=[*SOURCES, *ENDS]),
        pd.DataFrame(by_n_samples, columns=["conditional", "bias", "n_samples", *ENDS]),
        _lead(parts),
        **described,
    )


def _worths(
    advantages: Advantages, switches: Sequence[str], multipliers: Sequence[int], rate: float
) -> dict[frozenset[str], np.ndarray]:
    """Return the advantage by the set of sources that are on; without "sample", the limit."""
    worths = {}
    for on in subsets(switches):
        differ, biased, finite = (name in on or name not in switches for name in SOURCES)
        if finite:
            worths[on] = advantages[differ, biased, 1]
        else:
            weights = limit_weights(multipliers, rate)
            worths[on] = sum(
                weight * advantages[differ, biased, k]
                for weight, k in zip(weights, multipliers, strict=True)
            )
    return worths


def _extra_half_widths(advantages: Advantages, floor: float | None) -> Advantages:
    """Return by how much the interval of a mean is too narrow where errors are rare.

    Where hardly any guess is wrong, or right, the interval of a proportion is wider than targets
    and halves suggest. Populations are independent: each has an entry of its own,
    ``(n_populations,)``, so that linear functions of advantages have the root of the sum of
    squares.
    """
    arrays = {
        array_id: i for i, array_id in enumerate({id(own): None for own in advantages.values()})
    }
    extra = {}
    for key, own in advantages.items():
        extra[key] = np.zeros(len(arrays))
        if floor is not None:
            is_right = (own - floor) / (1 - floor)
            wide, narrow = proportion_interval(is_right), mean_interval(is_right)
            difference = _half_width(wide) ** 2 - _half_width(narrow) ** 2
            extra[key][arrays[id(own)]] = (1 - floor) * math.sqrt(max(difference, 0.0))
    return extra


def _zip_values(parts: Sequence[dict[Any, np.ndarray]]) -> dict[Any, Values]:
    """Return values with what their intervals are computed from, by name."""
    return {name: Values(*(part[name] for part in parts)) for name in parts[0]}


def _half_width(estimate: Estimate) -> float:
    return (estimate.high - estimate.low) / 2


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _lead(parts: dict[str, Values]) -> dict[str, float]:
    """Return by how much the largest part exceeds the next; nothing with fewer than two."""
    if len(parts) < 2:
        return {}
    first, second = sorted(parts.values(), key=lambda own: -own.values.mean())[:2]
    lead = Values(*(a - b for a, b in zip(first, second, strict=True))).estimate()
    return {"value": lead.value, "ci_low": lead.low, "ci_high": lead.high}
