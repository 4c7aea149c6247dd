"""The warning that names diverged models, in one place for everything that trains or reads them."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .exceptions import DivergedModelWarning

_N_NAMED = 20


def diverged_rows(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Return which models have weights that are not finite, as a mask ``(n_models,)``.

    ``batches`` are the rows, ``(n_batch, n_weights)`` at a time.
    """
    return np.concatenate([np.empty(0, bool), *(~np.isfinite(b).all(axis=1) for b in batches)])


def warn_of_diverged(
    models: Sequence[Any], n_models: int, consequence: str = "", stacklevel: int = 2
) -> None:
    """Issue a DivergedModelWarning that names ``models``; none if there are none.

    Parameters
    ----------
    models : sequence
        Indices or names of the diverged models.
    n_models : int
        How many models there are in all.
    consequence : str
        What was done about them, such as "They are left out."
    stacklevel : int
        As of ``warnings.warn``, counted from the caller of this function.
    """
    if not len(models):
        return
    more = " and more" if len(models) > _N_NAMED else ""
    message = (
        f"{len(models)} of {n_models} models diverged (weights that are not finite): models "
        f"{list(models[:_N_NAMED])}{more}. {consequence}"
    )
    warnings.warn(
        message.rstrip(),
        DivergedModelWarning,
        stacklevel=stacklevel + 1,
    )
