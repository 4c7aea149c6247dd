"""Convolution of many models at once, on values with the inputs last, in plain torch.

Images are unfolded along their width only; along the height a kernel's rows are products with
views into the same memory. That copies an image once per column of the kernel instead of once per
weight of it.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    memory: Callable[..., Tensor | None] = lambda shape, like, part: None,
) -> Tensor:
    """Convolve each model's images with its kernels.

    Parameters
    ----------
    x : Tensor of shape (n_models or 1, n_in, height, width, n_inputs)
    weight : Tensor of shape (n_models, n_out, n_in, kernel_height, kernel_width)
    bias : Tensor of shape (n_models, n_out), or None
    stride : two ints, along the height and the width
    padding : two ints
    dilation : two ints
    memory : callable
        Maps ``(shape, like, part)`` to the memory of the output (part 0) and of the unfolded
        images (part 1). There is no gradient then.

    Returns
    -------
    Tensor of shape (n_models, n_out, output_height, output_width, n_inputs)
    """
    if any(padding):
        x = F.pad(x, (0, 0, padding[1], padding[1], padding[0], padding[0]))
    grid = Grid(x.shape[2:4], weight.shape[3:5], stride, dilation)
    positions = (grid.height, grid.width, x.shape[-1])
    out = memory((len(weight), weight.shape[1], *positions), x, 0)
    if out is None:
        return _Convolution.apply(x, weight, bias, grid)
    unfolded = memory((*x.shape[:2], len(grid.columns), x.shape[2], *positions[1:]), x, 1)
    return _products(unfold(x, grid, unfolded), weight, bias, grid, out)


def geometry(layer: nn.Conv1d | nn.Conv2d) -> list[tuple[int, ...]]:
    """Return kernel size, stride, padding and dilation along height and width.

    A sequence is an image of height 1.
    """
    settings = ((1, layer.kernel_size), (1, layer.stride), (0, layer.padding), (1, layer.dilation))
    return [(of_height, *map(int, sizes))[-2:] for of_height, sizes in settings]


class Grid:
    """The rows and columns of an image that each row and column of a kernel is applied to."""

    def __init__(self, image, kernel, stride, dilation):
        self.height, self.width = (
            (n - d * (k - 1) - 1) // s + 1
            for n, k, s, d in zip(image, kernel, stride, dilation, strict=True)
        )
        self.rows = [
            slice(i * dilation[0], i * dilation[0] + (self.height - 1) * stride[0] + 1, stride[0])
            for i in range(kernel[0])
        ]
        self.columns = [
            slice(j * dilation[1], j * dilation[1] + (self.width - 1) * stride[1] + 1, stride[1])
            for j in range(kernel[1])
        ]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None, grid: Grid) -> Tensor:
        unfolded = unfold(x, grid)
        ctx.grid, ctx.shape, ctx.has_bias = grid, x.shape, bias is not None
        ctx.save_for_backward(unfolded, weight)
        out = x.new_empty(*weight.shape[:2], grid.height, grid.width, x.shape[-1])
        return _products(unfolded, weight, bias, grid, out)

    @staticmethod
    @once_differentiable
    def backward(ctx, delta: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        unfolded, weight = ctx.saved_tensors
        delta = delta.flatten(2)  # (n_models, n_out, height * width * n_inputs)
        n_models, grid = len(delta), ctx.grid
        for_weight = torch.empty_like(weight)
        for_unfolded = torch.zeros_like(unfolded) if ctx.needs_input_grad[0] else None
        for i, rows in enumerate(grid.rows):
            windows, kernel = unfolded[:, :, rows].flatten(2), weight[:, :, :, i].flatten(2)
            windows = windows.expand(n_models, -1, -1)
            for_weight[:, :, :, i] = torch.bmm(delta, windows.mT).unflatten(2, weight.shape[2::2])
            if for_unfolded is not None:
                shape = for_unfolded[:, :, rows].shape
                gradient = torch.bmm(kernel.mT, delta)
                gradient = gradient if shape[0] == n_models else gradient.sum(0, keepdim=True)
                for_unfolded[:, :, rows] += gradient.view(shape)
        for_x = None
        if for_unfolded is not None:
            for_x = fold(for_unfolded, unfolded.new_zeros(ctx.shape), grid)
        return for_x, for_weight, delta.sum(2) if ctx.has_bias else None, None


def _products(
    unfolded: Tensor, weight: Tensor, bias: Tensor | None, grid: Grid, out: Tensor
) -> Tensor:
    """Add up the product of each row of the kernels, ``(n_models, n_out, height, width, n)``."""
    together = len(unfolded) == 1 and len(weight) > 1
    flat = out.view(-1, out[0, 0].numel()) if together else out.flatten(2)
    for i, rows in enumerate(grid.rows):
        windows, kernel = unfolded[:, :, rows].flatten(2), weight[:, :, :, i].flatten(2)
        if together:
            windows, kernel = windows[0], kernel.flatten(0, 1)
            torch.mm(kernel, windows, out=flat) if i == 0 else flat.addmm_(kernel, windows)
        else:
            torch.bmm(kernel, windows, out=flat) if i == 0 else flat.baddbmm_(kernel, windows)
    return out if bias is None else out.add_(bias[:, :, None, None, None])


def unfold(x: Tensor, grid: Grid, out: Tensor | None = None) -> Tensor:
    """Return ``(n_sets, n_in * kernel_width, image height, width, n_inputs)``."""
    if len(grid.columns) == 1:
        return x[:, :, :, grid.columns[0]]
    shifted = [x[:, :, :, columns] for columns in grid.columns]
    return torch.stack(shifted, dim=2, out=out).flatten(1, 2)


def fold(unfolded: Tensor, images: Tensor, grid: Grid) -> Tensor:
    """Reverse ``unfold`` for a gradient: add the gradient of each unfolded column to ``images``."""
    parts = unfolded.unflatten(1, (images.shape[1], len(grid.columns)))
    for j, columns in enumerate(grid.columns):
        images[:, :, :, columns] += parts[:, :, j]
    return images
