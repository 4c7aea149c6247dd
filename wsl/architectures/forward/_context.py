"""What the layers of one forward pass share: parameters, memory, dropout and statistics."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..tracing._trace import Step

Parameters = Mapping[str, Tensor]


@dataclass
class Training:
    """What a pass only does in training: it drops units and updates running statistics.

    ``dropout(x, p, index)`` returns ``x``, ``(n_models, *features, n_inputs)``, with units dropped;
    ``index`` is that of the layer. ``statistics`` collects the updated running statistics by name,
    ``(n_models, n_channels)``.
    """

    dropout: Callable[[Tensor, float, int], Tensor]
    statistics: dict[str, Tensor] = field(default_factory=dict)


class Memory:
    """Memory for the values of layers, reused by every pass: new memory costs page faults.

    The outputs of a pass lie in it and are overwritten by the next one.
    """

    def __init__(self) -> None:
        self._blocks: dict[Any, Tensor] = {}

    def take(self, key: Any, shape: Sequence[int], like: Tensor) -> Tensor:
        """Return an uninitialized tensor of a shape; the same memory for the same key."""
        n = math.prod(shape)
        if key not in self._blocks or self._blocks[key].numel() < n:
            self._blocks[key] = like.new_empty(n)
        return self._blocks[key][:n].view(shape)


@dataclass
class Run:
    """What the layers of one pass share; ``index`` is that of the current step."""

    parameters: Parameters
    training: Training | None
    memory: Memory | None
    index: int = 0

    def parameter(self, step: Step, name: str) -> Tensor:
        """Return a parameter of a layer, ``(n_models, *shape)``."""
        return self.parameters[f"{prefix(step)}{name}"]

    def optional(self, step: Step, name: str) -> Tensor | None:
        """Return a parameter that a layer may lack."""
        return None if getattr(step.layer, name) is None else self.parameter(step, name)

    def out(self, shape: Sequence[int], like: Tensor, part: int = 0) -> Tensor | None:
        """Return where a layer writes its values; None for newly allocated memory."""
        return None if self.memory is None else self.memory.take((self.index, part), shape, like)


def prefix(step: Step) -> str:
    """Return the prefix of the names of a layer's parameters."""
    return f"{step.name}." if step.name else ""
