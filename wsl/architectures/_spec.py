"""Architectures as JSON and back, for Sequentials of standard layers; no code is stored or run.

Where files lie and how they are written is for the caller.
"""

from typing import Any

from torch import nn
from torch.random import fork_rng

from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._batched import DROPOUT, POINTWISE, POOLING
from ._build import SelectFeatures

_ARGUMENTS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features", "bias"),
    nn.Conv2d: (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
        "bias", "padding_mode",
    ),
    SelectFeatures: ("n_features", "columns"),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.Unflatten: ("dim", "unflattened_size"),
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.MaxPool2d: ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    nn.AvgPool2d: ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.AdaptiveMaxPool2d: ("output_size",),
    nn.LeakyReLU: ("negative_slope",),
    nn.GELU: ("approximate",),
    nn.ELU: ("alpha",),
    nn.CELU: ("alpha",),
    nn.Softplus: ("beta", "threshold"),
    nn.Hardtanh: ("min_val", "max_val"),
    **dict.fromkeys(DROPOUT, ("p",)),
}  # fmt: skip
_KINDS = {kind.__name__: kind for kind in (*_ARGUMENTS, *POINTWISE, *POOLING)}


def module_to_spec(module: nn.Module) -> list[Any]:
    """Return a nest of Sequentials as lists of ``[name, arguments]``.

    Raises UnsupportedModuleError for a layer that is not standard.
    """
    if type(module) is nn.Sequential:
        return [module_to_spec(child) for child in module]
    if _KINDS.get(type(module).__name__) is not type(module):
        raise UnsupportedModuleError(f"a layer of class {type(module).__name__} cannot be stored")
    names = _ARGUMENTS.get(type(module), ())
    values = {name: getattr(module, name) for name in names}
    if "bias" in values:
        values["bias"] = module.bias is not None
    return [type(module).__name__, values]


@fork_rng(devices=[])  # torch draws weights that nobody keeps
def module_from_spec(spec: Any) -> nn.Module:
    """Undo ``module_to_spec``; InvalidInputError if ``spec`` is not what it writes."""
    if not isinstance(spec, list):
        raise InvalidInputError(f"architecture holds {spec!r}; wanted a list of layers")
    if len(spec) == 2 and isinstance(spec[0], str):
        name, values = spec
        kind = _KINDS.get(name)
        if kind is None or set(values) != set(_ARGUMENTS.get(kind, ())):
            raise InvalidInputError(f"architecture holds an unknown layer {name!r} with {values!r}")
        arguments = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        try:
            return kind(**arguments)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"architecture holds a broken {name}: {error}") from error
    return nn.Sequential(*(module_from_spec(child) for child in spec))
