"""What a layer would ask for, told before it is run: architectures also come from untrusted files.

Nothing here runs a layer.
"""

import math
from collections.abc import Sequence
from typing import Any

from torch import nn

from ...exceptions import InvalidInputError

MAX_NUMBERS = 2**28  # in all weights, or in what one layer makes of one input: 1 GiB
MAX_PRODUCTS = 2**36  # of one input, in all layers: a minute


class Budget:
    """Counts what the layers of a module ask for, as a hook that is called before each runs."""

    def __init__(self) -> None:
        self.products = 0

    def __call__(self, layer: nn.Module, inputs: Sequence[Any]) -> None:
        """Raise InvalidInputError if a layer asks for too much."""
        numbers, products = cost(layer, tuple(inputs[0].shape[1:]))
        self.products += products
        check_numbers(f"numbers in a {type(layer).__name__}", numbers)
        _check("products to compute", self.products, MAX_PRODUCTS)


def cost(layer: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many numbers a layer holds at most for one input, and how many products it takes.

    A convolution holds all windows of its input.
    """
    values: Any = layer  # of any class, so that its own attributes cannot be typed
    if isinstance(layer, nn.Linear):
        places = math.prod(shape[:-1])
        return places * layer.out_features, places * layer.in_features * layer.out_features
    if isinstance(layer, nn.modules.conv._ConvNd):
        places = _padded(shape[1:], values.padding, values.kernel_size, values.dilation)
        window = math.prod(layer.kernel_size) * layer.in_channels // layer.groups
        numbers = places * max(window, layer.out_channels)
        return numbers, places * window * layer.out_channels
    if hasattr(layer, "output_size"):
        sizes = values.output_size
        sizes = sizes if isinstance(sizes, tuple) else (sizes,) * len(shape[1:])
        kept = [size or n for size, n in zip(sizes, shape[-len(sizes) :], strict=False)]
        return math.prod(shape[: -len(sizes)]) * math.prod(kept), 0
    return math.prod(shape), 0


def _padded(sizes: Sequence[int], padding: Any, kernel: Sequence[int], dilation: Sequence[int]):
    if padding == "valid":
        padding = [0] * len(kernel)
    elif padding == "same":
        padding = [k * d for k, d in zip(kernel, dilation, strict=True)]
    return math.prod(n + 2 * pad for n, pad in zip(sizes, padding, strict=False))


def check_numbers(what: str, count: int) -> None:
    """Raise InvalidInputError if an architecture holds more numbers than fit into 1 GiB."""
    _check(what, count, MAX_NUMBERS)


def _check(what: str, count: int, largest: int) -> None:
    if count > largest:
        raise InvalidInputError(f"architecture has {count} {what}; wanted at most {largest}")
