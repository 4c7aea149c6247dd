"""Where each parameter of a network lies in a row of weights, and rows to parameters and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from .._validation import check_n_columns
from ._template import running_statistics


@dataclass(frozen=True)
class ParameterLayout:
    """Names and shapes of what a row of weights holds, in the order of the row.

    The first ``n_trainable`` weights belong to the parameters that training changes. The running
    statistics of normalization layers follow.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    n_trainable: int

    @classmethod
    def of(cls, module: nn.Module) -> "ParameterLayout":
        """Return the layout of a module's parameters and running statistics."""
        trained = dict(module.named_parameters())
        tensors = trained | running_statistics(module)
        return cls(
            names=tuple(tensors),
            shapes=tuple(tuple(tensor.shape) for tensor in tensors.values()),
            n_trainable=sum(parameter.numel() for parameter in trained.values()),
        )

    @cached_property
    def by_name(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return dict(zip(self.names, self.shapes, strict=True))

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The columns of each parameter in a row."""
        stops = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes)]).tolist()
        return {
            name: slice(start, stop)
            for name, start, stop in zip(self.names, stops[:-1], stops[1:], strict=True)
        }

    @property
    def n_weights(self) -> int:
        """The number of columns of a row."""
        return self.slices[self.names[-1]].stop

    def parameters(self, weights: Tensor) -> dict[str, Tensor]:
        """View rows ``(n_models, n_weights)`` as parameters ``(n_models, *shape)``."""
        check_n_columns(weights, self.n_weights)
        return {
            name: weights[:, self.slices[name]].reshape(len(weights), *shape)
            for name, shape in self.by_name.items()
        }

    def rows(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Join parameters ``(n_models, *shape)`` to rows ``(n_models, n_weights)``."""
        return torch.cat([parameters[name].flatten(start_dim=1) for name in self.names], dim=1)
