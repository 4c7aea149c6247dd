"""The frame in which rows are encoded: hidden units in a reference's order, weights scaled.

How units are matched lives in ``wsl.architectures``, rows of a whole zoo in ``_rows``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..architectures import Architecture, _symmetry

Orders = Sequence[Tensor]


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

    def orders(self, rows: Tensor) -> Orders:
        """Return which unit of each row comes to each place, ``(n_models, n_units)`` by group."""
        return match_units(self.architecture, rows, self.reference)

    def enter(self, rows: Tensor, orders: Orders) -> Tensor:
        """Return rows in the frame, given their orders."""
        return (reorder(self.architecture, rows, orders) - self.mean) / self.scale

    def leave(self, rows: Tensor, orders: Orders = ()) -> Tensor:
        """Undo ``enter``; without ``orders`` hidden units stay in the reference's order."""
        rows = self.mean + self.scale * rows
        return reorder(self.architecture, rows, [order.argsort(1) for order in orders])


def match_units(
    architecture: Architecture | None, rows: Tensor, reference: Tensor | None
) -> Orders:
    """Return the orders that align rows ``(n_models, n_weights)`` to a reference; none without one.

    It does not depend on the order in which a model's units are.
    """
    if architecture is None or reference is None:
        return ()
    groups = architecture.permutation_groups
    anchor = architecture.parameters(reference[None])
    return _symmetry.aligned_orders(architecture.parameters(rows), groups, anchor)


def reorder(architecture: Architecture | None, rows: Tensor, orders: Orders) -> Tensor:
    """Return rows with their hidden units in the given orders."""
    if architecture is None or not orders:
        return rows
    groups = architecture.permutation_groups
    return architecture.rows(
        _symmetry.permute_units(architecture.parameters(rows), groups, list(orders))
    )
