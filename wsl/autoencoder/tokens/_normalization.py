"""The frame in which rows are encoded: hidden units in one order, weights scaled.

How units are ordered lives in ``_orders``, rows of a whole zoo in ``_rows``.
"""

from dataclasses import dataclass

from torch import Tensor

from ...architectures import Architecture
from ._unit_order import Alignment, Orders, Ranking, reorder


@dataclass(frozen=True, eq=False)
class Normalization:
    """A reversible change of rows.

    Parameters
    ----------
    mean, scale : Tensor ``(n_weights,)``
        A weight is centred on its own mean and divided by the spread of its layer.
    ordering : Alignment, Ranking or None
        None leaves hidden units where they are.
    """

    mean: Tensor
    scale: Tensor
    ordering: Alignment | Ranking | None = None

    @property
    def architecture(self) -> Architecture | None:
        """Of the rows, where their units are ordered."""
        return None if self.ordering is None else self.ordering.architecture

    def orders(self, rows: Tensor) -> Orders:
        """Return which unit of each row comes to each place, ``(n_models, n_units)`` by group."""
        return () if self.ordering is None else self.ordering.orders(rows)

    def enter(self, rows: Tensor, orders: Orders) -> Tensor:
        """Return rows in the frame, given their orders."""
        return (reorder(self.architecture, rows, orders) - self.mean) / self.scale

    def leave(self, rows: Tensor, orders: Orders = ()) -> Tensor:
        """Undo ``enter``; without ``orders`` hidden units stay in the frame's order."""
        rows = self.mean + self.scale * rows
        return reorder(self.architecture, rows, [order.argsort(1) for order in orders])
