"""The layout of a chunk's weights in memory: parameter by parameter, each for all models.

Each parameter is contiguous for a batched product, and all of them are one tensor for an optimizer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...architectures import Architecture


@dataclass(frozen=True)
class Dense:
    """A weight ``(n_out, n_in)`` and a bias that form one matrix, with the bias at its end.

    The longer side comes last, which makes the product faster.
    """

    weight: str
    bias: str
    n_out: int
    n_in: int

    @property
    def inputs_first(self) -> bool:
        """Whether the matrix is ``(n_in + 1, n_out)``, not ``(n_out, n_in + 1)``."""
        return self.n_out > self.n_in

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the matrix of one model."""
        return (self.n_in + 1, self.n_out) if self.inputs_first else (self.n_out, self.n_in + 1)

    def views(self, matrix: Tensor) -> dict[str, Tensor]:
        """View a matrix as weight ``(n_models, n_out, n_in)`` and bias ``(n_models, n_out)``."""
        by_output = matrix.mT if self.inputs_first else matrix
        return {self.weight: by_output[:, :, : self.n_in], self.bias: by_output[:, :, self.n_in]}


class Layout:
    """The order of the weights of ``n_models`` models in one flat tensor.

    Parameters
    ----------
    architecture : Architecture
        What a row of weights means.
    dense : sequence of Dense
        Pairs of parameters that form one matrix. The others are separate, ``(n_models, *shape)``.
    """

    def __init__(self, architecture: Architecture, dense: Sequence[Dense] = ()):
        self.architecture = architecture
        self.dense = {d.weight: d for d in dense}
        paired = {name for d in dense for name in (d.weight, d.bias)}
        self.shapes: dict[str, tuple[int, ...]] = {
            **{d.weight: d.shape for d in dense},
            **{
                name: shape
                for name, shape in zip(
                    architecture.parameter_names, architecture.parameter_shapes, strict=True
                )
                if name not in paired
            },
        }

    def blocks(self, flat: Tensor) -> dict[str, Tensor]:
        """View a flat tensor as blocks ``(n_models, *shape)``, named by their first parameter."""
        n_models = len(flat) // self.architecture.n_weights
        sizes = [n_models * math.prod(shape) for shape in self.shapes.values()]
        return {
            name: part.view(n_models, *shape)
            for (name, shape), part in zip(self.shapes.items(), flat.split(sizes), strict=True)
        }

    def parameters(self, flat: Tensor) -> dict[str, Tensor]:
        """View a flat tensor as parameters ``(n_models, *shape)``."""
        views: dict[str, Tensor] = {}
        for name, block in self.blocks(flat).items():
            views |= self.dense[name].views(block) if name in self.dense else {name: block}
        return views

    def pack(self, rows: Tensor) -> Tensor:
        """Return rows ``(n_models, n_weights)`` in this layout."""
        flat = torch.empty(rows.numel(), dtype=rows.dtype, device=rows.device)
        parameters = self.architecture.layout.parameters(rows)
        for name, view in self.parameters(flat).items():
            view.copy_(parameters[name])
        return flat

    def unpack(self, flat: Tensor) -> Tensor:
        """Return the rows ``(n_models, n_weights)`` of a flat tensor."""
        return self.architecture.layout.rows(self.parameters(flat))

    def select(self, flat: Tensor, models: Tensor) -> Tensor:
        """Return a flat tensor of the models with the given indices only."""
        return torch.cat([block[models].flatten() for block in self.blocks(flat).values()])

    def repeat(self, values: Tensor) -> Tensor:
        """Return a value per model, ``(n_models,)``, for each weight; 0 for running statistics."""
        rows = values[:, None].repeat(1, self.architecture.n_weights)
        rows[:, self.architecture.n_trainable :] = 0
        return self.pack(rows)
