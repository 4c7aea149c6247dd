"""What the weights of a layer are multiplied with, as one matrix: an affine layer is no more.

How a layer runs lives in ``_operations``.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..tracing._trace import Step
from ._convolution import Grid, geometry
from ._operations import CONVOLUTION, is_plain_convolution


def is_affine(layer: nn.Module) -> bool:
    """Tell whether a layer is a product of its weights with what :func:`taken_columns` returns."""
    return type(layer) is nn.Linear or is_plain_convolution(layer)


def taken_columns(step: Step, taken: Tensor, max_places: int | None = None) -> Tensor:
    """Return what each unit's weights meet, ``(n_models or 1, n_weights_of_unit, n_places)``.

    Parameters
    ----------
    step : Step
        Of an affine layer.
    taken : Tensor ``(n_models or 1, *features, n_inputs)``
        What it takes, as ``forward_models`` tells.
    max_places : int, optional
        Of how many places of an image a convolution is looked at, always the same ones; by default
        all. Each is as many numbers as a kernel holds.

    Notes
    -----
    A unit's response is the product of its flat weights, its bias last, with a column. A column
    stands for an input and a place in it, the inputs of one place together.
    """
    layer = step.layer
    if isinstance(layer, CONVOLUTION):
        columns = _windows(layer, taken, max_places)
    else:
        columns = taken.movedim(-2, 1).flatten(2)
    if layer.bias is None:
        return columns
    return torch.cat([columns, columns.new_ones(len(columns), 1, columns.shape[2])], dim=1)


def _windows(layer: nn.Conv1d | nn.Conv2d, taken: Tensor, max_places: int | None) -> Tensor:
    images = taken.unsqueeze(2) if isinstance(layer, nn.Conv1d) else taken
    kernel, stride, (height, width), dilation = geometry(layer)
    images = F.pad(images, (0, 0, width, width, height, height))
    grid = Grid(images.shape[2:4], kernel, stride, dilation)
    places = torch.arange(grid.height * grid.width, device=taken.device)
    if max_places is not None and len(places) > max_places:
        order = torch.randperm(len(places), generator=torch.Generator().manual_seed(0))
        places = order[:max_places].to(taken.device)
    rows = places // grid.width * stride[0]
    columns = places % grid.width * stride[1]
    windows = [
        images[:, :, rows + above.start, columns + left.start]
        for above in grid.rows
        for left in grid.columns
    ]
    return torch.stack(windows, dim=2).flatten(1, 2).flatten(2)
