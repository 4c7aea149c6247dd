"""The forward pass of many models at once: plain torch, one batched product per layer.

Training and chunking live elsewhere; a module that has no batched form here runs under ``vmap``.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from ._build import SelectFeatures

Parameters = dict[str, Tensor]

POINTWISE = (
    nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.Sigmoid, nn.LeakyReLU, nn.Identity, nn.ELU, nn.SELU,
    nn.CELU, nn.Softplus, nn.Softsign, nn.Hardtanh, nn.ReLU6, nn.Hardswish, nn.Mish,
)  # fmt: skip
POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


def named_leaves(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield ``(name, layer)`` of a nest of Sequentials, in the order in which they are applied."""
    if not isinstance(module, nn.Sequential):
        yield prefix, module
        return
    for name, child in module.named_children():
        yield from named_leaves(child, f"{prefix}.{name}" if prefix else name)


def forward_models(module: nn.Module, parameters: Parameters, inputs: Tensor) -> Tensor:
    """Run every model on its inputs.

    Parameters
    ----------
    module : nn.Module
        The template; its own parameters are not used.
    parameters : dict of Tensor ``(n_models, *shape)``
    inputs : Tensor ``(n_models, n_inputs, *input_shape)``, or ``(1, ...)`` if all share them

    Returns
    -------
    Tensor ``(n_models, n_inputs, *output_shape)``
    """
    leaves = list(named_leaves(module))
    if not all(_has_batched_form(layer) for _, layer in leaves):
        return _forward_vmap(module, parameters, inputs)
    outputs = inputs
    for name, layer in leaves:
        outputs = _BATCHED[type(layer)](layer, parameters, name, outputs)
    n_models = next(iter(parameters.values())).shape[0]
    return outputs.expand(n_models, *outputs.shape[1:])


def _forward_vmap(module: nn.Module, parameters: Parameters, inputs: Tensor) -> Tensor:
    def one_model(own: Parameters, x: Tensor) -> Tensor:
        return functional_call(module, own, (x,))

    if inputs.shape[0] == 1:
        return vmap(one_model, in_dims=(0, None))(parameters, inputs[0])
    return vmap(one_model)(parameters, inputs)


def _linear(layer: nn.Linear, parameters: Parameters, name: str, x: Tensor) -> Tensor:
    weight = parameters[f"{name}.weight" if name else "weight"]  # (n_models, out, in)
    x = x.expand(weight.shape[0], *x.shape[1:])
    flat = x.reshape(x.shape[0], -1, x.shape[-1])
    if layer.bias is None:
        out = torch.bmm(flat, weight.mT)
    else:
        bias = parameters[f"{name}.bias" if name else "bias"]
        out = torch.baddbmm(bias[:, None, :], flat, weight.mT)
    return out.reshape(*x.shape[:-1], weight.shape[1])


def _conv2d(layer: nn.Conv2d, parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """Convolve as one product a model; channels come first in memory, so that nothing is moved."""
    weight = parameters[f"{name}.weight" if name else "weight"]  # (n_models, out, in, kh, kw)
    stride, dilation = layer.stride, layer.dilation
    padding = [int(pad) for pad in layer.padding]
    if any(padding):
        x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    size = [
        (x.shape[axis - 2] - dilation[axis] * (weight.shape[axis - 2] - 1) - 1) // stride[axis] + 1
        for axis in (0, 1)
    ]
    windows = [
        (
            slice(i * dilation[0], i * dilation[0] + (size[0] - 1) * stride[0] + 1, stride[0]),
            slice(j * dilation[1], j * dilation[1] + (size[1] - 1) * stride[1] + 1, stride[1]),
        )
        for i in range(weight.shape[-2])
        for j in range(weight.shape[-1])
    ]
    columns = _Windows.apply(x.transpose(1, 2), windows)  # (n_sets, in, kh * kw, n_inputs, *size)
    columns = columns.flatten(3).flatten(1, 2)
    out = torch.bmm(weight.flatten(2), columns.expand(len(weight), *columns.shape[1:]))
    if layer.bias is not None:
        out = out + parameters[f"{name}.bias" if name else "bias"][:, :, None]
    return out.unflatten(2, (x.shape[1], *size)).transpose(1, 2)


class _Windows(torch.autograd.Function):
    """Stack shifted windows of images; ``F.unfold`` does it image by image, ten times slower."""

    @staticmethod
    def forward(ctx, images: Tensor, windows: list[tuple[slice, slice]]) -> Tensor:
        ctx.windows, ctx.shape = windows, images.shape
        return torch.stack([images[..., rows, columns] for rows, columns in windows], dim=2)

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0]
        images = gradient.new_zeros(ctx.shape)
        for place, (rows, columns) in enumerate(ctx.windows):
            images[..., rows, columns] += gradient[:, :, place]
        return images, None


def _pool(layer: nn.Module, parameters: Parameters, name: str, x: Tensor) -> Tensor:
    channels_first = x.transpose(1, 2)
    return (
        layer(channels_first.flatten(0, 1)).unflatten(0, channels_first.shape[:2]).transpose(1, 2)
    )


def _merged(layer: nn.Module, parameters: Parameters, name: str, x: Tensor) -> Tensor:
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def _pointwise(layer: nn.Module, parameters: Parameters, name: str, x: Tensor) -> Tensor:
    return layer(x)


_BATCHED: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.Flatten: _merged,
    nn.Unflatten: _merged,
    SelectFeatures: _pointwise,
    **dict.fromkeys(POINTWISE + DROPOUT, _pointwise),
    **dict.fromkeys(POOLING, _pool),
}


def _has_batched_form(layer: nn.Module) -> bool:
    return type(layer) in _BATCHED and not (
        isinstance(layer, nn.Conv2d) and not is_plain_convolution(layer)
    )


def is_plain_convolution(layer: nn.Conv2d) -> bool:
    """Tell whether a convolution is one group with zero padding given as numbers."""
    return (
        layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    )
