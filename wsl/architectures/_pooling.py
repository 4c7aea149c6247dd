"""Pooling of many models' images at once, on values with the inputs last.

Plain torch. Windows are views that are compared or added whole, as runs of inputs lie together.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Windows = list[tuple[slice, slice]]
TINY = 1e-45  # the smallest positive float32


def pool(layer: nn.Module, x: Tensor) -> Tensor:
    """Pool as ``layer`` does.

    Parameters
    ----------
    layer : a max-, average- or adaptive pooling layer of torch, in one or two dimensions
    x : Tensor ``(n_models, n_channels, height, width, n_inputs)``; height 1 for one dimension

    Returns
    -------
    Tensor ``(n_models, n_channels, pooled height, pooled width, n_inputs)``
    """
    largest = isinstance(layer, (nn.MaxPool1d, nn.MaxPool2d))
    if not largest and not isinstance(layer, (nn.AvgPool1d, nn.AvgPool2d)):
        return _adaptive(layer, x)
    padding = _pair(layer, "padding", 0)
    if layer.ceil_mode or (any(padding) and not largest):
        return _as_torch_does(layer, x)
    if any(padding):
        sides = (0, 0, padding[1], padding[1], padding[0], padding[0])
        x = F.pad(x, sides, value=-math.inf)
    windows, apart = windows_of(layer, x.shape[2:4])
    if largest:
        return _Largest.apply(x, windows, apart)
    return _Mean.apply(x, windows, getattr(layer, "divisor_override", None) or len(windows))


def windows_of(layer: nn.Module, image: Sequence[int]) -> tuple[Windows, bool]:
    """Return what each place of a window sees of a padded image, and whether windows lie apart."""
    kernel, stride, dilation = (
        _pair(layer, name, 1) for name in ("kernel_size", "stride", "dilation")
    )
    sizes = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(image, kernel, stride, dilation, strict=True)
    ]

    def along(axis: int, place: int) -> slice:
        start = place * dilation[axis]
        return slice(start, start + (sizes[axis] - 1) * stride[axis] + 1, stride[axis])

    windows = [(along(0, i), along(1, j)) for i in range(kernel[0]) for j in range(kernel[1])]
    apart = dilation == (1, 1) and all(s >= k for s, k in zip(stride, kernel, strict=True))
    return windows, apart


def _is_1d(layer: nn.Module) -> bool:
    return type(layer).__name__.endswith("1d")


def _pair(layer: nn.Module, name: str, missing: int) -> tuple[int, int]:
    """Return an option along the height and the width; ``missing`` where there is no height."""
    value = getattr(layer, name, missing)
    values = tuple(value) if isinstance(value, Sequence) else (value, value)
    return (missing, values[-1]) if _is_1d(layer) else (values[0], values[1])


def _step(delta: Tensor, x: Tensor, grad_input: Tensor) -> Tensor:
    """Write ``delta`` where ``x`` is 0 or more, else 0."""
    return torch.ops.aten.threshold_backward.grad_input(delta, x, -TINY, grad_input=grad_input)


def largest_gradient(
    x: Tensor, out: Tensor, delta: Tensor, windows: Windows, apart: bool, gradient: Tensor
) -> Tensor:
    """Write the gradient of max-pooling: each ``delta`` goes to the first of the largest."""
    if not apart or len(windows) * out.numel() < x.numel():  # places are met twice, or not at all
        gradient.zero_()
    left = delta.clone()
    for rows, columns in windows[:-1]:
        place = gradient[:, :, rows, columns]
        # delta where x - out is 0, at a fifth of the time of comparing and selecting
        below = x[:, :, rows, columns] - out
        if apart:
            taken = _step(left, below, grad_input=place)
        else:
            taken = _step(left, below, grad_input=torch.empty_like(left))
            place += taken
        left -= taken
    last = gradient[:, :, *windows[-1]]
    if apart:
        last.copy_(left)
    else:
        last += left
    return gradient


class _Largest(torch.autograd.Function):
    """The largest of each window; the gradient goes to the first where several are.

    Windows that lie ``apart`` share no place.
    """

    @staticmethod
    def forward(ctx, x: Tensor, windows: Windows, apart: bool) -> Tensor:
        out = x[:, :, *windows[0]].clone()
        for rows, columns in windows[1:]:
            torch.maximum(out, x[:, :, rows, columns], out=out)
        ctx.windows, ctx.apart = windows, apart
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, delta: Tensor) -> tuple[Tensor, None, None]:
        x, out = ctx.saved_tensors
        gradient = torch.empty_like(x)
        return largest_gradient(x, out, delta, ctx.windows, ctx.apart, gradient), None, None


class _Mean(torch.autograd.Function):
    """The mean of each window; torch's own gradient of a slice fills a whole image with zeros."""

    @staticmethod
    def forward(ctx, x: Tensor, windows: Windows, divisor: int) -> Tensor:
        out = x[:, :, *windows[0]].clone()
        for rows, columns in windows[1:]:
            out += x[:, :, rows, columns]
        ctx.windows, ctx.divisor, ctx.shape = windows, divisor, x.shape
        return out.div_(divisor)

    @staticmethod
    @once_differentiable
    def backward(ctx, delta: Tensor) -> tuple[Tensor, None, None]:
        gradient = delta.new_zeros(ctx.shape)
        share = delta / ctx.divisor
        for rows, columns in ctx.windows:
            gradient[:, :, rows, columns] += share
        return gradient, None, None


def _adaptive(layer: nn.Module, x: Tensor) -> Tensor:
    sizes = layer.output_size if isinstance(layer.output_size, tuple) else (layer.output_size,)
    if all(size == 1 for size in sizes) and isinstance(
        layer, (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
    ):
        return x.mean(dim=(2, 3), keepdim=True)
    return _as_torch_does(layer, x)


def _as_torch_does(layer: nn.Module, x: Tensor) -> Tensor:
    """Move the inputs first and call the layer itself: right for every option, and slower."""
    first = x.movedim(-1, 1).flatten(0, 1)
    out = layer(first.squeeze(2)).unsqueeze(2) if _is_1d(layer) else layer(first)
    return out.unflatten(0, (len(x), x.shape[-1])).movedim(1, -1)
