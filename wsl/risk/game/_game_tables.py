"""What attacks of a game cost, with intervals: the table of its report.

Losses come from ``_game``; the report itself lives in ``_game_report``.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...distributions import DistributionFamily
from ..evaluation._confidence_intervals import (
    Estimate,
    mean_interval,
    proportion_interval,
    variance_of_mean,
)
from ..evaluation._n_leaked import n_leaked
from ._sample_baseline import SampleBaseline

if TYPE_CHECKING:
    from ._estimand import Estimand

COLUMNS = (
    "attack", "risk", "ci_low", "ci_high", "advantage", "advantage_low", "advantage_high",
    "n_leaked", "n_leaked_low", "n_leaked_high", "n_leaked_bound",
)  # fmt: skip


def game_table(
    losses: dict[str, np.ndarray],
    goal: "Estimand",
    curve: SampleBaseline | None,
    family: DistributionFamily,
    n_looks: int,
    seed: int,
) -> pd.DataFrame:
    """Return the table of a report; see :class:`GameReport`."""
    prior = prior_estimate(goal)
    rows = []
    for name, own in losses.items():
        risk = risk_of(own, goal, n_looks)
        leaked = Estimate(math.nan, math.nan, math.nan)
        if curve is not None:
            leaked = curve.n_leaked(risk.value, math.sqrt(variance_of_mean(own).variance), seed)
        gained = (
            1 - risk.value / prior.value, 1 - risk.high / prior.low, 1 - risk.low / prior.high,
        )  # fmt: skip
        rows.append(
            (
                name, risk.value, risk.low, risk.high, *gained,
                leaked.value, leaked.low, leaked.high, _bound(risk.value, goal, family),
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def prior_estimate(goal: "Estimand") -> Estimate:
    """Return the risk of the best guess by the prior alone."""
    loss, draws = goal.loss, goal.draws
    costs = loss.of_constant(loss.best_constant(draws), draws)
    if goal.is_exact:
        return Estimate(*[float(costs.mean())] * 3)
    return mean_interval(costs[None], floor=0.0 if costs.min() >= 0 else -math.inf)


def risk_of(losses: np.ndarray, goal: "Estimand", n_looks: int = 1) -> Estimate:
    """Return the mean of losses ``(n_repeats, n_targets)``; its interval is one of ``n_looks``."""
    level = 1 - 0.05 / n_looks
    if goal.loss.classes is not None:  # bounded, so that an interval has a width without any error
        costs = goal.loss.matrix()
        least, reach = costs.min(), max(np.ptp(costs), np.finfo(float).tiny)
        share = proportion_interval((losses - least) / reach, level)
        return Estimate(*(least + reach * end for end in (share.value, share.low, share.high)))
    return mean_interval(losses, level, floor=0.0 if losses.min() >= 0 else -math.inf)


def _bound(risk: float, goal: "Estimand", family: DistributionFamily) -> float:
    """Return the fewest rows that tell two shares apart as well, NaN of any other goal."""
    shares = goal.loss.classes
    own = goal.is_exact and family.property_is_fraction and goal.loss.name == "zero_one"
    return n_leaked(1 - risk, *shares) if own and shares and len(shares) == 2 else math.nan
