"""The template of an architecture: what a module must be, and what it determines about inputs."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..exceptions import UnsupportedModuleError
from ._builders import SelectFeatures

_NORMS = (nn.modules.batchnorm._NormBase,)


def refuse_unsupported(module: nn.Module) -> None:
    """Raise UnsupportedModuleError if a row of weights would not be all of the module."""
    for name, layer in module.named_modules():
        if isinstance(layer, _NORMS) and layer.track_running_stats and layer.momentum is None:
            raise UnsupportedModuleError(
                f"`momentum` of layer {name!r} ({type(layer).__name__}) must be a number; got "
                "None, whose averages depend on how often they were updated."
            )
    parameters = list(module.parameters())
    if not parameters:
        raise UnsupportedModuleError(
            f"`module` must have parameters; got a {type(module).__name__} without any."
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in parameters):
        raise UnsupportedModuleError(
            f"the parameters of `module` must be initialized; got a {type(module).__name__} with "
            "lazy ones: run it once on an input first."
        )


def running_statistics(module: nn.Module) -> dict[str, Tensor]:
    """Return the running means and variances of normalization layers by name."""
    return {
        f"{prefix}.{name}" if prefix else name: buffer
        for prefix, layer in module.named_modules()
        if isinstance(layer, _NORMS)
        for name, buffer in layer.named_buffers(recurse=False)
        if name in ("running_mean", "running_var")
    }


def uses_batch_statistics(module: nn.Module) -> bool:
    """Return True if a layer normalizes by the statistics of the batch in evaluation mode too."""
    return any(
        isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is None
        for layer in module.modules()
    )


def make_template(module: nn.Module) -> nn.Module:
    """Return a copy on CPU, in evaluation mode, with all parameters 0."""
    template = copy.deepcopy(module).cpu().float().eval().requires_grad_(False)
    for layer in template.modules():
        if getattr(layer, "inplace", False):
            vars(layer)["inplace"] = False  # else an input that models share is overwritten
    for parameter in template.parameters():
        parameter.zero_()
    return template


def first_shape(module: nn.Module, input_shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the shape of one input, as given or as the first layer has it; None if unknown."""
    if input_shape is not None:
        return tuple(int(n) for n in input_shape)
    layer = module
    while isinstance(layer, nn.Sequential) and len(layer):
        layer = layer[0]
    if isinstance(layer, nn.Linear):
        return (layer.in_features,)
    if isinstance(layer, SelectFeatures):
        return (layer.n_features,)
    if isinstance(layer, nn.Unflatten) and layer.dim == 1:
        return (math.prod(layer.unflattened_size),)
    return None


def largest_value(module: nn.Module, input_shape: Sequence[int]) -> int:
    """Return the most numbers that one layer of a template holds for one input."""
    sizes = [math.prod(input_shape)]

    def record(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        size = output[0].numel()
        if isinstance(layer, (nn.Conv1d, nn.Conv2d)):  # unfolded along the width
            unfolded = args[0][0].numel() * layer.kernel_size[-1]
            size = max(size, unfolded * output.shape[-1] // args[0].shape[-1])
        sizes.append(size)

    for layer in module.modules():
        if not list(layer.children()):
            layer.register_forward_hook(record)
    with torch.no_grad():
        module(torch.zeros(1, *input_shape))
    return max(sizes)
