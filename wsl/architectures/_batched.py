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
    inputs : Tensor ``(1, n_inputs, *input_shape)`` shared, or ``(n_models, n_inputs, *input_shape)``

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
    weight = parameters[f"{name}.weight" if name else "weight"]  # (n_models, out, in, kh, kw)
    n_models, n_out = weight.shape[:2]
    n_sets, n_inputs = x.shape[:2]
    columns = F.unfold(
        x.flatten(0, 1), layer.kernel_size, layer.dilation, layer.padding, layer.stride
    )  # (n_sets * n_inputs, in * kh * kw, n_places)
    n_places = columns.shape[-1]
    columns = columns.view(n_sets, n_inputs, -1, n_places).transpose(1, 2).flatten(2)
    columns = columns.expand(n_models, *columns.shape[1:])
    out = torch.bmm(weight.flatten(2), columns)  # (n_models, out, n_inputs * n_places)
    if layer.bias is not None:
        out = out + parameters[f"{name}.bias" if name else "bias"][:, :, None]
    height = _conv_size(layer, x.shape[-2], 0)
    out = out.view(n_models, n_out, n_inputs, height, n_places // height)
    return out.transpose(1, 2)


def _conv_size(layer: nn.Conv2d, size: int, axis: int) -> int:
    padding, dilation = layer.padding[axis], layer.dilation[axis]
    assert isinstance(padding, int)
    span = dilation * (layer.kernel_size[axis] - 1) + 1
    return (size + 2 * padding - span) // layer.stride[axis] + 1


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
    **dict.fromkeys(POOLING, _merged),
}


def _has_batched_form(layer: nn.Module) -> bool:
    return type(layer) in _BATCHED and not (
        isinstance(layer, nn.Conv2d) and not is_plain_convolution(layer)
    )


def is_plain_convolution(layer: nn.Conv2d) -> bool:
    """Tell whether a convolution is one group with zero padding given as numbers."""
    return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
