"""Whether what was found out about a module holds, tried on numbers.

A trace does not show everything: code that works in place on what is used again, or a view that
cuts samples into pieces, does other than the layers that stand for it.
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
    """Tell whether ``run(parameters, inputs)`` gives what random models of the module give.

    ``shapes`` are those of parameters by name. Without ``input_shape`` it is believed.
    """
    if input_shape is None:
        return True
    generator = torch.Generator().manual_seed(0)
    parameters = {name: _draw(name, shape, generator) for name, shape in shapes.items()}
    inputs = torch.randn(1, N_INPUTS, *input_shape, generator=generator)
    with torch.no_grad():
        expected = run_each(module, parameters, inputs)
        try:
            found = run(parameters, inputs)
        except (IndexError, RuntimeError):  # a layer on values of other axes than is usual
            return False
    return torch.allclose(found, expected, 1e-3, 1e-3)


def _draw(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw a parameter so that what layers put out neither vanishes nor grows."""
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
    """Tell whether the module's function stays when the units of ``groups`` change places."""

    def permuted(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
        orders = random_orders(groups, N_MODELS, torch.Generator().manual_seed(0))
        return run_each(module, permute_units(parameters, groups, orders), inputs)

    return agrees(module, shapes, input_shape, permuted)
