"""Latent budget allocation: how many latent dimensions each token gets."""

from collections.abc import Callable, Sequence
from itertools import permutations

import torch
from scipy.optimize import isotonic_regression
from torch import Tensor

from ._activation_aware import ActivationAwareCode

MAX_RATIO = 4  # latents of one token at most, over those of a token on average
MOVED_PARTS = (8, 32)

Gradients = Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]


def latent_importance(code: ActivationAwareCode, rows: Tensor, gradients: Gradients) -> Tensor:
    r"""Return what the outputs lose without each latent ``(n_tokens, n_latents)``.

    To first order a model loses :math:`E[(z\, \partial f / \partial z)^2]` without its latent z.
    Returned are the squares of the mean roots over models, so that the few models in which one unit
    is all-important do not decide for all.
    """
    layout = code.layers.layout
    latents = code.encode(layout.to_tokens(rows))
    derivatives = gradients(latents, lambda points: layout.to_rows(code.decode(points)))
    losses = (derivatives.unflatten(0, (-1, len(rows))) * latents).square().mean(0)
    return losses.sqrt().mean(0).square()


def allocate_budget(
    importances: Sequence[Tensor], n_latents: int, loss: Callable[[tuple[int, ...]], float]
) -> tuple[int, ...]:
    """Return the latent dimensions of each token, ``n_latents`` in all where there is room.

    Within a token group they go where they are most important. From group to group they are moved
    while the loss falls, many at first, then few: the next layer makes up for errors in one layer,
    which importances by themselves do not say.

    Parameters
    ----------
    importances : sequence of Tensor ``(n_units, max_latents)``
        Importance of each latent, per token group. A unit has its first latents, so those that
        come before more important ones count with them, by isotonic regression.
    n_latents : int
        Latent dimensions per model.
    loss : callable
        Maps the latent dimensions of each token to the loss of a trial code.
    """
    importances = [torch.stack(list(map(_decreasing, group))) for group in importances]
    capacities = [group.numel() for group in importances]
    n_latents = min(n_latents, sum(capacities))
    chosen = _largest(torch.cat([group.flatten() for group in importances]), n_latents)
    budgets = [int(group.sum()) for group in chosen.split(capacities)]

    def sizes(budgets: Sequence[int]) -> tuple[int, ...]:
        parts = zip(importances, budgets, strict=True)
        used = [_largest(group.flatten(), n).view(group.shape) for group, n in parts]
        return tuple(torch.cat([group.sum(1) for group in used]).tolist())

    least = loss(sizes(budgets))
    for part in MOVED_PARTS:
        improved = True
        while improved:
            improved = False
            for tried in _moves(budgets, capacities, max(1, n_latents // part)):
                trial = loss(sizes(tried))
                if trial < least:
                    least, budgets[:], improved = trial, tried, True
    return sizes(budgets)


def _moves(budgets: list[int], capacities: list[int], amount: int):
    """Yield the current budgets with up to ``amount`` latents moved from one group to another."""
    for giver, taker in permutations(range(len(budgets)), 2):
        moved = min(amount, capacities[taker] - budgets[taker], budgets[giver] - 1)
        if moved >= 1:
            tried = list(budgets)
            tried[giver] -= moved
            tried[taker] += moved
            yield tried


def _decreasing(values: Tensor) -> Tensor:
    return torch.tensor(isotonic_regression(values.double().numpy(), increasing=False).x.tolist())


def _largest(values: Tensor, n_values: int) -> Tensor:
    """Mark the largest values ``(n,)``; of equal ones the first."""
    marked = torch.zeros(values.shape, dtype=torch.bool)
    marked[values.argsort(descending=True, stable=True)[:n_values]] = True
    return marked
