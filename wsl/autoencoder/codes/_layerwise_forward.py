"""Models run layer by layer while their weights are provided, from the first layer to the last."""

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
from ..tokens._normalization import Scaling
from ..tokens._tokens import TokenLayout
from ..tokens._unit_order import MAX_POSITIONS

WeightProvider = Callable[[int, Tensor | None], Tensor]


class LayerwiseForward(nn.Module):
    """The layers of an architecture on fixed inputs.

    Parameters
    ----------
    layout : TokenLayout
        One token per unit.
    architecture : Architecture
        With a plan: its layers run one by one.
    scaling : Scaling
        Leads from tokens to weights; one scale per layer.
    inputs : Tensor ``(n_inputs, n_features)``
        Inputs of the models.
    """

    def __init__(
        self, layout: TokenLayout, architecture: Architecture, scaling: Scaling, inputs: Tensor
    ):
        super().__init__()
        self.layout, self.architecture, self.scaling = layout, architecture, scaling
        self.inputs: Tensor
        self.register_buffer("inputs", inputs)

    @property
    def model_bytes(self) -> int:
        """Memory per model of the activations."""
        return 4 * len(self.inputs) * self.architecture.forward_pass.activation_size

    def forward(self, provide: WeightProvider) -> None:
        """Run models from layer to layer; ``provide`` gives the tokens of each layer.

        ``provide(group, columns)`` returns the tokens of a group, ``(n_models, n_units, length)``.
        ``columns``, ``(n_models or 1, length, n_columns)``, are what the weights of a unit are
        multiplied with; None where the layer is not affine.
        """
        parameters: dict[str, Tensor] = {}

        def before(step: Step, layer_inputs: list[Tensor]) -> None:
            groups = self._groups_of_step.get(prefix(step), ())
            columns = None
            if len(groups) == 1 and is_affine(step.layer):
                columns = layer_input_columns(step, layer_inputs[0], MAX_POSITIONS)
            for group in groups:
                weights = self.weights(group, provide(group, columns))
                for name, shape, part in self._parameters_of_group[group]:
                    parameters[name] = weights[..., part].reshape(len(weights), *shape)

        self.architecture.forward_pass.forward_parameters(
            parameters, self.inputs[None], before=before
        )

    def responses(self, tokens: Tensor) -> dict[int, Tensor]:
        """Return the responses of the units of each group, ``(n_models, n_units, n_columns)``.

        Groups of layers that are not affine are left out.
        """
        originals = self.layout.by_group(tokens)
        responses: dict[int, Tensor] = {}

        def provide(group: int, columns: Tensor | None) -> Tensor:
            if columns is not None:
                responses[group] = self.weights(group, originals[group]) @ columns
            return originals[group]

        self(provide)
        return responses

    def weights(self, group: int, tokens: Tensor) -> Tensor:
        """Return the weights of a group's tokens ``(n_models, n_units, length)``."""
        columns = self._columns[group].to(tokens.device)
        return self.scaling.mean[columns] + self.scaling.scale[columns] * tokens

    def scale_of(self, group: int) -> Tensor:
        """Return the scale of the weights of a group, a scalar."""
        return self.scaling.scale[self._columns[group][0, 0]]

    @cached_property
    def _columns(self) -> list[Tensor]:
        """The columns of a row that each group holds, ``(n_units, length)``."""
        parts = np.split(self.layout.columns, np.cumsum(self.layout.group_counts)[:-1])
        lengths = self.layout.group_lengths
        return [torch.from_numpy(p[:, :n].copy()) for p, n in zip(parts, lengths, strict=True)]

    @cached_property
    def _parameters_of_group(self) -> list[list[tuple[str, tuple[int, ...], slice]]]:
        """Name, shape and slice of a token of each parameter that a group holds."""
        shapes = zip(
            self.architecture.parameter_names, self.architecture.parameter_shapes, strict=True
        )
        named = [(name, shape, self.architecture.slices[name]) for name, shape in shapes]
        of_group: list[list[tuple[str, tuple[int, ...], slice]]] = []
        for columns in self._columns:
            first, n_units = columns[0].tolist(), len(columns)
            parameters = []
            for name, shape, part in named:
                if part.start in first:
                    start = first.index(part.start)
                    parameters.append((name, shape, slice(start, start + prod(shape) // n_units)))
            of_group.append(parameters)
        return of_group

    @cached_property
    def _groups_of_step(self) -> dict[str, list[int]]:
        """The groups by the prefix of their parameters' names."""
        groups: dict[str, list[int]] = {}
        for group, parameters in enumerate(self._parameters_of_group):
            module, dot, _ = parameters[0][0].rpartition(".")
            groups.setdefault(module + dot, []).append(group)
        return groups
