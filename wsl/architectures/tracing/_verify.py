"""Verifying a trace on random models and inputs.

A trace does not show everything: code that works in place on a value that is used again, or a view
that cuts samples into pieces, differs from the layers that represent it.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..forward._execute import run_each
from ..symmetry._permute import permute_units, random_orders
from ..symmetry._unit_tracking import PermutationGroup

N_MODELS, N_INPUTS = 3, 3

Run = Callable[[dict[str, Tensor], Tensor], Tensor]


def agrees(
    module: nn.Module,
    shapes: Mapping[str, tuple[int, ...]],
    input_shape: Sequence[int] | None,
    run: Run,
) -> bool:
    """Return True if ``run(parameters, inputs)`` returns what random models of the module return.

    ``shapes`` maps names to shapes of parameters. Without ``input_shape`` nothing can be verified,
    and the result is True.
    """
    if input_shape is None:
        return True
    generator = torch.Generator().manual_seed(0)
    parameters = {name: _draw(name, shape, generator) for name, shape in shapes.items()}
    inputs = torch.randn(1, N_INPUTS, *input_shape, generator=generator)
    with torch.no_grad():
        expected = run_each(module, parameters, inputs)
        try:
            outputs = run(parameters, inputs)
        except (IndexError, RuntimeError):  # a layer on values with unusual axes
            return False
    return torch.allclose(outputs, expected, 1e-3, 1e-3)


def _draw(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw a parameter on a scale at which outputs of layers neither vanish nor explode."""
    values = torch.randn(N_MODELS, *shape, generator=generator)
    if name.rpartition(".")[2] == "running_var":
        return values.abs() + 0.5
    return values * (2 / math.prod(shape[1:])) ** 0.5


def is_symmetric(
    module: nn.Module,
    shapes: Mapping[str, tuple[int, ...]],
    input_shape: Sequence[int] | None,
    groups: Sequence[PermutationGroup],
) -> bool:
    """Return True if permuting the units of ``groups`` keeps the module's function."""

    def permuted(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
        orders = random_orders(groups, N_MODELS, torch.Generator().manual_seed(0))
        return run_each(module, permute_units(parameters, groups, orders), inputs)

    return agrees(module, shapes, input_shape, permuted)
