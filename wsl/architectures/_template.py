"""The template of an architecture: what a module must be, and how much its layers hold."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._torch_defaults import torch_defaults
from ..exceptions import UnsupportedModuleError
from ._plain_module import plain_copy
from .tracing._trial import N_INPUTS, random_inputs

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
    if any(p.is_meta or not p.is_floating_point() for p in parameters):
        kinds = sorted({"meta" if p.is_meta else str(p.dtype) for p in parameters})
        raise UnsupportedModuleError(
            f"the parameters of `module` must be real numbers; got {', '.join(kinds)} in a "
            f"{type(module).__name__}."
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


def make_template(module: nn.Module) -> nn.Module:
    """Return a copy on CPU, in evaluation mode, with all parameters 0."""
    template = plain_copy(module).cpu().float().requires_grad_(False)
    for layer in template.modules():
        if getattr(layer, "inplace", False):
            vars(layer)["inplace"] = False  # else an input that models share is overwritten
    for parameter in template.parameters():
        parameter.zero_()
    return template


@torch_defaults()
def largest_value(module: nn.Module, input_shape: Sequence[int]) -> int:
    """Return the most numbers that one layer of a template holds for one input."""
    sizes = [math.prod(input_shape)]

    def record(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        if not isinstance(output, Tensor):
            return
        size = output.numel() // N_INPUTS
        if isinstance(layer, (nn.Conv1d, nn.Conv2d)):  # unfolded along the width
            unfolded = args[0].numel() // N_INPUTS * layer.kernel_size[-1]
            size = max(size, unfolded * output.shape[-1] // args[0].shape[-1])
        sizes.append(size)

    for layer in module.modules():
        if not list(layer.children()):
            layer.register_forward_hook(record)
    with torch.no_grad():
        module(random_inputs(input_shape))
    return max(sizes)
