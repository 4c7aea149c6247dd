"""Orders of hidden units: by norm, and next to the units of a reference model (weight matching)."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ._permute import by_unit, permute_axis, permute_units
from ._unit_tracking import PermutationGroup, PermutedAxis


def sorted_orders(
    parameters: Mapping[str, Tensor], groups: Sequence[PermutationGroup]
) -> list[Tensor]:
    """Return for each group the order of decreasing norm of the units' incoming weights.

    Ties are broken by the sum of these weights, then by norm and sum of the outgoing ones. The
    result does not depend on the current order of any units.
    """
    return [_sorted_order(parameters, group) for group in groups]


def _sorted_order(parameters: Mapping[str, Tensor], group: PermutationGroup) -> Tensor:
    incoming = _features(parameters, group.incoming)
    norm = _norms(incoming)
    order = norm.argsort(dim=1, descending=True, stable=True)
    if not (norm.take_along_dim(order, 1).diff(dim=1) == 0).any():
        return order
    order = torch.arange(group.n_units, device=norm.device).expand_as(norm)
    outgoing = _features(parameters, group.outgoing) if group.outgoing else incoming
    # from the least to the most significant key
    for key in (_sums(outgoing), _norms(outgoing), _sums(incoming), norm):
        rank = key.take_along_dim(order, 1).argsort(dim=1, descending=True, stable=True)
        order = order.take_along_dim(rank, 1)
    return order


def _norms(features: Tensor) -> Tensor:
    """Return the squared norm of each unit's weights, without the bits that depend on the order."""
    mantissa, exponent = torch.frexp(features.square().sum(2))
    return torch.ldexp((mantissa * 2**40).round() / 2**40, exponent)


def _sums(features: Tensor) -> Tensor:
    """Return the sum of each unit's weights, without the bits that depend on the order."""
    return (features.sum(2) * 2**30).round()


def aligned_orders(
    parameters: Mapping[str, Tensor],
    groups: Sequence[PermutationGroup],
    reference: Mapping[str, Tensor],
) -> list[Tensor]:
    """Return the orders that match each model's units to the most similar ones of a reference.

    Weight matching ends in a local optimum that depends on its start. It starts here from units
    sorted by norm, so that the result does not depend on the current order of a model's units.
    """
    ranks = [order.argsort(1) for order in sorted_orders(reference, groups)]
    start = [
        order.take_along_dim(rank, 1)
        for order, rank in zip(sorted_orders(parameters, groups), ranks, strict=True)
    ]
    moves = matched_orders(permute_units(parameters, groups, start), groups, reference)
    return [order.take_along_dim(move, 1) for order, move in zip(start, moves, strict=True)]


def matched_orders(
    parameters: Mapping[str, Tensor],
    groups: Sequence[PermutationGroup],
    reference: Mapping[str, Tensor],
    max_sweeps: int = 50,
) -> list[Tensor]:
    """Return the orders that bring every model closest to one reference model.

    Parameters
    ----------
    parameters : dict of Tensor of shape (n_models, *shape)
    groups : sequence of PermutationGroup
    reference : dict of Tensor of shape (1, *shape)
    max_sweeps : int
        The most visits of all groups; a few are enough.

    Returns
    -------
    list of Tensor of shape (n_models, n_units), one per group

    Notes
    -----
    Weight matching by coordinate descent: one linear assignment per group with the other groups
    fixed, until none changes (Ainsworth et al. 2023, "Git Re-Basin", algorithm 1). A group is
    visited again only for the models in which a group that shares parameters with it has moved.
    Where a layer maps a group to itself, as one that is applied twice does, each visit fixes one of
    its two axes.
    """
    permuted = {a.parameter: parameters[a.parameter].clone() for g in groups for a in g.weights}
    first = next(iter(parameters.values()))
    orders = [torch.arange(g.n_units, device=first.device).repeat(len(first), 1) for g in groups]
    neighbours = [_neighbours(group, groups) for group in groups]
    waiting = torch.ones(len(groups), len(first), dtype=torch.bool, device=first.device)
    for _ in range(max_sweeps):
        for i, group in enumerate(groups):
            models = waiting[i].nonzero().squeeze(1)
            if len(models) == 0:
                continue
            waiting[i] = False
            chosen = slice(None) if len(models) == len(first) else models
            selected = {a.parameter: permuted[a.parameter][chosen] for a in group.weights}
            moves, better = _best_moves(_similarity(selected, group, reference))
            models = models[better]
            if len(models) == 0:
                continue
            orders[i][chosen] = orders[i][chosen].take_along_dim(moves, 1)
            for axis in group.weights:
                selected[axis.parameter] = permute_axis(selected[axis.parameter], axis, moves)
                permuted[axis.parameter][chosen] = selected[axis.parameter]
            for neighbour in neighbours[i]:
                waiting[neighbour, models] = True
        if not waiting.any():
            break
    return orders


def _neighbours(group: PermutationGroup, groups: Sequence[PermutationGroup]) -> list[int]:
    """Return the indices of the groups that share a parameter with one, along another axis."""

    def share(a: PermutedAxis, b: PermutedAxis) -> bool:
        return a.parameter == b.parameter and a.axis != b.axis

    return [
        i
        for i, other in enumerate(groups)
        if any(share(a, b) for a in group.weights for b in other.weights)
    ]


def _similarity(
    parameters: Mapping[str, Tensor], group: PermutationGroup, reference: Mapping[str, Tensor]
) -> Tensor:
    """Return the inner product of each unit's weights with those of each reference unit.

    Incoming and outgoing weights count; the shape is ``(n_models, n_units, n_reference_units)``.
    """
    products = []
    for axis in group.weights:
        units = by_unit(parameters[axis.parameter], axis).transpose(1, 2).flatten(2)
        references = by_unit(reference[axis.parameter].to(units), axis).transpose(1, 2).flatten(2)
        products.append(units @ references[0].T)
    return sum(products[1:], products[0])


def _best_moves(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """Assign units to reference units, for models ``(n_models, n_units, n_reference_units)``.

    Returns the unit of each reference unit, ``(n_models, n_reference_units)``, and whether a model
    gains more than rounding errors by it, ``(n_models,)``; the order is kept where it does not.
    """
    costs = -similarity.double().cpu().numpy()
    costs -= costs.min(1, keepdims=True)  # the same optimum, found faster
    assigned = np.array([linear_sum_assignment(one)[1] for one in costs])
    after = np.take_along_axis(costs, assigned[:, :, None], 2).sum((1, 2))
    better = np.trace(costs, axis1=1, axis2=2) - after > 1e-6 * costs.max((1, 2))
    assigned[~better] = np.arange(assigned.shape[1])
    moves = torch.from_numpy(assigned.argsort(1))
    return moves.to(similarity.device), torch.from_numpy(better).to(similarity.device)


def _features(parameters: Mapping[str, Tensor], axes: Sequence[PermutedAxis]) -> Tensor:
    """Return the weights along some axes per unit, ``(n_models, n_units, -1)``, in float64."""
    return torch.cat(
        [
            by_unit(parameters[axis.parameter].double(), axis).movedim(2, 1).flatten(2)
            for axis in axes
        ],
        dim=2,
    )
