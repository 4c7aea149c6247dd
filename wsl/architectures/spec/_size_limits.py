"""Limits on memory and time of a network, checked before a layer is run.

Architectures also come from untrusted files.
"""

import math
from collections.abc import Sequence
from typing import Any

from torch import nn

from ...exceptions import InvalidInputError

MAX_NUMBERS = 2**28  # in all weights, or in the values of one layer for one input: 1 GiB
MAX_PRODUCTS = 2**36  # of one input, in all layers: a minute


class Budget:
    """Adds up the cost of the layers of a module, as a hook that is called before each runs."""

    def __init__(self) -> None:
        self.products = 0

    def __call__(self, layer: nn.Module, inputs: Sequence[Any]) -> None:
        """Raise InvalidInputError if a layer exceeds a limit."""
        numbers, products = cost(layer, tuple(inputs[0].shape[1:]))
        self.products += products
        check_numbers(f"numbers in a {type(layer).__name__}", numbers)
        _check("products to compute", self.products, MAX_PRODUCTS)


def cost(layer: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the most values that a layer holds for one input, and the products it computes.

    A convolution holds all windows of its input.
    """
    values: Any = layer  # of any class, so that its attributes cannot be typed
    if isinstance(layer, nn.Linear):
        positions = math.prod(shape[:-1])
        products = positions * layer.in_features * layer.out_features
        return positions * layer.out_features, products
    if isinstance(layer, nn.modules.conv._ConvNd):
        positions = _padded(shape[1:], values.padding, values.kernel_size, values.dilation)
        window = math.prod(layer.kernel_size) * layer.in_channels // layer.groups
        numbers = positions * max(window, layer.out_channels)
        return numbers, positions * window * layer.out_channels
    if hasattr(layer, "output_size"):
        sizes = values.output_size
        sizes = sizes if isinstance(sizes, tuple) else (sizes,) * len(shape[1:])
        pooled = [size or n for size, n in zip(sizes, shape[-len(sizes) :], strict=False)]
        return math.prod(shape[: -len(sizes)]) * math.prod(pooled), 0
    return math.prod(shape), 0


def _padded(sizes: Sequence[int], padding: Any, kernel: Sequence[int], dilation: Sequence[int]):
    if padding == "valid":
        padding = [0] * len(kernel)
    elif padding == "same":
        padding = [k * d for k, d in zip(kernel, dilation, strict=True)]
    return math.prod(n + 2 * pad for n, pad in zip(sizes, padding, strict=False))


def check_numbers(what: str, count: int) -> None:
    """Raise InvalidInputError for more numbers than fit into 1 GiB."""
    _check(what, count, MAX_NUMBERS)


def _check(what: str, count: int, largest: int) -> None:
    if count > largest:
        raise InvalidInputError(
            f"a network in a spec must have at most {largest} {what}; got {count}."
        )
