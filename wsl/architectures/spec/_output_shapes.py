"""The shapes of the values between layers, computed from the settings of layers: nothing is run."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import nn

from .._builders import SelectFeatures
from ..tracing._step_network import StepNetwork
from ..tracing._trace import Add, GlobalMean

Shape = tuple[int, ...]


def applied_layers(module: nn.Module) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """Return the layers of nested Sequentials or of a StepNetwork with the indices of their inputs.

    Index 0 is the input, k the output of the k-th layer.
    """
    if isinstance(module, StepNetwork):
        return module.steps()
    return [(layer, (index,)) for index, layer in enumerate(_leaves(module))]


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from _leaves(child)
    else:
        yield module


def output_shape(layer: nn.Module, inputs: Sequence[Shape]) -> Shape:
    """Return the shape of a layer's outputs for inputs of shapes ``(1, ...)``, a batch of one.

    It is not checked whether the layer takes such inputs, but ArithmeticError, IndexError,
    TypeError or ValueError may be raised for others.
    """
    shape, values = inputs[0], _untyped(layer)
    if isinstance(layer, Add):
        return np.broadcast_shapes(*inputs)
    if isinstance(layer, nn.Linear):
        return (*shape[:-1], layer.out_features)
    if isinstance(layer, SelectFeatures):
        return (*shape[:-1], len(layer.columns))
    if isinstance(layer, GlobalMean):
        return shape[:2] + shape[2 + layer.n_axes :]
    if isinstance(layer, nn.Flatten):
        start, end = range(len(shape))[layer.start_dim], range(len(shape))[layer.end_dim]
        return (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])
    if isinstance(layer, nn.Unflatten):
        return _unflattened(values, shape)
    if hasattr(layer, "kernel_size"):
        n_axes = n_window_axes(layer)
        places = tuple(_n_windows(values, n, axis) for axis, n in enumerate(shape[-n_axes:]))
        if isinstance(layer, nn.modules.conv._ConvNd):
            return (*shape[: -n_axes - 1], layer.out_channels, *places)
        return (*shape[:-n_axes], *places)
    if hasattr(layer, "output_size"):
        n_axes = n_window_axes(layer)
        sizes = [of_axis(values.output_size, axis) for axis in range(n_axes)]
        pooled = [
            n if size is None else size for size, n in zip(sizes, shape[-n_axes:], strict=True)
        ]
        return (*shape[:-n_axes], *pooled)
    return shape


def n_window_axes(layer: nn.Module) -> int:
    """Return the number of axes over which a convolution or pooling moves."""
    return 1 if type(layer).__name__.endswith("1d") else 2


def of_axis(setting: Any, axis: int) -> Any:
    """Return a setting of one axis, of those for each axis or of one for all."""
    return setting[axis] if isinstance(setting, (tuple, list)) else setting


def _untyped(layer: nn.Module) -> Any:
    return layer


def _unflattened(layer: Any, shape: Shape) -> Shape:
    axis, sizes = range(len(shape))[layer.dim], tuple(layer.unflattened_size)
    if -1 in sizes:
        rest = -math.prod(sizes)
        sizes = tuple(shape[axis] // rest if size == -1 else size for size in sizes)
    return (*shape[:axis], *sizes, *shape[axis + 1 :])


def _n_windows(layer: Any, n: int, axis: int) -> int:
    kernel, stride = of_axis(layer.kernel_size, axis), of_axis(layer.stride, axis)
    dilation = of_axis(getattr(layer, "dilation", 1), axis)
    if layer.padding == "same":
        return n
    padding = 0 if layer.padding == "valid" else of_axis(layer.padding, axis)
    n_moves = n + 2 * padding - dilation * (kernel - 1) - 1
    if getattr(layer, "ceil_mode", False):
        n_moves += stride - 1
    return max(0, n_moves // stride + 1)
