"""The normalized rows of a zoo, read by index or in batches of bounded memory."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ... import _batches
from ..._batches import column_moments, map_rows, row_slices
from ..._validation import owned_tensor
from ._normalization import Normalization
from ._tokens import TokenLayout
from ._unit_order import Alignment, Orders, Ranking, reorder

Ordering = Alignment | Ranking | None


class NormalizedRows(Dataset):
    """A torch dataset of normalized rows.

    Normalized rows are computed from ``rows`` at each access, until ``cache`` keeps them. The
    orders of their units, which are costly, are always kept.

    Parameters
    ----------
    rows : ndarray ``(n_models, n_weights)`` float32
        The rows before normalization; may be a read-only memory map.
    normalization : Normalization
        Order of units, mean and scale.
    orders : sequence of Tensor ``(n_models, n_units)``
        For each group of units, the order in each model.
    row_bytes : int
        Working memory per row.
    """

    def __init__(
        self, rows: np.ndarray, normalization: Normalization, orders: Orders, row_bytes: int
    ):
        self.rows, self.normalization = rows, normalization
        self.orders, self.row_bytes = orders, row_bytes
        self._cached: Tensor | None = None

    @classmethod
    def fit(
        cls, rows: np.ndarray, training: np.ndarray, layout: TokenLayout, ordering: Ordering
    ) -> "NormalizedRows":
        """Fit mean and scale to the rows with indices ``training``, and normalize all rows."""
        row_bytes = working_bytes(layout, ordering)
        orders = _all_orders(rows, ordering, row_bytes)
        architecture = None if ordering is None else ordering.architecture

        def reordered() -> Iterator[np.ndarray]:
            for part in row_slices(len(training), row_bytes):
                indices = training[part]
                batch = owned_tensor(rows[indices])
                yield reorder(architecture, batch, _orders_of(orders, indices)).numpy()

        mean, variance = map(torch.from_numpy, column_moments(reordered))
        scale = layer_deviations(mean, variance, layout)
        return cls(rows, Normalization(mean.float(), scale, ordering), orders, row_bytes)

    @classmethod
    def transform(
        cls, rows: np.ndarray, layout: TokenLayout, normalization: Normalization
    ) -> "NormalizedRows":
        """Normalize rows with a normalization that is fitted already."""
        row_bytes = working_bytes(layout, normalization.ordering)
        orders = _all_orders(rows, normalization.ordering, row_bytes)
        return cls(rows, normalization, orders, row_bytes)

    def cache(self) -> "NormalizedRows":
        """Keep all normalized rows in memory where they take at most ``CACHE_BYTES``."""
        if self.rows.nbytes <= _batches.CACHE_BYTES:
            cached = torch.empty(self.rows.shape)
            for part in row_slices(len(cached), self.row_bytes):
                cached[part] = self.take(part)
            self._cached = cached
        return self

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rows, targets = self.__getitems__([index])
        return rows[0], targets[0]

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        """Return a batch ``(n_batch, n_weights)``, and zeros in place of targets."""
        return self.take(np.asarray(indices)), torch.zeros(len(indices), 1)

    def take(self, indices: np.ndarray | slice) -> Tensor:
        """Return the rows with these indices, ``(n_indices, n_weights)``."""
        if self._cached is not None:
            return self._cached[indices]
        rows = owned_tensor(self.rows[indices])
        return self.normalization.transform(rows, _orders_of(self.orders, indices))

    def batches(
        self, indices: np.ndarray | None = None, row_bytes: int | None = None
    ) -> Iterator[Tensor]:
        """Yield the rows with these indices, by default all, in batches of bounded memory."""
        n_rows = len(self) if indices is None else len(indices)
        for part in row_slices(n_rows, row_bytes or self.row_bytes):
            yield self.take(part if indices is None else indices[part])


def working_bytes(layout: TokenLayout, ordering: Ordering) -> int:
    """Return the memory per row of its tokens and of ordering its units."""
    return 4 * layout.columns.size + (0 if ordering is None else ordering.row_bytes)


def as_collated(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return a batch unchanged: ``__getitems__`` has joined its rows."""
    return batch


def largest_row(rows: np.ndarray, training: np.ndarray) -> Tensor:
    """Return the training row of largest norm, the first of several."""
    norms = map_rows(lambda batch: owned_tensor(batch).norm(dim=1).numpy(), rows)
    return owned_tensor(rows[training[norms[training].argmax()]])


def layer_deviations(mean: Tensor, variance: Tensor, layout: TokenLayout) -> Tensor:
    """Return the standard deviation of each column's layer ``(n_weights,)``; 1 where it is 0."""
    layers = torch.from_numpy(layout.layer_of_column)
    by_layer = torch.zeros(layout.n_layers, dtype=torch.float64).index_add_(0, layers, variance)
    deviations = (by_layer / torch.bincount(layers, minlength=layout.n_layers)).sqrt()
    deviations[deviations <= torch.finfo(torch.float32).eps * mean.abs().max()] = 1.0
    return deviations[layers].float()


def _all_orders(rows: np.ndarray, ordering: Ordering, row_bytes: int) -> Orders:
    """Return the orders of all rows, in the smallest integer type that holds them."""
    if ordering is None:
        return ()
    # allocated beforehand: small results kept between large batches would fragment the heap
    orders = [
        torch.empty(
            len(rows), group.n_units, dtype=torch.int16 if group.n_units < 2**15 else torch.int32
        )
        for group in ordering.architecture.permutation_groups
    ]
    for part in row_slices(len(rows), row_bytes):
        batch = ordering.orders(owned_tensor(rows[part]))
        for order, batch_order in zip(orders, batch, strict=True):
            order[part] = batch_order
    return orders


def _orders_of(orders: Orders, indices: np.ndarray | slice) -> Orders:
    return [order[indices].long() for order in orders]
