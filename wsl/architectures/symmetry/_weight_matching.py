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
    """Return for each group the order of decreasing norm of the weights that come into a unit.

    Units of equal norm are told apart by the sum of these weights, and by norm and sum of those
    that lead out of them: none of it depends on the order in which any units are.
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
    for key in (_sums(outgoing), _norms(outgoing), _sums(incoming), norm):  # the last counts most
        place = key.take_along_dim(order, 1).argsort(dim=1, descending=True, stable=True)
        order = order.take_along_dim(place, 1)
    return order


def _norms(features: Tensor) -> Tensor:
    """Return the square norm of each unit's weights but for the bits that the order changes."""
    mantissa, exponent = torch.frexp(features.square().sum(2))
    return torch.ldexp((mantissa * 2**40).round() / 2**40, exponent)


def _sums(features: Tensor) -> Tensor:
    """Return the sum of each unit's weights but for the bits that the order changes."""
    return (features.sum(2) * 2**30).round()


def aligned_orders(
    parameters: Mapping[str, Tensor],
    groups: Sequence[PermutationGroup],
    reference: Mapping[str, Tensor],
) -> list[Tensor]:
    """Return the orders that bring each model's units next to those of the reference most alike.

    Weight matching ends in a local optimum that depends on where it starts. Here it starts with
    units of equal rank by norm beside each other, so that what comes out does not depend on the
    order in which a model's units were.
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
    parameters : dict of Tensor ``(n_models, *shape)``
    groups : the groups of units
    reference : dict of Tensor ``(1, *shape)``
    max_sweeps : int
        Visits of all groups at most; a few are enough.

    Returns
    -------
    list of Tensor ``(n_models, n_units)``, one for each group

    Notes
    -----
    Weight matching by coordinate descent: one linear assignment for each group with the others
    held, until none changes (Ainsworth et al. 2023, "Git Re-Basin", algorithm 1). A group is
    visited again only for the models in which a group that shares parameters with it has moved.
    Where a layer leads from a group to itself, as one that is applied twice does, each visit holds
    one of its two axes.
    """
    placed = {a.parameter: parameters[a.parameter].clone() for g in groups for a in g.weights}
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
            some = {a.parameter: placed[a.parameter][chosen] for a in group.weights}
            moves, better = _best_moves(_similarity(some, group, reference))
            models = models[better]
            if len(models) == 0:
                continue
            orders[i][chosen] = orders[i][chosen].take_along_dim(moves, 1)
            for axis in group.weights:
                some[axis.parameter] = permute_axis(some[axis.parameter], axis, moves)
                placed[axis.parameter][chosen] = some[axis.parameter]
            for neighbour in neighbours[i]:
                waiting[neighbour, models] = True
        if not waiting.any():
            break
    return orders


def _neighbours(group: PermutationGroup, groups: Sequence[PermutationGroup]) -> list[int]:
    """Return the indices of the groups that lie along another axis of one of its parameters."""

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
    """Return the product of each unit's weights with each of the reference's.

    That is ``(n_models, n_units, n_places)``, over all weights that come in and lead out.
    """
    products = []
    for axis in group.weights:
        units = by_unit(parameters[axis.parameter], axis).transpose(1, 2).flatten(2)
        places = by_unit(reference[axis.parameter].to(units), axis).transpose(1, 2).flatten(2)
        products.append(units @ places[0].T)
    return sum(products[1:], products[0])


def _best_moves(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """Assign units to places, for models ``(n_models, n_units, n_places)``.

    Returns which unit comes to each place, ``(n_models, n_places)``, and whether a model gains more
    than rounding by it, ``(n_models,)``; units stay where it does not.
    """
    costs = -similarity.double().cpu().numpy()
    costs -= costs.min(1, keepdims=True)  # the same assignment is best, and sooner found
    places = np.array([linear_sum_assignment(one)[1] for one in costs])
    after = np.take_along_axis(costs, places[:, :, None], 2).sum((1, 2))
    better = np.trace(costs, axis1=1, axis2=2) - after > 1e-6 * costs.max((1, 2))
    places[~better] = np.arange(places.shape[1])
    moves = torch.from_numpy(places.argsort(1))
    return moves.to(similarity.device), torch.from_numpy(better).to(similarity.device)


def _features(parameters: Mapping[str, Tensor], axes: Sequence[PermutedAxis]) -> Tensor:
    """Return the weights along some axes by unit, ``(n_models, n_units, -1)``, in float64."""
    return torch.cat(
        [
            by_unit(parameters[axis.parameter].double(), axis).movedim(2, 1).flatten(2)
            for axis in axes
        ],
        dim=2,
    )
