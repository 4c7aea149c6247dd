"""Models run layer by layer while their weights are still being told, from the first to the last.

What the weights are lives elsewhere; here they only meet what their layer takes.
"""

from collections.abc import Callable
from functools import cached_property
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from ...architectures import Architecture
from ...architectures.forward._context import prefix
from ...architectures.forward._layer_inputs import is_affine, layer_input_columns
from ...architectures.tracing._trace import Step
from ..tokens._tokens import TokenLayout
from ..tokens._unit_order import MAX_PLACES


class LayerwiseForward(nn.Module):
    """The layers of an architecture on fixed inputs.

    Parameters
    ----------
    layout : TokenLayout
        One token a unit.
    architecture : Architecture
        With a plan: its layers run one by one.
    mean, scale : Tensor ``(n_weights,)``
        A weight is ``mean + scale * token``; the scale is the same for all weights of a layer.
    inputs : Tensor ``(n_inputs, n_features)``
    """

    def __init__(
        self,
        layout: TokenLayout,
        architecture: Architecture,
        mean: Tensor,
        scale: Tensor,
        inputs: Tensor,
    ):
        super().__init__()
        self.layout, self.architecture = layout, architecture
        self.mean: Tensor
        self.scale: Tensor
        self.inputs: Tensor
        for name, tensor in {"mean": mean, "scale": scale, "inputs": inputs}.items():
            self.register_buffer(name, tensor)

    @property
    def model_bytes(self) -> int:
        """What one model takes on the way."""
        return 4 * len(self.inputs) * self.architecture.forward_pass.activation_size

    def forward(self, tell: Callable[[int, Tensor | None], Tensor]) -> None:
        """Run models from layer to layer, asking for each kind's tokens when its layer is due.

        ``tell(kind, columns)`` returns ``(n_models, n_units, length)``; ``columns`` ``(n_models or
        1, length, n_columns)`` are what the units' weights meet, None where a layer is no product.
        """
        parameters: dict[str, Tensor] = {}

        def before(step: Step, taken: list[Tensor]) -> None:
            kinds = self._kinds_of_step.get(prefix(step), ())
            columns = None
            if len(kinds) == 1 and is_affine(step.layer):
                columns = layer_input_columns(step, taken[0], MAX_PLACES)
            for kind in kinds:
                weights = self.weights(kind, tell(kind, columns))
                for name, shape, part in self._held[kind]:
                    parameters[name] = weights[..., part].reshape(len(weights), *shape)

        self.architecture.forward_pass.forward_parameters(
            parameters, self.inputs[None], before=before
        )

    def responses(self, tokens: Tensor) -> dict[int, Tensor]:
        """Return what the units of each kind answer, ``(n_models, n_units, n_columns)``.

        Kinds of a layer that is no product are left out.
        """
        originals = self.layout.by_kind(tokens)
        found: dict[int, Tensor] = {}

        def keep(kind: int, columns: Tensor | None) -> Tensor:
            if columns is not None:
                found[kind] = self.weights(kind, originals[kind]) @ columns
            return originals[kind]

        self(keep)
        return found

    def weights(self, kind: int, tokens: Tensor) -> Tensor:
        """Return the weights of a kind's tokens ``(n_models, n_units, length)``."""
        places = self._columns[kind].to(tokens.device)
        return self.mean[places] + self.scale[places] * tokens

    def scale_of(self, kind: int) -> Tensor:
        """Return what divides the weights of a kind."""
        return self.scale[self._columns[kind][0, 0]]

    @cached_property
    def _columns(self) -> list[Tensor]:
        """The columns of a row that each kind holds, ``(n_units, length)``."""
        counts = self.layout.kind_counts
        parts = np.split(self.layout.columns, np.cumsum(counts)[:-1])
        lengths = self.layout.kind_lengths
        return [torch.from_numpy(p[:, :n].copy()) for p, n in zip(parts, lengths, strict=True)]

    @cached_property
    def _held(self) -> list[list[tuple[str, tuple[int, ...], slice]]]:
        """For each kind the parameters that it holds, their shapes, and where in a token."""
        found: list[list[tuple[str, tuple[int, ...], slice]]] = []
        shapes = zip(
            self.architecture.parameter_names, self.architecture.parameter_shapes, strict=True
        )
        named = [(name, shape, self.architecture.slices[name]) for name, shape in shapes]
        for columns in self._columns:
            first = columns[0].tolist()
            own = []
            for name, shape, part in named:
                if part.start in first:
                    start, n_units = first.index(part.start), len(columns)
                    own.append((name, shape, slice(start, start + prod(shape) // n_units)))
            found.append(own)
        return found

    @cached_property
    def _kinds_of_step(self) -> dict[str, list[int]]:
        """The kinds by the prefix of their parameters' names."""
        kinds: dict[str, list[int]] = {}
        for kind, own in enumerate(self._held):
            head, dot, _ = own[0][0].rpartition(".")
            kinds.setdefault(head + dot, []).append(kind)
        return kinds
