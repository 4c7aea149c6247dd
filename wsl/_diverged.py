"""Which models diverged, by one rule, and the warning that names them.

Whatever trains or reads models calls ``diverged_rows`` and ``warn_of_diverged``; every ``fit`` to
rows of weights calls ``fitted_models``.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ._batches import row_slices
from ._caller_warnings import warn_caller
from .exceptions import DivergedModelWarning, InvalidInputError

LARGEST_RATIO = 100.0
LARGEST_WEIGHT = 1e20  # the square of a larger float32 is infinite
LEARNED_FROM = "They are learned from like the others; they may distort the result."
LEFT_OUT = "They are left out of the fit."
_N_NAMED = 20


def nonfinite_rows(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Return which models have weights that are not finite, as a mask ``(n_models,)``.

    ``batches`` are the rows, ``(n_batch, n_weights)`` at a time.
    """
    return ~np.isfinite(_sizes(batches))


def diverged_rows(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Return which models diverged, as a mask ``(n_models,)``.

    A model diverged if a weight is not finite, or if the root mean square of its weights is above 1
    and above 100 times the median of all models whose weights are finite. The median does not
    depend on the diverged models as long as they are fewer than half.
    """
    sizes = _sizes(batches)
    finite = np.isfinite(sizes)
    if not finite.any():
        return ~finite
    return ~finite | (sizes > max(1.0, LARGEST_RATIO * float(np.median(sizes[finite]))))


def _sizes(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Return the root mean square of each row in float64, which no finite float32 overflows."""
    return np.concatenate([np.empty(0), *map(_root_mean_squares, batches)])


def _root_mean_squares(rows: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64, casting="safe")
        return np.sqrt(squares / max(1, rows.shape[1]))


def fitted_models(rows: np.ndarray, leave_out: bool = True) -> np.ndarray | slice:
    """Return which models a fit learns from; warn of diverged models.

    A mask ``(n_models,)``, or the slice of all models, which copies no rows.
    Raises InvalidInputError for weights of 1e20 and more in models that did not diverge, as the
    others are as large.

    Parameters
    ----------
    rows : ndarray of shape (n_models, n_weights)
        The parameter ``X`` of a fit, all finite.
    leave_out : bool
        If False, only diverged models with weights of 1e20 and more are left out, as the squares
        of these overflow float32.
    """
    parts = _parts(rows)
    beyond = np.concatenate([np.abs(part).max(axis=1) for part in parts]) >= LARGEST_WEIGHT
    diverged = diverged_rows(parts)
    if (beyond & ~diverged).any():
        raise InvalidInputError(
            f"`X` must hold weights below {LARGEST_WEIGHT:g} in size, whose squares float32 can "
            f"hold; got {np.abs(rows[beyond & ~diverged]).max():.3g}. Leave out rows "
            f"{_listed(np.flatnonzero(beyond & ~diverged).tolist())}."
        )
    left_out = diverged if leave_out else beyond
    for models, consequence in ((left_out, LEFT_OUT), (diverged & ~left_out, LEARNED_FROM)):
        warn_of_diverged(np.flatnonzero(models).tolist(), len(rows), consequence)
    return ~left_out if left_out.any() else slice(None)


def typical_rows(rows: np.ndarray) -> np.ndarray:
    """Return the rows of models that did not diverge, of which to take means and scales."""
    diverged = diverged_rows(_parts(rows))
    return rows[~diverged] if diverged.any() and not diverged.all() else rows


def refuse_overflow(finite: bool) -> None:
    """Raise InvalidInputError unless what was computed from responses is finite."""
    if not finite:
        raise InvalidInputError(
            "Responses of models to `queries` must be numbers whose squares float32 can hold; they "
            "overflow. Scale the queries down, or leave out models with large weights."
        )


def check_finite(values: np.ndarray) -> np.ndarray:
    """Return what was computed from ``X``, one row per model; raise if it overflowed."""
    overflown = np.flatnonzero(nonfinite_rows([values]))
    if len(overflown):
        raise InvalidInputError(
            "`X` must hold models with which float32 can compute; rows "
            f"{_listed(overflown.tolist())} overflow, as their weights are too large."
        )
    return values


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[part] for part in row_slices(len(rows), max(1, 8 * rows.shape[1]))]


def warn_of_diverged(models: Sequence[Any], n_models: int, consequence: str = "") -> None:
    """Issue a DivergedModelWarning that names ``models``; none if there are none.

    Its place is the first caller outside of wsl and of what wsl is called through.

    Parameters
    ----------
    models : sequence
        Indices or names of the diverged models.
    n_models : int
        How many models there are in all.
    consequence : str
        What was done about them, such as "They are left out."
    """
    if not len(models):
        return
    message = (
        f"{len(models)} of {n_models} models diverged (weights that are not finite, or far larger "
        f"than those of most models): models {_listed(models)}. {consequence}"
    )
    warn_caller(message.rstrip(), DivergedModelWarning)


def _listed(models: Sequence[Any]) -> str:
    return f"{list(models[:_N_NAMED])}{' and more' if len(models) > _N_NAMED else ''}"
