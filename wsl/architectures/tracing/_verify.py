"""Verifying a trace on random models and inputs.

A trace does not show everything: code that works in place on a value that is used again, or a view
that cuts samples into pieces, differs from the layers that represent it.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..._torch_defaults import torch_defaults
from ..forward._execute import forward_each_model
from ..symmetry._permute import permute_units, random_orders
from ..symmetry._unit_tracking import PermutationGroup
from ._trial import N_MODELS, random_inputs, random_parameters

Run = Callable[[dict[str, Tensor], Tensor], Tensor]


@torch_defaults()
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
    parameters, inputs = random_parameters(shapes), random_inputs(input_shape)[None]
    with torch.no_grad():
        expected = forward_each_model(module, parameters, inputs)
        try:
            outputs = run(parameters, inputs)
        except Exception:  # code that vmap cannot run, or a layer on values with unusual axes
            return False
    return outputs.shape == expected.shape and torch.allclose(outputs, expected, 1e-3, 1e-3)


@torch_defaults()
def is_symmetric(
    module: nn.Module,
    shapes: Mapping[str, tuple[int, ...]],
    input_shape: Sequence[int] | None,
    groups: Sequence[PermutationGroup],
) -> bool:
    """Return True if permuting the units of ``groups`` keeps the module's function."""

    def permuted(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
        orders = random_orders(groups, N_MODELS, torch.Generator().manual_seed(0))
        return forward_each_model(module, permute_units(parameters, groups, orders), inputs)

    return agrees(module, shapes, input_shape, permuted)
