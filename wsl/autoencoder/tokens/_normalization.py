"""The normalization of rows: hidden units in one order, weights centred and scaled by layer."""

from dataclasses import dataclass

from torch import Tensor, nn

from ...architectures import Architecture
from ._unit_order import Alignment, Orders, Ranking, reorder


@dataclass(frozen=True, eq=False)
class Normalization:
    """A reversible change of rows.

    Parameters
    ----------
    mean : Tensor ``(n_weights,)``
        Subtracted from each weight.
    scale : Tensor ``(n_weights,)``
        Standard deviation of the weights of a layer, by which they are divided.
    ordering : Alignment, Ranking or None
        How hidden units are ordered; None leaves them where they are.
    """

    mean: Tensor
    scale: Tensor
    ordering: Alignment | Ranking | None = None

    @property
    def architecture(self) -> Architecture | None:
        """Architecture of the rows; None where units are not ordered."""
        return None if self.ordering is None else self.ordering.architecture

    def orders(self, rows: Tensor) -> Orders:
        """Return the orders of the hidden units of rows, ``(n_models, n_units)`` per group."""
        return () if self.ordering is None else self.ordering.orders(rows)

    def transform(self, rows: Tensor, orders: Orders) -> Tensor:
        """Return normalized rows, given the orders of their units."""
        return (reorder(self.architecture, rows, orders) - self.mean) / self.scale

    def inverse_transform(self, rows: Tensor, orders: Orders = ()) -> Tensor:
        """Undo ``transform``; without ``orders`` hidden units stay in the normalized order."""
        rows = self.mean + self.scale * rows
        return reorder(self.architecture, rows, [order.argsort(1) for order in orders])


class Scaling(nn.Module):
    """Mean and scale of a normalization as a module, which moves between devices."""

    def __init__(self, normalization: Normalization):
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", normalization.mean)
        self.register_buffer("scale", normalization.scale)

    def transform(self, weights: Tensor) -> Tensor:
        """Scale weights ``(n_models, n_weights)`` whose units are ordered."""
        return (weights - self.mean) / self.scale

    def inverse_transform(self, rows: Tensor) -> Tensor:
        """Return the weights of normalized rows ``(n_models, n_weights)``."""
        return self.mean + self.scale * rows
