"""The permutation symmetries of hidden units: finding them, applying them, undoing them.

Plain torch on rows of weights; scikit-learn and numpy stay outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from ..exceptions import UnsupportedModuleError
from ._batched import DROPOUT, POINTWISE, POOLING, is_plain_convolution
from ._build import SelectFeatures

_UNITS_UNTOUCHED = (*POINTWISE, *POOLING, *DROPOUT)


def named_leaves(module, prefix=""):
    """Temporary."""
    if not isinstance(module, nn.Sequential):
        yield prefix, module
        return
    for name, child in module.named_children():
        yield from named_leaves(child, f"{prefix}.{name}" if prefix else name)


@dataclass(frozen=True)
class PermutedAxis:
    """One axis of one parameter along which hidden units lie, ``block`` entries a unit."""

    parameter: str
    axis: int
    block: int = 1


@dataclass(frozen=True)
class PermutationGroup:
    """Hidden units that may change places: all axes move together, or the function changes."""

    n_units: int
    axes: tuple[PermutedAxis, ...]

    @property
    def incoming(self) -> tuple[PermutedAxis, ...]:
        """The axes of the parameters that make the units' values."""
        return tuple(axis for axis in self.axes if axis.axis == 0)


def find_groups(module: nn.Module) -> tuple[PermutationGroup, ...]:
    """Return the groups of interchangeable hidden units of a feed-forward Sequential.

    A unit is an output of a Linear or a channel of a Conv2d; between a convolution and a Linear
    the flatten keeps a channel's places together, so a channel is a block of columns there.
    """
    groups: list[PermutationGroup] = []
    producer: PermutationGroup | None = None
    flattened = True
    for name, layer in named_leaves(module):
        if isinstance(layer, nn.Linear) or (
            isinstance(layer, nn.Conv2d) and is_plain_convolution(layer)
        ):
            prefix = f"{name}." if name else ""
            if producer is not None:
                width = layer.weight.shape[1]
                if isinstance(layer, nn.Linear) and not flattened:
                    raise _unknown(name, layer)
                consumed = PermutedAxis(f"{prefix}weight", 1, width // producer.n_units)
                groups.append(PermutationGroup(producer.n_units, (*producer.axes, consumed)))
            axes = [PermutedAxis(f"{prefix}weight", 0)]
            if layer.bias is not None:
                axes.append(PermutedAxis(f"{prefix}bias", 0))
            producer = PermutationGroup(layer.weight.shape[0], tuple(axes))
            flattened = isinstance(layer, nn.Linear)
        elif isinstance(layer, nn.Flatten):
            flattened = True
        elif isinstance(layer, (nn.Unflatten, SelectFeatures)) and producer is None:
            continue
        elif type(layer) not in _UNITS_UNTOUCHED:
            raise _unknown(name, layer)
    return tuple(groups)


def _unknown(name: str, layer: nn.Module) -> UnsupportedModuleError:
    return UnsupportedModuleError(
        f"the permutation symmetries of layer {name!r} ({type(layer).__name__}) are not known; "
        "wanted an nn.Sequential of Linear, Conv2d, activation, pooling, dropout and Flatten layers"
    )


def permute_units(
    parameters: dict[str, Tensor], groups: Sequence[PermutationGroup], orders: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Reorder the hidden units of every model.

    Parameters
    ----------
    parameters : dict of Tensor ``(n_models, *shape)``
    groups : the groups of units
    orders : for each group a Tensor ``(n_models, n_units)``: which unit comes to each place
    """
    permuted = dict(parameters)
    for group, order in zip(groups, orders, strict=True):
        for axis in group.axes:
            permuted[axis.parameter] = _take(permuted[axis.parameter], axis, order)
    return permuted


def _take(parameter: Tensor, axis: PermutedAxis, order: Tensor) -> Tensor:
    dim = axis.axis + 1
    index = order
    if axis.block > 1:
        places = torch.arange(axis.block, device=order.device)
        index = (order[:, :, None] * axis.block + places).flatten(1)
    shape = [1] * parameter.ndim
    shape[0], shape[dim] = index.shape
    return parameter.take_along_dim(index.view(shape), dim)


def random_orders(
    groups: Sequence[PermutationGroup], n_models: int, generator: torch.Generator
) -> list[Tensor]:
    """Draw for each group a uniformly random order of its units for each model."""
    return [
        torch.rand(n_models, g.n_units, generator=generator, device=generator.device).argsort(1)
        for g in groups
    ]


def sorted_orders(
    parameters: dict[str, Tensor], groups: Sequence[PermutationGroup]
) -> list[Tensor]:
    """Return for each group the order of decreasing norm of the weights that come into a unit."""
    orders = []
    for group in groups:
        squares = [_by_unit(parameters[a.parameter], a).square().sum(-1) for a in group.incoming]
        orders.append(torch.stack(squares).sum(0).argsort(dim=1, descending=True, stable=True))
    return orders


def matched_orders(
    parameters: dict[str, Tensor],
    groups: Sequence[PermutationGroup],
    reference: dict[str, Tensor],
    max_sweeps: int = 20,
) -> list[Tensor]:
    """Return the orders that bring every model closest to one reference model.

    Weight matching by coordinate descent: one linear assignment per group with the other groups
    held, until none changes (Ainsworth et al. 2023, "Git Re-Basin", algorithm 1).
    """
    n_models = next(iter(parameters.values())).shape[0]
    orders = [torch.arange(g.n_units).expand(n_models, -1).clone() for g in groups]
    for _ in range(max_sweeps):
        changed = False
        for i, group in enumerate(groups):
            placed = permute_units(parameters, groups, orders)
            gain = sum(
                torch.einsum(
                    "uk,mvk->muv",
                    _by_unit(reference[a.parameter], a)[0],
                    _by_unit(placed[a.parameter], a),
                )
                for a in group.axes
            )
            assert isinstance(gain, Tensor)
            moves = torch.stack(
                [
                    torch.as_tensor(linear_sum_assignment(one, maximize=True)[1])
                    for one in gain.cpu().numpy()
                ]
            )
            updated = orders[i].take_along_dim(moves, 1)
            changed |= not torch.equal(updated, orders[i])
            orders[i] = updated
        if not changed:
            break
    return orders


def _by_unit(parameter: Tensor, axis: PermutedAxis) -> Tensor:
    """View a parameter ``(n_models, *shape)`` as ``(n_models, n_units, -1)``, in float64."""
    moved = parameter.double().movedim(axis.axis + 1, 1)
    n_units = moved.shape[1] // axis.block
    return moved.reshape(moved.shape[0], n_units, -1)
