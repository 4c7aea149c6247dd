"""Rows of weights with their hidden units in other orders, a few models at a time.

Which orders, and what moving units means for parameters, lives in ``_symmetry``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..._validation import check_rows, owned_tensor
from ._weight_matching import permute_units

if TYPE_CHECKING:
    from .._architecture import Architecture

REORDER_BYTES = 16 * 2**20

Orders = Callable[[dict[str, Tensor], slice], list[Tensor]]


def reorder_rows(architecture: "Architecture", weights, orders_of: Orders):
    """Permute the units of rows by the orders that ``orders_of(parameters, models)`` finds."""
    if not isinstance(weights, Tensor):
        weights = check_rows(weights, architecture.n_weights)
    size = max(1, REORDER_BYTES // (8 * architecture.n_weights))
    groups, moved = architecture.permutation_groups, []
    for start in range(0, max(1, len(weights)), size):
        models = slice(start, start + size)
        rows = weights[models]
        rows = rows if isinstance(rows, Tensor) else owned_tensor(rows)
        found = orders_of(architecture.parameters(rows.detach()), models)
        orders = [order.to(rows.device) for order in found]
        parameters = permute_units(architecture.parameters(rows), groups, orders)
        moved.append(architecture.rows(parameters))
    together = moved[0] if len(moved) == 1 else torch.cat(moved)
    return together if isinstance(weights, Tensor) else together.numpy()
