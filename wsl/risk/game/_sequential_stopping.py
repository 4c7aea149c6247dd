"""Interim analyses of a game: at which numbers of targets, and how wide intervals were."""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from ...exceptions import InvalidInputError
from ._estimand import Estimand
from ._game_tables import risk_of


@dataclass(frozen=True)
class InterimAnalysis:
    """The width of the widest interval of a risk, after so many targets."""

    n_targets: int
    width: float


def analyse_losses(
    losses: dict[str, np.ndarray], estimand: Estimand, n_analyses: int
) -> InterimAnalysis:
    """Return the interim analysis of losses ``(n_repeats, n_targets)`` by attack."""
    risks = [risk_of(attack_losses, estimand, n_analyses) for attack_losses in losses.values()]
    n_targets = max((attack_losses.shape[1] for attack_losses in losses.values()), default=0)
    return InterimAnalysis(
        n_targets, max((risk.high - risk.low for risk in risks), default=math.inf)
    )


def resolve_interim_sizes(n_targets: int, width: Any, max_targets: Any) -> list[int]:
    """Return the numbers of targets after which the game is analysed: doubled up to a maximum."""
    if width is None:
        if max_targets is not None:
            raise InvalidInputError(
                f"`max_targets` is only used together with `width`; got {max_targets!r} with "
                "width=None."
            )
        return [n_targets]
    if not isinstance(width, (int, float)) or isinstance(width, bool) or not width > 0:
        raise InvalidInputError(f"`width` must be a number above 0; got {width!r}.")
    most = 8 * n_targets if max_targets is None else max_targets
    if not isinstance(most, Integral) or int(most) < n_targets:
        raise InvalidInputError(
            f"`max_targets` must be an int of at least n_targets={n_targets}; got {max_targets!r}."
        )
    sizes = [n_targets]
    while sizes[-1] < int(most):
        sizes.append(min(2 * sizes[-1], int(most)))
    return sizes
