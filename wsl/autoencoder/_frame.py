"""The frame in which rows are encoded: hidden units in a reference's order, weights scaled.

How units are matched lives in ``wsl.architectures``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..architectures import Architecture, _symmetry
from ._tokens import TokenLayout


@dataclass(frozen=True, eq=False)
class Frame:
    """A reversible change of rows.

    Parameters
    ----------
    mean, scale : Tensor ``(n_weights,)``
        A weight is centred on its own mean and divided by the spread of its layer.
    architecture : Architecture or None
    reference : Tensor ``(n_weights,)`` or None
        The row to whose hidden units all others' are matched; None leaves units where they are.
    """

    mean: Tensor
    scale: Tensor
    architecture: Architecture | None = None
    reference: Tensor | None = None

    @classmethod
    def fit(cls, rows: Tensor, layout: TokenLayout, architecture: Architecture | None) -> "Frame":
        """Choose the reference and the scales from rows ``(n_models, n_weights)``.

        The reference is the row of largest norm: its units differ most from each other. An
        ``architecture`` of None means no alignment.
        """
        reference = None
        if architecture is not None:
            reference = rows[rows.norm(dim=1).argmax()].clone()
            rows = rows.gather(1, _alignment(architecture, rows, reference))
        mean = rows.double().mean(0)
        layers = torch.from_numpy(layout.layer_of_column)
        n_layers = int(layers.max()) + 1
        variance = torch.zeros(n_layers, dtype=torch.float64)
        variance.index_add_(0, layers, (rows - mean).square().mean(0))
        variance /= torch.bincount(layers, minlength=n_layers)
        spread = variance.sqrt()
        spread[spread <= torch.finfo(torch.float32).eps * mean.abs().max()] = 1.0
        return cls(mean.float(), spread[layers].float(), architecture, reference)

    def enter(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return rows in the frame, and the order of columns that leads back to where they were."""
        columns = None
        if self.architecture is not None and self.reference is not None:
            columns = _alignment(self.architecture, rows, self.reference)
            rows = rows.gather(1, columns)
        return (rows - self.mean) / self.scale, columns

    def leave(self, rows: Tensor, columns: Tensor | None = None) -> Tensor:
        """Undo ``enter``; without ``columns`` hidden units stay in the reference's order."""
        rows = self.mean + self.scale * rows
        return rows if columns is None else torch.empty_like(rows).scatter_(1, columns, rows)


def _alignment(architecture: Architecture, rows: Tensor, reference: Tensor) -> Tensor:
    """Return ``(n_models, n_weights)`` int64: the column that comes to each place once aligned.

    It does not depend on the order in which a model's units are.
    """
    groups = architecture.permutation_groups
    anchor = architecture.parameters(reference[None])
    columns = architecture.parameters(torch.arange(architecture.n_weights).repeat(len(rows), 1))
    orders = _symmetry.aligned_orders(architecture.parameters(rows), groups, anchor)
    return architecture.rows(_symmetry.permute_units(columns, groups, orders))
