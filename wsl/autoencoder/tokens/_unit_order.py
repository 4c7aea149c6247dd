"""The order of the hidden units of a model: that of a reference model, or by importance."""

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
MAX_POSITIONS = 16  # of an image, whose windows take far more memory than the image


@dataclass(frozen=True, eq=False)
class Alignment:
    """Units in the order of the most similar units of a reference row ``(n_weights,)``."""

    architecture: Architecture
    reference: Tensor

    def orders(self, rows: Tensor) -> Orders:
        """Return, for each group, the unit that comes to each position, ``(n_models, n_units)``.

        The result does not depend on the order in which a model's units come.
        """
        reference = self.architecture.layout.parameters(self.reference[None])
        parameters = self.architecture.layout.parameters(rows)
        return aligned_orders(parameters, self.architecture.permutation_groups, reference)

    @property
    def row_bytes(self) -> int:
        """Memory per model: the similarities of its units to those of the reference."""
        groups = self.architecture.permutation_groups
        return max((8 * group.n_units**2 for group in groups), default=0)


@dataclass(frozen=True, eq=False)
class Ranking:
    r"""Units by importance, the most important first.

    The importance of unit u is the squared input that the following layers get from it,

    .. math:: I_u = \sum_v \sum_j w_{vj}^2 E[h_j^2],

    summed over the units v that take the values h of unit u with weights w, and over the positions
    j at which they do; the expectation is over ``inputs``, ``(n_inputs, n_features)``. A unit that
    is never active comes last, and rescaling a ReLU unit changes nothing. In layers that are not
    affine only the weights count.
    """

    architecture: Architecture
    inputs: Tensor

    def orders(self, rows: Tensor) -> Orders:
        """Return, for each group, the unit that comes to each position, ``(n_models, n_units)``.

        The result does not depend on the order in which a model's units come.
        """
        architecture, groups = self.architecture, self.architecture.permutation_groups
        parameters = architecture.layout.parameters(rows)
        squares = self._mean_square_inputs(parameters)
        orders = []
        for group, order in zip(
            groups, sorted_orders(parameters, groups), strict=True
        ):  # units of equal importance, such as inactive ones, are ordered by their weights
            importance = torch.zeros(order.shape)
            for axis in group.outgoing:
                importance += _importance(parameters[axis.parameter], squares, axis)
            importance = importance.take_along_dim(order, 1)
            rank = importance.argsort(dim=1, descending=True, stable=True)
            orders.append(order.take_along_dim(rank, 1))
        return orders

    def _mean_square_inputs(self, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return, for the weights of each affine layer, the mean squares of the layer's inputs."""
        squares: dict[str, Tensor] = {}

        def before(step: Step, layer_inputs: list[Tensor]) -> None:
            if is_affine(step.layer):
                columns = layer_input_columns(step, layer_inputs[0], MAX_POSITIONS)
                squares[prefix(step) + "weight"] = columns.square().mean(2)

        with torch.no_grad():
            self.architecture.forward_pass.forward_parameters(
                parameters, self.inputs[None], before=before
            )
        return squares

    @property
    def row_bytes(self) -> int:
        """Memory per model while it is run."""
        return 4 * len(self.inputs) * self.architecture.forward_pass.activation_size


def reorder(architecture: Architecture | None, rows: Tensor, orders: Orders) -> Tensor:
    """Return rows with their hidden units in the given orders; unchanged without orders."""
    if architecture is None or not orders:
        return rows
    groups = architecture.permutation_groups
    return architecture.layout.rows(
        permute_units(architecture.layout.parameters(rows), groups, list(orders))
    )


def _importance(weights: Tensor, squares: dict[str, Tensor], axis: PermutedAxis) -> Tensor:
    """Return the importance of each unit along one axis of a parameter, ``(n_models, n_units)``."""
    weighted = weights.square()
    if axis.parameter in squares:
        shape = weights.shape[2:]
        inputs = squares[axis.parameter][:, : prod(shape)]  # without the bias
        weighted = weighted * inputs.reshape(len(inputs), 1, *shape)
    return by_unit(weighted, axis).sum((1, 3))
