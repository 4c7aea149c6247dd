"""How many latents each token has in a code by responses: as many as its model would miss.

The code itself lives in ``_response_code``.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import permutations
from typing import TypeVar

import numpy as np
import torch
from sklearn.isotonic import isotonic_regression
from torch import Tensor

from ..tokens._tokens import TokenLayout
from ._layerwise_forward import LayerwiseForward
from ._response import ResponseCode, mean_moments

Rows = TypeVar("Rows", Tensor, np.ndarray)

MOST = 4  # latents of one token at most, times those of a token on average
TRIED_MODELS = 64
PARTS = (8, 32)


def fit_response_code(
    walk: LayerwiseForward,
    batches: Callable[[], Iterable[Tensor]],
    priors: Sequence[Tensor],
    n_latents: int | Sequence[int],
    tried: Tensor,
    gradients: Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor],
    loss: Callable[[Tensor], Callable[[Tensor], float]],
) -> tuple[ResponseCode, float]:
    """Return the code of rows ``(n_models, n_weights)``, and what it loses on those ``tried``.

    Parameters
    ----------
    batches : callable
        Yields the rows in batches, anew with each call.
    priors : sequence of Tensor ``(length, length)`` float64
        For each kind the second moment of its tokens.
    n_latents : int or sequence of int
        Latent numbers of one model, at most, or of a token of each kind.
    tried : Tensor ``(n_tried, n_weights)``
        Rows by which latents are shared out: among units by all, among layers by ``TRIED_MODELS``.
    gradients : callable
        ``(points, to_rows)`` to gradients of outputs by points, ``(n_draws * n_models, ...)``.
    loss : callable
        Rows to what a rebuild of them loses.
    """
    layout = walk.layout
    moments = mean_moments(walk, map(layout.to_tokens, batches()))
    few = evenly(tried, TRIED_MODELS)
    tokens = layout.to_tokens(few)
    wanted, lost_by = walk.responses(tokens), loss(few)

    @cache
    def lost(sizes: tuple[int, ...]) -> float:
        rebuilt = ResponseCode(walk, priors, moments, sizes).fit(tokens, wanted)[1]
        return lost_by(layout.to_rows(rebuilt))

    if isinstance(n_latents, int):
        most = -(-MOST * n_latents // layout.n_tokens)
        wide = ResponseCode(walk, priors, moments, _token_sizes(layout, [most] * len(priors)))
        gains = latent_gains(wide, tried, gradients).split(layout.kind_counts)
        caps = [min(most, length) for length in layout.kind_lengths]
        gains = [own[:, :cap] for own, cap in zip(gains, caps, strict=True)]
        sizes = share_latents(gains, n_latents, lost)
    else:
        sizes = _token_sizes(layout, n_latents)
    code = ResponseCode(walk, priors, moments, sizes)
    code.fit_spread(map(layout.to_tokens, batches()))
    return code, lost(sizes)


def evenly(rows: Rows, n_rows: int) -> Rows:
    """Return at most so many rows, or indices of rows, from all over."""
    return rows[:: -(-len(rows) // n_rows)]


def latent_gains(
    code: ResponseCode,
    rows: Tensor,
    gradients: Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor],
) -> Tensor:
    r"""Return what outputs would lose without each latent ``(n_tokens, n_latents)``.

    To first order a model loses :math:`E[(z\, \partial f / \partial z)^2]` without its latent z.
    Here are the squares of the mean roots over models, so that the few to which a unit is all
    important do not decide for all.
    """
    layout = code.walk.layout
    latents = code.encode(layout.to_tokens(rows))
    slopes = gradients(latents, lambda own: layout.to_rows(code.decode(own)))
    lost = (slopes.unflatten(0, (-1, len(rows))) * latents).square().mean(0)
    return lost.sqrt().mean(0).square()


def share_latents(
    gains: Sequence[Tensor], n_latents: int, lost: Callable[[tuple[int, ...]], float]
) -> tuple[int, ...]:
    """Return how many latents each token gets, ``n_latents`` in all where there is room.

    Parameters
    ----------
    gains : sequence of Tensor ``(n_units, most)``
        For each kind what its latents are worth. A unit has its first ones, so those that come
        before better ones count with them, by isotonic regression.
    lost : callable
        Numbers of latents to what is lost. Within a kind latents go where they are worth most. From
        kind to kind they are moved while less is lost, many at first, then few: errors in one layer
        are made up for in the next, which gains by themselves do not say.
    """
    gains = [torch.stack(list(map(_decreasing, own))) for own in gains]
    rooms = [own.numel() for own in gains]
    n_latents = min(n_latents, sum(rooms))
    chosen = _largest(torch.cat([own.flatten() for own in gains]), n_latents).split(rooms)
    shares = [int(own.sum()) for own in chosen]

    def sizes(shares: Sequence[int]) -> tuple[int, ...]:
        parts = zip(gains, shares, strict=True)
        used = [_largest(own.flatten(), share).view(own.shape) for own, share in parts]
        return tuple(torch.cat([own.sum(1) for own in used]).tolist())

    least = lost(sizes(shares))
    for part in PARTS:
        improved = True
        while improved:
            improved = False
            for giver, taker in permutations(range(len(shares)), 2):
                tried = list(shares)
                room = rooms[taker] - tried[taker]
                amount = min(max(1, n_latents // part), room, tried[giver] - 1)
                if amount < 1:
                    continue
                tried[giver] -= amount
                tried[taker] += amount
                found = lost(sizes(tried))
                if found < least:
                    least, shares, improved = found, tried, True
    return sizes(shares)


def _decreasing(values: Tensor) -> Tensor:
    return torch.tensor(isotonic_regression(values.double().numpy(), increasing=False).tolist())


def _largest(values: Tensor, n_values: int) -> Tensor:
    """Mark the largest values ``(n,)``, of equal ones the first."""
    marked = torch.zeros(values.shape, dtype=torch.bool)
    marked[values.argsort(descending=True, stable=True)[:n_values]] = True
    return marked


def _token_sizes(layout: TokenLayout, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the latents of each token, told by kind, at most as many as it has numbers."""
    kinds = zip(sizes, layout.kind_lengths, layout.kind_counts, strict=True)
    return tuple(min(size, length) for size, length, count in kinds for _ in range(count))
