"""``GameReport``: what a game cost its adversary, with a model and without.

The game is played in ``_game``; the rows that tell as much as a model are counted in ``_rows``.
"""

import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..distributions import DistributionFamily
from ..exceptions import InvalidInputError
from ._intervals import Estimate, mean_interval, share_interval, spread_of
from ._leakage import n_leaked
from ._rows import RowCurve

if TYPE_CHECKING:
    from ._goal import Goal

COLUMNS = (
    "attack", "risk", "ci_low", "ci_high", "advantage", "advantage_low", "advantage_high",
    "n_leaked", "n_leaked_low", "n_leaked_high", "n_leaked_bound",
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How wide the widest interval of a risk was when the game was looked at."""

    n_targets: int
    width: float

    @classmethod
    def of(cls, losses: dict[str, np.ndarray], goal: "Goal", n_looks: int) -> "Look":
        """Look at the losses ``(n_repeats, n_targets)`` of each attack."""
        estimates = [risk_of(own, goal, n_looks) for own in losses.values()]
        n_targets = max((own.shape[1] for own in losses.values()), default=0)
        return cls(n_targets, max((e.high - e.low for e in estimates), default=math.inf))


def plan_looks(n_targets: Any, width: Any, max_targets: Any) -> list[int]:
    """Return the numbers of targets at which the game is looked at."""
    if width is None:
        if max_targets is not None:
            raise InvalidInputError(f"max_targets={max_targets!r} was given without a width")
        return [n_targets]
    if not isinstance(width, (int, float)) or not width > 0:
        raise InvalidInputError(f"width={width!r}; wanted a number above 0")
    most = 8 * n_targets if max_targets is None else max_targets
    if not isinstance(most, Integral) or most < n_targets:
        raise InvalidInputError(f"max_targets={max_targets!r}; wanted an int from n_targets")
    sizes = [n_targets]
    while sizes[-1] < most:
        sizes.append(min(2 * sizes[-1], int(most)))
    return sizes


@dataclass(frozen=True, eq=False, repr=False)
class GameReport:
    """What a game cost the adversary.

    Attributes
    ----------
    table : DataFrame
        A row an attack: ``attack``; its ``risk``, in units of the loss, with the 95% interval
        ``ci_low`` to ``ci_high``; ``advantage`` over the prior (0 is none, 1 is certainty) with
        ``advantage_low`` to ``advantage_high``; ``n_leaked``, how many rows of the training
        distribution told an adversary as much, with ``n_leaked_low`` to ``n_leaked_high``, infinite
        where more than ``n_samples`` would be needed; and ``n_leaked_bound``, where the property is
        one of two shares: how many it takes at least, by :func:`wsl.risk.n_leaked`.
    prior_risk : Estimate
        What the best guess costs that does not look at the model: ``value``, ``low``, ``high``.
        Known exactly where the prior is a family's own classes.
    rows : DataFrame or None
        What an adversary risks who sees ``n_rows`` rows instead of a model: ``risk``, ``ci_low``,
        ``ci_high``.
    looks : list of Look
        How many targets there were, and how wide the widest interval of a risk was, each time that
        the game was looked at.
    skipped : dict from attack to str
    classes : tuple or None
        The values of the property where it is a class.
    truth : ndarray ``(n_targets,)`` or ``(n_targets, n_properties)``
        Classes by their index.
    guesses : dict from attack to ndarray ``(n_repeats, n_targets)``, or ``(..., n_properties)``
    losses : dict from attack to ndarray ``(n_repeats, n_targets)``
    settings : dict

    Notes
    -----
    The bounds of the advantage are those of the two risks put together, a little wider than 95%
    where the prior's is estimated.
    """

    table: pd.DataFrame
    prior_risk: Estimate
    rows: pd.DataFrame | None
    looks: list[Look]
    skipped: dict[str, str]
    classes: tuple | None
    truth: np.ndarray
    guesses: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    settings: dict[str, Any] = field(default_factory=dict)

    def plot(self, ax: Any = None) -> Any:
        """Draw what rows of data tell beside what a model tells.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InvalidInputError
            If the game was played with ``n_row_sets=0``.
        """
        from ._pictures import draw_risk_curve, new_axes

        if self.rows is None:
            raise InvalidInputError("the report has no rows; wanted one of n_row_sets above 0")
        return draw_risk_curve(self.rows, self.table, new_axes(6.0, 4.0) if ax is None else ax)

    def __repr__(self) -> str:
        prior = self.prior_risk
        lines = [
            "GameReport",
            f"risk by the prior alone: {prior.value:.3f} ({prior.low:.3f} to {prior.high:.3f})",
            self.table.to_string(index=False, float_format="{:.3f}".format),
        ]
        lines += [f"left out: {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


def game_table(
    losses: dict[str, np.ndarray],
    goal: "Goal",
    curve: RowCurve | None,
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
            leaked = curve.n_leaked(risk.value, math.sqrt(spread_of(own).variance), seed)
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


def prior_estimate(goal: "Goal") -> Estimate:
    """Return the risk of the best guess by the prior alone."""
    loss, draws = goal.loss, goal.draws
    costs = loss.of_constant(loss.best_constant(draws), draws)
    if goal.is_exact:
        return Estimate(*[float(costs.mean())] * 3)
    return mean_interval(costs[None], floor=0.0 if costs.min() >= 0 else -math.inf)


def risk_of(losses: np.ndarray, goal: "Goal", n_looks: int = 1) -> Estimate:
    """Return the mean of losses ``(n_repeats, n_targets)``; its interval is one of ``n_looks``."""
    level = 1 - 0.05 / n_looks
    if goal.loss.name == "zero_one":
        return share_interval(losses, level)
    return mean_interval(losses, level, floor=0.0 if losses.min() >= 0 else -math.inf)


def _bound(risk: float, goal: "Goal", family: DistributionFamily) -> float:
    """Return the fewest rows that tell two shares apart as well, NaN of any other goal."""
    shares = goal.loss.classes
    own = goal.is_exact and family.property_is_share and goal.loss.name == "zero_one"
    return n_leaked(1 - risk, *shares) if own and shares and len(shares) == 2 else math.nan
