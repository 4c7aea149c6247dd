"""What each kind of layer computes for many models at once, in plain torch.

Values are ``(n_models, *features, n_inputs)``, or ``(1, ...)`` while all models share them. With
the inputs last, windows and positions of images are contiguous, however small the image.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...exceptions import UnsupportedModuleError
from .._builders import SelectFeatures
from ..tracing._step_network import StepNetwork
from ..tracing._trace import Add, GlobalMean, Step
from ._context import Run, Training, prefix
from ._convolution import convolve, geometry
from ._pooling import pool

INCREASING = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity, nn.ELU, nn.SELU, nn.CELU, nn.Softplus, nn.Softsign,
    nn.Hardtanh, nn.ReLU6,
)  # fmt: skip
POINTWISE = (*INCREASING, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Hardswish, nn.Mish)
CONVOLUTION = (nn.Conv1d, nn.Conv2d)
POOLING_1D = (nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d)
POOLING_2D = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
POOLING = (*POOLING_1D, *POOLING_2D)
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d)
DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


_OURS = (SelectFeatures, Add, GlobalMean)
_CONTAINERS = (nn.Sequential, StepNetwork, nn.Module, nn.ModuleList)


def has_operation(layer: nn.Module) -> bool:
    """Return True if a layer has a batched form."""
    if isinstance(layer, CONVOLUTION):
        return type(layer) in CONVOLUTION and is_plain_convolution(layer)
    if isinstance(layer, (nn.Flatten, nn.Unflatten)):
        return getattr(layer, "start_dim", getattr(layer, "dim", 0)) not in (0, "N")
    return type(layer) in OPERATIONS


def is_chain(module: nn.Module) -> bool:
    """Return True if only layers that have a batched form are applied, one after another."""
    return only_layers(module) and all(
        type(part) in _CONTAINERS
        or (has_operation(part) and getattr(part, "running_mean", 0) is not None)
        for part in module.modules()
    )


def only_layers(module: nn.Module) -> bool:
    """Return True for layers of torch and ours, without hooks, in Sequentials or in steps.

    No other code is run by such a module.
    """
    if type(module) in (nn.Module, nn.ModuleList):
        return False
    return all(
        not (part._forward_hooks or part._forward_pre_hooks)
        and (type(part) in _CONTAINERS or type(part) in _OURS or _is_layer(part))
        for part in module.modules()
    )


def _is_layer(part: nn.Module) -> bool:
    return type(part).__module__.startswith("torch.nn.modules.") and not any(part.children())


def is_plain_convolution(layer: nn.Module) -> bool:
    """Return True for a convolution in one group with zero padding given as numbers."""
    return (
        isinstance(layer, CONVOLUTION)
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


def _linear(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    weight, bias = run.parameter(step, "weight"), run.optional(step, "bias")
    if x.ndim > 3:  # the layer is applied along the last feature axis
        x = x.movedim(-2, 1)
    flat = x.flatten(2)
    shape = (max(len(weight), len(flat)), weight.shape[1], flat.shape[2])
    out = product(weight, flat, run.out(shape, flat))
    if bias is not None:
        out = out + bias[:, :, None] if torch.is_grad_enabled() else out.add_(bias[:, :, None])
    return out.unflatten(2, x.shape[2:]).movedim(1, -2) if x.ndim > 3 else out


def product(matrices: Tensor, x: Tensor, out: Tensor | None = None) -> Tensor:
    """Return ``matrices @ x`` for each model.

    Where models share ``x``, one large product is faster than many small ones. It copies the
    matrices, which does not pay where they are larger than ``x``.
    """
    if len(x) == 1 and len(matrices) > 1 and x.shape[2] > x.shape[1]:
        together = None if out is None else out.flatten(0, 1)
        joined = torch.mm(matrices.reshape(-1, matrices.shape[2]), x[0], out=together)
        return joined.unflatten(0, matrices.shape[:2])
    n_models = max(len(matrices), len(x))
    return torch.bmm(matrices.expand(n_models, -1, -1), x.expand(n_models, -1, -1), out=out)


def _convolution(step: Step, values, run: Run) -> Tensor:
    weight, bias = run.parameter(step, "weight"), run.optional(step, "bias")
    layer, (x,) = step.layer, values
    _, stride, padding, dilation = geometry(layer)
    if isinstance(layer, nn.Conv1d):
        x, weight = x.unsqueeze(2), weight.unsqueeze(3)
        return convolve(x, weight, bias, stride, padding, dilation, run.out).squeeze(2)
    return convolve(x, weight, bias, stride, padding, dilation, run.out)


def _pooling(step: Step, values, run: Run) -> Tensor:
    return pool(step.layer, values[0])


def _batch_norm(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    layer = step.layer
    shape = (-1, x.shape[1], *[1] * (x.ndim - 2))
    names = [f"{prefix(step)}running_{name}" for name in ("mean", "var")]
    training = run.training
    if training is None and layer.running_mean is not None:
        mean, var = (run.parameters[name] for name in names)
    else:
        axes = list(range(2, x.ndim))
        var, mean = torch.var_mean(x, dim=axes, correction=0)
        if training is not None and layer.running_mean is not None:
            _observe(training, layer, names, run.parameters, mean, var, x[0, 0].numel())
    scale = (var + layer.eps).rsqrt()
    if layer.affine:
        scale = scale * run.parameter(step, "weight")
        shift = run.parameter(step, "bias") - mean * scale
    else:
        shift = -mean * scale
    return torch.addcmul(shift.reshape(shape), x, scale.reshape(shape))


def _observe(training: Training, layer, names, parameters, mean, var, n: int) -> None:
    """Record the updated running statistics; the variance is the unbiased one, as in torch."""
    for name, value in zip(names, (mean, var * (n / max(1, n - 1))), strict=True):
        old = training.statistics.get(name, parameters[name])
        new = value.detach().expand_as(old)
        training.statistics[name] = torch.lerp(old.detach(), new, layer.momentum)


def _layer_norm(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    layer = step.layer
    axes = list(range(-1 - len(layer.normalized_shape), -1))
    var, mean = torch.var_mean(x, dim=axes, correction=0, keepdim=True)
    out = (x - mean) * (var + layer.eps).rsqrt()
    if not layer.elementwise_affine:
        return out
    other_axes = [1] * (x.ndim - 2 - len(layer.normalized_shape))
    shape = (-1, *other_axes, *layer.normalized_shape, 1)
    out = out * run.parameter(step, "weight").reshape(shape)
    bias = run.optional(step, "bias")
    return out if bias is None else out + bias.reshape(shape)


def _flatten(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    start, end = (d if d >= 0 else d - 1 for d in (step.layer.start_dim, step.layer.end_dim))
    return x.flatten(start, end)


def _unflatten(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    dim = step.layer.dim
    return x.unflatten(dim if dim >= 0 else dim - 1, step.layer.unflattened_size)


def _select(step: Step, values, run: Run) -> Tensor:
    return values[0][..., step.layer.columns, :]


def _global_mean(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    return x.mean(dim=tuple(range(2, 2 + step.layer.n_axes)))


def _add(step: Step, values, run: Run) -> Tensor:
    left, right = values
    return left + right


def _drop(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    if run.training is None:
        return x
    if not isinstance(step.layer, nn.Dropout):
        raise UnsupportedModuleError(
            f"a dropout layer must be an nn.Dropout to be trained; got layer {step.name!r} "
            f"({type(step.layer).__name__})."
        )
    x = x.expand(next(iter(run.parameters.values())).shape[0], *x.shape[1:])
    return run.training.dropout(x, step.layer.p, run.index)


def _pointwise(step: Step, values, run: Run) -> Tensor:
    return step.layer(values[0])


OPERATIONS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Linear: _linear,
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    nn.LayerNorm: _layer_norm,
    SelectFeatures: _select,
    GlobalMean: _global_mean,
    Add: _add,
    **dict.fromkeys(CONVOLUTION, _convolution),
    **dict.fromkeys(BATCH_NORM, _batch_norm),
    **dict.fromkeys(POINTWISE, _pointwise),
    **dict.fromkeys(DROPOUT, _drop),
    **dict.fromkeys(POOLING, _pooling),
}
