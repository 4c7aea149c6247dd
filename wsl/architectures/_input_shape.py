"""The shapes of inputs that an architecture takes, and the check of inputs against them."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from .._validation import quoted
from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._builders import SelectFeatures
from .forward._operations import DROPOUT, POINTWISE, only_layers
from .spec._output_shapes import applied_layers
from .tracing._trace import trace
from .tracing._trial import takes_inputs

Shape = tuple[int, ...]
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class InputShape:
    """What is known of the shape of one input.

    Attributes
    ----------
    exact : tuple of int or None
        What the module takes; None where it is not known.
    pattern : tuple of int or None
        Where ``exact`` is not known: the sizes that are, with None for each other size.
    image : tuple of int or None
        The shape to which a first Unflatten reshapes its inputs. Inputs may have it already.
    flattens : bool
        True if the first layer flattens its inputs, so that any shape is the same to it.
    """

    exact: Shape | None
    pattern: tuple[int | None, ...] | None = None
    image: Shape | None = None
    flattens: bool = False

    def check(self, shape: Sequence[int], name: str) -> Shape:
        """Return the shape that inputs of one shape must be given for the module.

        Axes of length 1 do not count, as values are in the same order with or without them.

        Raises
        ------
        InvalidInputError
            If the inputs would have to be reordered, or are of another size; ``name`` is named.
        """
        shape = tuple(shape)
        if self.exact is None:
            self._check_pattern(shape, name)
            return shape
        accepted = [_squeezed(self.exact)]
        if self.image is not None:
            accepted.append(_squeezed(self.image))
        n_inputs = math.prod(self.exact)
        is_row = shape == (n_inputs,)
        reshaped = len(shape) > 0 and _squeezed(shape) in accepted
        if is_row or reshaped or (self.flattens and len(shape) and math.prod(shape) == n_inputs):
            return self.exact
        raise InvalidInputError(self._refusal(shape, name))

    def _check_pattern(self, shape: Shape, name: str) -> None:
        if self.pattern is None:
            fits = len(shape) > 0
        else:
            fits = len(shape) == len(self.pattern) and all(
                size is None or size == n for size, n in zip(self.pattern, shape, strict=True)
            )
        if not fits:
            sizes = ("...",) if self.pattern is None else self.pattern
            raise InvalidInputError(
                f"{quoted(name)} must have shape {_text(sizes)}; got {_text(shape)}. If the module "
                "takes inputs of another shape, pass input_shape= to Architecture."
            )

    def _refusal(self, shape: Shape, name: str) -> str:
        assert self.exact is not None
        n_inputs = math.prod(self.exact)
        if len(shape) == 1:
            return (
                f"{quoted(name)} must have {n_inputs} columns, as the architecture takes "
                f"{n_inputs} inputs; got {shape[0]}."
            )
        shapes = {(n_inputs,): None, self.exact: None}  # a set in order
        if self.image is not None:
            shapes[self.image] = None
        hint = ""
        if sorted(_squeezed(shape)) in [sorted(_squeezed(own)) for own in shapes]:
            hint = " Bring its axes into this order, for instance with numpy.moveaxis."
        elif math.prod(shape) == n_inputs:
            hint = f" If its values are in order, pass {name}.reshape(-1, {n_inputs})."
        accepted = " or ".join(_text(own) for own in shapes)
        return f"{quoted(name)} must have shape {accepted}; got {_text(shape)}.{hint}"


def find_input_shape(module: nn.Module, given: Sequence[int] | None) -> InputShape:
    """Return what a template and the parameter ``input_shape`` determine of one input."""
    found = _first_layer(module)
    if given is not None:
        shape = tuple(int(n) for n in given)
        return InputShape(shape, None, found.image, found.flattens)
    if found.exact is not None or found.pattern is not None:
        return found
    guess = next((m for m in module.modules() if isinstance(m, nn.Linear)), None)
    if guess is not None and takes_inputs(module, (guess.in_features,)):
        return InputShape((guess.in_features,))
    return found


def _first_layer(module: nn.Module) -> InputShape:
    """Follow the input through layers that keep its shape to the first that determines it."""
    flattens = False
    for layer in _layers_of_input(module):
        if isinstance(layer, nn.Flatten) and layer.start_dim == 1 and layer.end_dim == -1:
            flattens = True
        elif isinstance(layer, nn.Linear):
            return InputShape((layer.in_features,), flattens=flattens)
        elif isinstance(layer, SelectFeatures):
            return InputShape((layer.n_features,), flattens=flattens)
        elif (
            isinstance(layer, nn.Unflatten) and layer.dim == 1 and -1 not in layer.unflattened_size
        ):
            image = tuple(layer.unflattened_size)
            return InputShape((math.prod(image),), image=image, flattens=flattens)
        elif isinstance(layer, _CONVOLUTIONS) and not flattens:
            return InputShape(None, (layer.in_channels, *[None] * len(layer.kernel_size)))
        elif not isinstance(layer, (*POINTWISE, *DROPOUT)):
            break
    return InputShape(None)


def _layers_of_input(module: nn.Module) -> Iterator[Any]:
    """Yield the layers that are applied to the input, one after another, up to a branch."""
    try:
        steps = applied_layers(module) if only_layers(module) else _traced(module)
    except UnsupportedModuleError:
        return
    users: dict[int, set[int]] = defaultdict(set)  # of each value
    for index, (_, sources) in enumerate(steps):
        for value in sources:
            users[value].add(index)
    source = 0
    while len(users[source]) == 1:
        (user,) = users[source]
        yield steps[user][0]
        source = user + 1


def _traced(module: nn.Module) -> list[tuple[nn.Module, tuple[int, ...]]]:
    return [(step.layer, step.sources) for step in trace(module)]


def _squeezed(shape: Sequence[int]) -> Shape:
    return tuple(n for n in shape if n != 1)


def _text(shape: Sequence[int | str | None]) -> str:
    sizes = ["n_samples", *("any" if n is None else str(n) for n in shape)]
    return f"({', '.join(sizes)}{'' if len(sizes) > 1 else ','})"
