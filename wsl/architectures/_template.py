"""What a module must be to serve as an architecture's template, and what it tells of itself.

Nothing here runs a model.
"""

import copy
import math
from collections.abc import Iterator, Sequence

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
                f"layer {name!r} ({type(layer).__name__}) has momentum=None, whose averages depend "
                "on how often they were updated; wanted a number"
            )
    parameters = list(module.parameters())
    if not parameters:
        raise UnsupportedModuleError(f"module {type(module).__name__} has no parameters")
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in parameters):
        raise UnsupportedModuleError(
            f"module {type(module).__name__} has lazy parameters; run it once on an input before"
        )


def running_statistics(module: nn.Module) -> dict[str, Tensor]:
    """Return the running means and variances of normalisation layers by name."""
    return {
        f"{prefix}.{name}" if prefix else name: buffer
        for prefix, layer in module.named_modules()
        if isinstance(layer, _NORMS)
        for name, buffer in layer.named_buffers(recurse=False)
        if name in ("running_mean", "running_var")
    }


def uses_batch_statistics(module: nn.Module) -> bool:
    """Tell whether a layer normalises by the inputs at hand, in evaluation too."""
    return any(
        isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is None
        for layer in module.modules()
    )


def make_template(module: nn.Module) -> nn.Module:
    """Return a copy on CPU, in evaluation mode, with all parameters 0."""
    template = copy.deepcopy(module).cpu().float().eval().requires_grad_(False)
    for layer in template.modules():
        if getattr(layer, "inplace", False):
            vars(layer)["inplace"] = False  # an input shared by all models would be overwritten
    for parameter in template.parameters():
        parameter.zero_()
    return template


def first_shape(module: nn.Module, input_shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the shape of one input, as given or as the first layer tells it; None if neither."""
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


def layer_names(module: nn.Module) -> Iterator[str]:
    """Yield what to call each layer of a nest of Sequentials."""
    if isinstance(module, nn.Sequential):
        for layer in module:
            yield from layer_names(layer)
    elif isinstance(module, nn.Linear):
        yield f"Linear({module.in_features}, {module.out_features})"
    elif isinstance(module, nn.Conv2d):
        kernel = "x".join(map(str, module.kernel_size))
        yield f"Conv2d({module.in_channels}, {module.out_channels}, {kernel})"
    else:
        yield type(module).__name__


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
