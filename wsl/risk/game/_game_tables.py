"""The table of a game: risk, advantage and leaked rows of each attack, with intervals."""

import math

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
from ._estimand import Estimand
from ._sample_baseline import SampleBaseline

COLUMNS = (
    "attack", "risk", "ci_low", "ci_high", "advantage", "advantage_low", "advantage_high",
    "n_leaked", "n_leaked_low", "n_leaked_high", "n_leaked_bound",
)  # fmt: skip


def game_table(
    losses: dict[str, np.ndarray],
    estimand: Estimand,
    baseline: SampleBaseline | None,
    family: DistributionFamily,
    n_analyses: int,
    seed: int,
) -> pd.DataFrame:
    """Return the table of a report; see :class:`GameReport`."""
    prior = prior_risk(estimand)
    rows = []
    for name, attack_losses in losses.items():
        risk = risk_of(attack_losses, estimand, n_analyses)
        leaked = Estimate(math.nan, math.nan, math.nan)
        if baseline is not None:
            standard_error = math.sqrt(variance_of_mean(attack_losses).variance)
            leaked = baseline.n_leaked(risk.value, standard_error, seed)
        advantage = (
            1 - risk.value / prior.value, 1 - risk.high / prior.low, 1 - risk.low / prior.high,
        )  # fmt: skip
        rows.append(
            (
                name, risk.value, risk.low, risk.high, *advantage,
                leaked.value, leaked.low, leaked.high, _bound(risk.value, estimand, family),
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def prior_risk(estimand: Estimand) -> Estimate:
    """Return the risk of the best guess by the prior alone."""
    loss, draws = estimand.loss, estimand.draws
    losses = loss.of_constant(loss.best_constant(draws), draws)
    if estimand.is_exact:
        return Estimate(*[float(losses.mean())] * 3)
    return mean_interval(losses[None], floor=0.0 if losses.min() >= 0 else -math.inf)


def risk_of(losses: np.ndarray, estimand: Estimand, n_analyses: int = 1) -> Estimate:
    """Return the mean of losses ``(n_repeats, n_targets)``.

    Intervals of all of ``n_analyses`` hold together with 95% (Bonferroni).
    """
    level = 1 - 0.05 / n_analyses
    if estimand.loss.classes is None:
        return mean_interval(losses, level, floor=0.0 if losses.min() >= 0 else -math.inf)
    # bounded losses have the interval of a proportion, whose width is not 0 without any error
    matrix = estimand.loss.matrix()
    least, span = matrix.min(), max(np.ptp(matrix), np.finfo(float).tiny)
    proportion = proportion_interval((losses - least) / span, level)
    ends = (proportion.value, proportion.low, proportion.high)
    return Estimate(*(least + span * end for end in ends))


def _bound(risk: float, estimand: Estimand, family: DistributionFamily) -> float:
    """Return the fewest rows that distinguish two proportions as well; NaN for other games."""
    classes = estimand.loss.classes
    is_bounded = (
        estimand.is_exact and family.property_is_fraction and estimand.loss.name == "zero_one"
    )
    return (
        n_leaked(1 - risk, *classes) if is_bounded and classes and len(classes) == 2 else math.nan
    )
