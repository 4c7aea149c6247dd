"""When a game is looked at, and how narrow its intervals were: sequential stopping.

The intervals come from ``_game_figures``; the game goes on, or stops, in ``_game``.
"""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from ...exceptions import InvalidInputError
from ._game_tables import risk_of

if TYPE_CHECKING:
    from ._estimand import Estimand


@dataclass(frozen=True)
class InterimAnalysis:
    """How wide the widest interval of a risk was when the game was looked at."""

    n_targets: int
    width: float

    @classmethod
    def of(cls, losses: dict[str, np.ndarray], goal: "Estimand", n_looks: int) -> "InterimAnalysis":
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
    if not isinstance(width, (int, float)) or isinstance(width, bool) or not width > 0:
        raise InvalidInputError(f"width={width!r}; wanted a number above 0")
    most = 8 * n_targets if max_targets is None else max_targets
    if not isinstance(most, Integral) or most < n_targets:
        raise InvalidInputError(f"max_targets={max_targets!r}; wanted an int from n_targets")
    sizes = [n_targets]
    while sizes[-1] < most:
        sizes.append(min(2 * sizes[-1], int(most)))
    return sizes
