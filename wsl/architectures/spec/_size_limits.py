"""Limits on memory and time of a network in a spec, checked before a layer is built or run.

Architectures also come from untrusted files, of which a few hundred bytes can describe days of
work.
"""

import math
from collections.abc import Sequence

from torch import nn

from ...exceptions import InvalidInputError
from ._output_shapes import Shape, applied_layers, n_window_axes, of_axis, output_shape

MAX_WEIGHTS = 2**28  # 1 GiB
MAX_VALUES = 2**25  # that one layer holds for one input: 128 MiB
MAX_OPERATIONS = 2**32  # of all layers for one input: some seconds at most

# Time per operation, in products of a large matrix product: measured on one core, rounded up.
_NARROW = 4  # a product in a convolution with few channels
_READ = 8  # a value in a window of a pooling
_VALUE = 32  # a value that a layer computes otherwise, such as an activation
_N_NARROW = 16  # channels


def check_cost(module: nn.Module, input_shape: Sequence[int]) -> None:
    """Raise InvalidInputError if a module of standard layers exceeds a limit for one input."""
    shapes: list[Shape] = [(1, *input_shape)]
    check_n_values("inputs", math.prod(input_shape))
    total = 0
    for layer, sources in applied_layers(module):
        try:
            shapes.append(output_shape(layer, [shapes[source] for source in sources]))
        except (ArithmeticError, IndexError, TypeError, ValueError) as error:
            raise InvalidInputError(
                "the layers in a spec must fit together; got values of shape "
                f"{shapes[sources[0]]} for {layer}."
            ) from error
        n_values, n_operations = cost(layer, shapes[sources[0]], shapes[-1])
        total += n_operations
        check_n_values(f"values in a {type(layer).__name__}", n_values)
        _check("operations for one input", total, MAX_OPERATIONS)


def is_affordable(module: nn.Module, input_shape: Sequence[int]) -> bool:
    """Return True if a module of standard layers exceeds no limit for one input."""
    try:
        check_cost(module, input_shape)
    except InvalidInputError:
        return False
    return True


def cost(layer: nn.Module, inputs: Shape, outputs: Shape) -> tuple[int, int]:
    """Return the most values that a layer holds for one input, and how many operations it takes.

    ``inputs`` and ``outputs`` are the shapes of a batch of one. A convolution holds all windows of
    its input.
    """
    n_in, n_out = math.prod(inputs), math.prod(outputs)
    if isinstance(layer, nn.Linear):
        return max(n_in, n_out), n_in + n_out * layer.in_features
    if isinstance(layer, nn.modules.conv._ConvNd):
        window = math.prod(layer.kernel_size) * layer.in_channels // layer.groups
        n_windows = n_out // layer.out_channels * layer.groups
        narrow = min(layer.in_channels, layer.out_channels) // layer.groups < _N_NARROW
        operations = n_in + n_out * window * (_NARROW if narrow else 1)
        return max(n_in, n_out, n_windows * window), operations
    if hasattr(layer, "kernel_size"):
        window = math.prod(of_axis(layer.kernel_size, axis) for axis in range(n_window_axes(layer)))
        return max(n_in, n_out), _VALUE * n_in + _READ * n_out * window
    return max(n_in, n_out), _VALUE * max(n_in, n_out)


def check_n_weights(count: int) -> None:
    """Raise InvalidInputError for more weights than fit into 1 GiB."""
    _check("weights", count, MAX_WEIGHTS)


def check_n_values(what: str, count: int) -> None:
    """Raise InvalidInputError for more values of one input than fit into 128 MiB."""
    _check(what, count, MAX_VALUES)


def _check(what: str, count: int, largest: int) -> None:
    if count > largest:
        raise InvalidInputError(
            f"a network in a spec must have at most {largest} {what}; got {count}."
        )
