"""Standard layers as JSON values and back: the name of the class, its arguments, nothing else."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from torch import nn

from ...exceptions import InvalidInputError, UnsupportedModuleError
from .._builders import SelectFeatures
from ..forward._operations import DROPOUT, POINTWISE, POOLING
from ..tracing._trace import Add, GlobalMean

MAX_INTEGER = 2**31 - 1
_LARGEST = {"padding": 2**10, "n_axes": 3}

_CONVOLUTION = (
    "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
    "bias", "padding_mode",
)  # fmt: skip
_BATCH_NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats")
_MAX_POOL = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
_AVERAGE_POOL = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
_ARGUMENTS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features", "bias"),
    nn.Conv1d: _CONVOLUTION,
    nn.Conv2d: _CONVOLUTION,
    SelectFeatures: ("n_features", "columns"),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.Unflatten: ("dim", "unflattened_size"),
    nn.BatchNorm1d: _BATCH_NORM,
    nn.BatchNorm2d: _BATCH_NORM,
    nn.InstanceNorm1d: _BATCH_NORM,
    nn.InstanceNorm2d: _BATCH_NORM,
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine", "bias"),
    nn.GroupNorm: ("num_groups", "num_channels", "eps", "affine"),
    nn.MaxPool1d: _MAX_POOL,
    nn.MaxPool2d: _MAX_POOL,
    nn.AvgPool1d: _AVERAGE_POOL,
    nn.AvgPool2d: (*_AVERAGE_POOL, "divisor_override"),
    nn.AdaptiveAvgPool1d: ("output_size",),
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.AdaptiveMaxPool1d: ("output_size",),
    nn.AdaptiveMaxPool2d: ("output_size",),
    nn.LeakyReLU: ("negative_slope",),
    nn.GELU: ("approximate",),
    nn.ELU: ("alpha",),
    nn.CELU: ("alpha",),
    nn.Softplus: ("beta", "threshold"),
    nn.Hardtanh: ("min_val", "max_val"),
    nn.PReLU: ("num_parameters",),
    nn.Softmax: ("dim",),
    nn.LogSoftmax: ("dim",),
    Add: (),
    GlobalMean: ("n_axes",),
    **dict.fromkeys(DROPOUT, ("p",)),
}  # fmt: skip
_POSITIVE = {"kernel_size", "stride", "dilation", "groups", "in_channels", "out_channels"}
_SIGNED = {"dim", "start_dim", "end_dim", "unflattened_size", "divisor_override"}
_OPTIONAL = {"stride", "output_size", "divisor_override", "dim"}
_REAL = {
    "eps", "momentum", "negative_slope", "alpha", "beta", "threshold", "min_val", "max_val", "p",
}  # fmt: skip
_SWITCHES = {
    "bias", "affine", "track_running_stats", "elementwise_affine", "ceil_mode",
    "count_include_pad",
}  # fmt: skip
_TEXTS = {
    "padding": ("valid", "same"),
    "padding_mode": ("zeros", "reflect", "replicate", "circular"),
    "approximate": ("none", "tanh"),
}
_KINDS = {kind.__name__: kind for kind in (*_ARGUMENTS, *POINTWISE, *POOLING)}


def is_standard(layer: nn.Module) -> bool:
    """Return True if a layer is of a class that can be stored."""
    return _KINDS.get(type(layer).__name__) is type(layer)


def layer_to_spec(layer: nn.Module) -> list[Any]:
    """Return a layer as ``[kind, arguments]``; UnsupportedModuleError if it is not standard."""
    if not is_standard(layer):
        raise UnsupportedModuleError(
            f"a layer must be a standard one of torch to be stored; got a {type(layer).__name__}."
        )
    values = {name: getattr(layer, name) for name in _ARGUMENTS.get(type(layer), ())}
    if "bias" in values:
        values["bias"] = layer.bias is not None
    return [type(layer).__name__, {name: _plain(value) for name, value in values.items()}]


def layer_from_spec(spec: Any) -> nn.Module:
    """Return the layer that ``layer_to_spec`` described; InvalidInputError for any other value.

    Missing arguments have torch's defaults.
    """
    if not is_layer_spec(spec):
        raise InvalidInputError(
            f"a layer in a spec must be [kind, arguments]; got {abbreviated(spec)}."
        )
    name, values = spec
    kind = _KINDS.get(name)
    arguments = _ARGUMENTS.get(kind, ()) if kind is not None else ()
    if kind is None or not isinstance(values, dict) or set(values) - set(arguments):
        raise InvalidInputError(
            "a layer in a spec must be a standard one with its arguments; got "
            f"{abbreviated(name)} with {abbreviated(values)}."
        )
    for key, value in values.items():
        _check_argument(name, key, value)
    try:
        return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"a {name} in a spec must have arguments that torch takes: {error}"
        ) from error


def is_layer_spec(spec: Any) -> bool:
    """Return True if a JSON value has the form ``[kind, arguments]``."""
    return isinstance(spec, list) and len(spec) == 2 and isinstance(spec[0], str)


def _plain(value: Any) -> Any:
    """Return an argument as JSON values, whatever integers, floats or sequences it holds."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def _check_argument(kind: str, name: str, value: Any) -> None:
    smallest, largest = int(name in _POSITIVE), _LARGEST.get(name, MAX_INTEGER)
    if name in _SWITCHES:
        fits, expected = isinstance(value, bool), "be true or false"
    elif name in _TEXTS and (isinstance(value, str) or name != "padding"):
        fits, expected = value in _TEXTS[name], f"be one of {', '.join(_TEXTS[name])}"
    elif name in _REAL:
        fits = type(value) in (int, float) and math.isfinite(value)
        expected = "be a finite number"
    else:
        smallest = -largest if name in _SIGNED else smallest
        values = value if isinstance(value, list) else [value]
        fits = all(
            (one is None and name in _OPTIONAL) or _is_whole(one, smallest, largest)
            for one in values
        )
        expected = f"hold whole numbers from {smallest} to {largest}"
    if not fits:
        raise InvalidInputError(
            f"`{name}` of a {kind} in a spec must {expected}; got {abbreviated(value)}."
        )


def _is_whole(value: Any, smallest: int, largest: int) -> bool:
    return type(value) is int and smallest <= value <= largest


def abbreviated(value: Any) -> str:
    """Return the beginning of a value that a file holds, for an error message."""
    if isinstance(value, (Sequence, dict)) and not isinstance(value, str) and len(value) > 20:
        return f"a {type(value).__name__} of {len(value)} entries"
    try:
        text = repr(value)
    except RecursionError:
        return f"a deeply nested {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:200]}..."
