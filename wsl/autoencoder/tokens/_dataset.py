"""The rows of a zoo in the frame of an autoencoder, read by index or in batches of bounded bytes.

The frame itself lives in ``_frame``; what is learned from the rows, in ``_codec`` and the network.
"""

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


class NormalizedRows(Dataset):
    """A data set of rows in the frame, as torch takes it.

    After ``keep`` rows in the frame stand ready where they take at most ``CACHE_BYTES``. Otherwise
    they are read from ``rows`` each time; the orders of their units, which are costly, are kept.

    Parameters
    ----------
    rows : ndarray ``(n_models, n_weights)`` float32
        As they come; it may be a read-only memory map.
    frame : Frame
    orders : tensors ``(n_models, n_units)``, one for each group of units
    row_bytes : int
        What work on one row takes.
    """

    def __init__(self, rows: np.ndarray, frame: Normalization, orders: Orders, row_bytes: int):
        self.rows, self.frame, self.orders, self.row_bytes = rows, frame, orders, row_bytes
        self._kept: Tensor | None = None

    def keep(self) -> "NormalizedRows":
        """Bring all rows into the frame once, where they take little memory."""
        if self.rows.nbytes <= _batches.CACHE_BYTES:
            kept = torch.empty(self.rows.shape)
            for part in row_slices(len(kept), self.row_bytes):
                kept[part] = self.take(part)
            self._kept = kept
        return self

    @classmethod
    def fit(
        cls,
        rows: np.ndarray,
        training: np.ndarray,
        layout: TokenLayout,
        ordering: Alignment | Ranking | None,
    ) -> "NormalizedRows":
        """Choose the frame from the rows with indices ``training``, and bring all rows into it."""
        row_bytes = working_bytes(layout, ordering)
        orders = _all_orders(rows, ordering, row_bytes)
        architecture = None if ordering is None else ordering.architecture

        def aligned() -> Iterator[np.ndarray]:
            for part in row_slices(len(training), row_bytes):
                own = training[part]
                yield reorder(architecture, owned_tensor(rows[own]), _at(orders, own)).numpy()

        mean, variance = map(torch.from_numpy, column_moments(aligned))
        frame = Normalization(mean.float(), _spread(mean, variance, layout), ordering)
        return cls(rows, frame, orders, row_bytes)

    @classmethod
    def enter(cls, rows: np.ndarray, layout: TokenLayout, frame: Normalization) -> "NormalizedRows":
        """Bring rows into a frame that is there already."""
        row_bytes = working_bytes(layout, frame.ordering)
        orders = _all_orders(rows, frame.ordering, row_bytes)
        return cls(rows, frame, orders, row_bytes)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rows, targets = self.__getitems__([index])
        return rows[0], targets[0]

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        """Return a batch ``(n_batch, n_weights)``, and zeros in the place of targets."""
        return self.take(np.asarray(indices)), torch.zeros(len(indices), 1)

    def take(self, indices: np.ndarray | slice) -> Tensor:
        """Return the rows with these indices, ``(n_indices, n_weights)``."""
        if self._kept is not None:
            return self._kept[indices]
        return self.frame.enter(owned_tensor(self.rows[indices]), _at(self.orders, indices))

    def batches(
        self, indices: np.ndarray | None = None, row_bytes: int | None = None
    ) -> Iterator[Tensor]:
        """Yield the rows with these indices, by default all, in batches of bounded bytes."""
        n_rows = len(self) if indices is None else len(indices)
        for part in row_slices(n_rows, row_bytes or self.row_bytes):
            yield self.take(part if indices is None else indices[part])


def working_bytes(layout: TokenLayout, ordering: Alignment | Ranking | None) -> int:
    """Return what one row takes: its tokens, and what ordering its units takes."""
    return 4 * layout.columns.size + (0 if ordering is None else ordering.row_bytes)


def as_collated(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return a batch as it comes: ``__getitems__`` has joined its rows."""
    return batch


def largest_row(rows: np.ndarray, training: np.ndarray) -> Tensor:
    """Return the training row of largest norm, the first of several."""
    norms = map_rows(lambda batch: owned_tensor(batch).norm(dim=1).numpy(), rows)
    return owned_tensor(rows[training[norms[training].argmax()]])


def _all_orders(rows: np.ndarray, ordering: Alignment | Ranking | None, row_bytes: int) -> Orders:
    """Order all rows; the orders are kept in the smallest type that holds them."""
    if ordering is None:
        return ()
    # laid out beforehand: small results kept between large batches would tear the heap to pieces
    orders = [
        torch.empty(
            len(rows), group.n_units, dtype=torch.int16 if group.n_units < 2**15 else torch.int32
        )
        for group in ordering.architecture.permutation_groups
    ]
    for part in row_slices(len(rows), row_bytes):
        found = ordering.orders(owned_tensor(rows[part]))
        for order, own in zip(orders, found, strict=True):
            order[part] = own
    return orders


def _at(orders: Orders, indices: np.ndarray | slice) -> Orders:
    return [order[indices].long() for order in orders]


def _spread(mean: Tensor, variance: Tensor, layout: TokenLayout) -> Tensor:
    """Return the spread of each column's layer ``(n_weights,)``; 1 where it does not vary."""
    layers = torch.from_numpy(layout.layer_of_column)
    n_layers = int(layers.max()) + 1
    by_layer = torch.zeros(n_layers, dtype=torch.float64).index_add_(0, layers, variance)
    spread = (by_layer / torch.bincount(layers, minlength=n_layers)).sqrt()
    spread[spread <= torch.finfo(torch.float32).eps * mean.abs().max()] = 1.0
    return spread[layers].float()
