"""Reordering the hidden units of models: of their parameters, and of rows in batches."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ..._validation import check_rows, owned_tensor
from .._parameter_layout import ParameterLayout
from ._unit_tracking import PermutationGroup, PermutedAxis

PERMUTE_BYTES = 16 * 2**20

OrderFinder = Callable[[dict[str, Tensor], slice], Sequence[Tensor]]


def permute_rows(
    layout: ParameterLayout, groups: Sequence[PermutationGroup], weights, find_orders: OrderFinder
):
    """Reorder the hidden units of rows ``(n_models, n_weights)``, an array or a Tensor.

    ``find_orders(parameters, models)`` returns the orders of the models in a slice, as
    ``permute_units`` takes them.
    """
    if not isinstance(weights, Tensor):
        weights = check_rows(weights, layout.n_weights)
    size, permuted = max(1, PERMUTE_BYTES // (8 * layout.n_weights)), []
    for start in range(0, max(1, len(weights)), size):
        models = slice(start, start + size)
        rows = weights[models]
        rows = rows if isinstance(rows, Tensor) else owned_tensor(rows)
        orders = find_orders(layout.parameters(rows.detach()), models)
        orders = [order.to(rows.device) for order in orders]
        permuted.append(layout.rows(permute_units(layout.parameters(rows), groups, orders)))
    joined = permuted[0] if len(permuted) == 1 else torch.cat(permuted)
    return joined if isinstance(weights, Tensor) else joined.numpy()


def permute_units(
    parameters: Mapping[str, Tensor],
    groups: Sequence[PermutationGroup],
    orders: Sequence[Tensor],
) -> dict[str, Tensor]:
    """Reorder the hidden units of every model.

    Parameters
    ----------
    parameters : dict of Tensor of shape (n_models, *shape)
    groups : sequence of PermutationGroup
    orders : sequence of Tensor of shape (n_models, n_units), one per group
        The index of the unit that comes first, second and so on.
    """
    permuted = dict(parameters)
    for group, order in zip(groups, orders, strict=True):
        for axis in group.axes:
            permuted[axis.parameter] = permute_axis(permuted[axis.parameter], axis, order)
    return permuted


def permute_axis(parameter: Tensor, axis: PermutedAxis, order: Tensor) -> Tensor:
    """Reorder the units along one axis of a parameter by orders ``(n_models, n_units)``."""
    units = by_unit(parameter, axis)
    n_models, n_before, n_units, size = units.shape
    if size == 1:
        index = order[:, None].expand(-1, n_before, -1)
        return units.squeeze(3).gather(2, index).view(parameter.shape)
    # contiguous memory is copied: many times faster than entry by entry
    first = torch.arange(0, n_models * n_before * n_units, n_units, device=order.device)
    index = first.view(n_models, n_before, 1) + order[:, None]
    return units.reshape(-1, size).index_select(0, index.flatten()).view(parameter.shape)


def by_unit(parameter: Tensor, axis: PermutedAxis) -> Tensor:
    """View a parameter as ``(n_models, axes before, n_units, block and axes after)``."""
    n_models, *shape = parameter.shape
    n_before, n_units = math.prod(shape[: axis.axis]), shape[axis.axis] // axis.block
    size = axis.block * math.prod(shape[axis.axis + 1 :])
    return parameter.reshape(n_models, n_before, n_units, size)


def random_orders(
    groups: Sequence[PermutationGroup], n_models: int, generator: torch.Generator
) -> list[Tensor]:
    """Draw a uniformly random order of the units of each group for each model."""
    return [
        torch.rand(n_models, g.n_units, generator=generator, device=generator.device).argsort(1)
        for g in groups
    ]
