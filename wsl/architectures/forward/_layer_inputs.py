"""The inputs of an affine layer as the columns of a matrix that its weights are multiplied by."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..tracing._trace import Step
from ._convolution import Grid, geometry
from ._operations import CONVOLUTION, is_plain_convolution


def is_affine(layer: nn.Module) -> bool:
    """Return True if a layer multiplies its weights by what ``layer_input_columns`` returns."""
    return type(layer) is nn.Linear or is_plain_convolution(layer)


def layer_input_columns(
    step: Step, layer_inputs: Tensor, max_positions: int | None = None
) -> Tensor:
    """Return the columns that the weights of each unit of an affine layer are multiplied by.

    Parameters
    ----------
    step : Step
        The step of an affine layer.
    layer_inputs : Tensor of shape (n_models or 1, *features, n_inputs)
        The inputs of the layer, as ``forward_models`` passes them to ``before``.
    max_positions : int, optional
        The number of output positions of a convolution to return, always the same ones. By default
        all. Each takes as many values as a kernel holds.

    Returns
    -------
    Tensor of shape (n_models or 1, n_weights_of_unit, n_positions * n_inputs)
        A unit's response is the product of its flat weights, its bias last, with a column. The
        inputs of one position are next to each other.
    """
    layer = step.layer
    if isinstance(layer, CONVOLUTION):
        columns = _windows(layer, layer_inputs, max_positions)
    else:
        columns = layer_inputs.movedim(-2, 1).flatten(2)
    if layer.bias is None:
        return columns
    return torch.cat([columns, columns.new_ones(len(columns), 1, columns.shape[2])], dim=1)


def _windows(
    layer: nn.Conv1d | nn.Conv2d, layer_inputs: Tensor, max_positions: int | None
) -> Tensor:
    images = layer_inputs.unsqueeze(2) if isinstance(layer, nn.Conv1d) else layer_inputs
    kernel, stride, (height, width), dilation = geometry(layer)
    images = F.pad(images, (0, 0, width, width, height, height))
    grid = Grid(images.shape[2:4], kernel, stride, dilation)
    positions = torch.arange(grid.height * grid.width, device=images.device)
    if max_positions is not None and len(positions) > max_positions:
        order = torch.randperm(len(positions), generator=torch.Generator().manual_seed(0))
        positions = order[:max_positions].to(images.device)
    rows = positions // grid.width * stride[0]
    columns = positions % grid.width * stride[1]
    windows = [
        images[:, :, rows + above.start, columns + left.start]
        for above in grid.rows
        for left in grid.columns
    ]
    return torch.stack(windows, dim=2).flatten(1, 2).flatten(2)
