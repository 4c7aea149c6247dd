"""What a module must be to serve as an architecture's template, and what it tells of itself.

Nothing here runs a model.
"""

import copy
import math
from collections.abc import Iterator, Sequence

from torch import nn

from ..exceptions import UnsupportedModuleError
from ._build import SelectFeatures

_NORMS_WITH_STATE = (nn.modules.batchnorm._NormBase,)


def refuse_unsupported(module: nn.Module) -> None:
    """Raise UnsupportedModuleError if a row of weights would not be all of the module."""
    for name, layer in module.named_modules():
        if isinstance(layer, _NORMS_WITH_STATE) and layer.track_running_stats:
            raise UnsupportedModuleError(
                f"layer {name!r} ({type(layer).__name__}) keeps running statistics, which are not "
                "weights; wanted a module without buffers that change: use LayerNorm or GroupNorm, "
                "or track_running_stats=False"
            )
    parameters = list(module.parameters())
    if not parameters:
        raise UnsupportedModuleError(f"module {type(module).__name__} has no parameters")
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in parameters):
        raise UnsupportedModuleError(
            f"module {type(module).__name__} has lazy parameters; run it once on an input before"
        )


def make_template(module: nn.Module) -> nn.Module:
    """Return a copy on CPU, in evaluation mode, with all weights 0."""
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
