"""Convolution of many models at once, on values with the inputs last.

Plain torch. Images are unfolded along their width only; along the height a kernel's rows are
products with views into the same memory. That copies an image once for each column of the kernel
instead of once for each of its weights.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Convolve each model's images with its kernels.

    Parameters
    ----------
    x : Tensor ``(n_models or 1, n_in, height, width, n_inputs)``
    weight : Tensor ``(n_models, n_out, n_in, kernel_height, kernel_width)``
    bias : Tensor ``(n_models, n_out)``, or None
    stride, padding, dilation : two ints each, along the height and the width

    Returns
    -------
    Tensor ``(n_models, n_out, height, width, n_inputs)``, of the height and width left
    """
    if any(padding):
        x = F.pad(x, (0, 0, padding[1], padding[1], padding[0], padding[0]))
    grid = Grid(x.shape[2:4], weight.shape[3:5], stride, dilation)
    return _Convolution.apply(x, weight, bias, grid)


class Grid:
    """Which rows and columns of an image each place of a kernel meets."""

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
        unfolded = _unfold(x, grid)
        ctx.grid, ctx.shape, ctx.has_bias = grid, x.shape, bias is not None
        ctx.save_for_backward(unfolded, weight)
        out = None
        for i, rows in enumerate(grid.rows):
            seen, kernel = unfolded[:, :, rows].flatten(2), weight[:, :, :, i].flatten(2)
            if len(seen) == 1 and len(kernel) > 1:
                seen, kernel = seen[0], kernel.reshape(-1, kernel.shape[2])
                out = kernel @ seen if out is None else out.addmm_(kernel, seen)
            else:
                out = torch.bmm(kernel, seen) if out is None else out.baddbmm_(kernel, seen)
        assert out is not None
        out = out.view(*weight.shape[:2], -1)
        if bias is not None:
            out += bias[:, :, None]
        return out.view(*weight.shape[:2], grid.height, grid.width, x.shape[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx, delta: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        unfolded, weight = ctx.saved_tensors
        delta = delta.flatten(2)  # (n_models, n_out, height * width * n_inputs)
        n_models, grid = len(delta), ctx.grid
        for_weight = torch.empty_like(weight)
        for_unfolded = torch.zeros_like(unfolded) if ctx.needs_input_grad[0] else None
        for i, rows in enumerate(grid.rows):
            seen, kernel = unfolded[:, :, rows].flatten(2), weight[:, :, :, i].flatten(2)
            seen = seen.expand(n_models, -1, -1)
            for_weight[:, :, :, i] = torch.bmm(delta, seen.mT).unflatten(2, weight.shape[2::2])
            if for_unfolded is not None:
                shape = for_unfolded[:, :, rows].shape
                own = torch.bmm(kernel.mT, delta)
                own = own if shape[0] == n_models else own.sum(0, keepdim=True)
                for_unfolded[:, :, rows] += own.view(shape)
        for_x = None if for_unfolded is None else _fold(for_unfolded, ctx.shape, grid)
        return for_x, for_weight, delta.sum(2) if ctx.has_bias else None, None


def _unfold(x: Tensor, grid: Grid) -> Tensor:
    """Return ``(n_sets, n_in * kernel_width, image height, width, n_inputs)``."""
    if len(grid.columns) == 1:
        return x[:, :, :, grid.columns[0]]
    return torch.stack([x[:, :, :, columns] for columns in grid.columns], dim=2).flatten(1, 2)


def _fold(unfolded: Tensor, shape: torch.Size, grid: Grid) -> Tensor:
    """Undo ``_unfold`` for a gradient: add up what each column of the image gave."""
    parts = unfolded.unflatten(1, (shape[1], len(grid.columns)))
    images = unfolded.new_zeros(shape)
    for j, columns in enumerate(grid.columns):
        images[:, :, :, columns] += parts[:, :, j]
    return images
