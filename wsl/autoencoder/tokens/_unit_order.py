"""The order in which the hidden units of a model are shown: a reference's, or by what they do.

How units are matched and moved lives in ``wsl.architectures``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ...architectures import Architecture
from ...architectures.forward._context import prefix
from ...architectures.forward._layer_inputs import is_affine, layer_input_columns
from ...architectures.symmetry._permute import by_unit, permute_units
from ...architectures.symmetry._unit_tracking import PermutedAxis
from ...architectures.symmetry._weight_matching import aligned_orders, sorted_orders
from ...architectures.tracing._trace import Step

Orders = Sequence[Tensor]
MAX_PLACES = 16  # of an image, whose windows take far more memory than the image


@dataclass(frozen=True, eq=False)
class Alignment:
    """Units in the order of those of a reference ``(n_weights,)`` that are most alike."""

    architecture: Architecture
    reference: Tensor

    def orders(self, rows: Tensor) -> Orders:
        """Return which unit of each row comes to each place, ``(n_models, n_units)`` by group.

        It does not depend on the order in which a model's units are.
        """
        anchor = self.architecture.layout.parameters(self.reference[None])
        parameters = self.architecture.layout.parameters(rows)
        return aligned_orders(parameters, self.architecture.permutation_groups, anchor)

    @property
    def row_bytes(self) -> int:
        """What one row takes: the similarities of its units to those of the reference."""
        groups = self.architecture.permutation_groups
        return max((8 * group.n_units**2 for group in groups), default=0)


@dataclass(frozen=True, eq=False)
class Ranking:
    r"""Units by what the layers behind them get from them, most first.

    .. math:: I_u = \sum_v \sum_j w_{vj}^2 E[h_j^2]

    over the units v that take the values h of unit u by their weights w, and over the places j at
    which they do; the expectation is over ``inputs`` ``(n_inputs, n_features)``. A unit that is
    never on comes last, and scaling a ReLU unit changes nothing. Layers that are no product count
    by their weights alone.
    """

    architecture: Architecture
    inputs: Tensor

    def orders(self, rows: Tensor) -> Orders:
        """Return which unit of each row comes to each place, ``(n_models, n_units)`` by group.

        It does not depend on the order in which a model's units are.
        """
        architecture, groups = self.architecture, self.architecture.permutation_groups
        parameters = architecture.layout.parameters(rows)
        taken = self._taken_squares(parameters)
        orders = []
        for group, order in zip(
            groups, sorted_orders(parameters, groups), strict=True
        ):  # of units that are never on, the larger comes first
            importance = torch.zeros(order.shape)
            for axis in group.outgoing:
                importance += _importance(parameters[axis.parameter], taken, axis)
            importance = importance.take_along_dim(order, 1)
            rank = importance.argsort(dim=1, descending=True, stable=True)
            orders.append(order.take_along_dim(rank, 1))
        return orders

    def _taken_squares(self, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return for each product's weights the mean squares of what they meet."""
        squares: dict[str, Tensor] = {}

        def before(step: Step, taken: list[Tensor]) -> None:
            if is_affine(step.layer):
                columns = layer_input_columns(step, taken[0], MAX_PLACES)
                squares[prefix(step) + "weight"] = columns.square().mean(2)

        with torch.no_grad():
            self.architecture.forward_pass.forward_parameters(
                parameters, self.inputs[None], before=before
            )
        return squares

    @property
    def row_bytes(self) -> int:
        """What one row takes while it is run."""
        return 4 * len(self.inputs) * self.architecture.forward_pass.activation_size


def reorder(architecture: Architecture | None, rows: Tensor, orders: Orders) -> Tensor:
    """Return rows with their hidden units in the given orders."""
    if architecture is None or not orders:
        return rows
    groups = architecture.permutation_groups
    return architecture.layout.rows(
        permute_units(architecture.layout.parameters(rows), groups, list(orders))
    )


def _importance(weights: Tensor, taken: dict[str, Tensor], axis: PermutedAxis) -> Tensor:
    """Return what is got from each unit along one axis of a parameter, ``(n_models, n_units)``."""
    squares = weights.square()
    if axis.parameter in taken:
        shape = weights.shape[2:]
        met = taken[axis.parameter][:, : prod(shape)]  # without the bias
        squares = squares * met.reshape(len(met), 1, *shape)
    return by_unit(squares, axis).sum((1, 3))
