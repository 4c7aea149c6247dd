"""What the layers of one pass over many models share: parameters, memory, what training adds.

What each layer computes lives in ``_operations``, the pass itself in ``_batched``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..tracing._trace import Step

Parameters = Mapping[str, Tensor]


@dataclass
class Training:
    """What a pass does in training and not else: it drops units and takes the batch's statistics.

    ``dropout(x, p, place)`` returns ``x``, ``(n_models, *features, n_inputs)``, with units dropped;
    ``place`` tells the layers of a module apart. ``statistics`` collects, by the names of running
    statistics, what the pass makes of them, ``(n_models, n_channels)``.
    """

    dropout: Callable[[Tensor, float, int], Tensor]
    statistics: dict[str, Tensor] = field(default_factory=dict)


class Memory:
    """Memory for the values of layers, the same for every pass: fresh memory costs page faults.

    What a pass returns lies in it, and is gone with the next.
    """

    def __init__(self) -> None:
        self._blocks: dict[Any, Tensor] = {}

    def take(self, key: Any, shape: Sequence[int], like: Tensor) -> Tensor:
        """Return a tensor of a shape, its contents left over; the same memory for the same key."""
        n = math.prod(shape)
        if key not in self._blocks or self._blocks[key].numel() < n:
            self._blocks[key] = like.new_empty(n)
        return self._blocks[key][:n].view(shape)


@dataclass
class Run:
    """What the layers of one pass share; ``place`` is the layer's own among the steps."""

    parameters: Parameters
    training: Training | None
    memory: Memory | None
    place: int = 0

    def parameter(self, step: Step, name: str) -> Tensor:
        """Return a layer's own parameter, ``(n_models, *shape)``."""
        return self.parameters[f"{prefix(step)}{name}"]

    def optional(self, step: Step, name: str) -> Tensor | None:
        """Return a parameter that a layer may lack."""
        return None if getattr(step.layer, name) is None else self.parameter(step, name)

    def out(self, shape: Sequence[int], like: Tensor, part: int = 0) -> Tensor | None:
        """Return where a layer's values go; None, as torch takes it, for memory of their own."""
        return None if self.memory is None else self.memory.take((self.place, part), shape, like)


def prefix(step: Step) -> str:
    """Return what comes before the names of a layer's own parameters."""
    return f"{step.name}." if step.name else ""
