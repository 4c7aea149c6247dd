"""The batches of an epoch, every model in an order of its own, as the network takes them.

Where the data comes from and how long an epoch is decided elsewhere.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

GATHER_BYTES = 2**22


class Batch(NamedTuple):
    """One batch of every model.

    ``x`` is ``(n_models or 1, n_features + 1, n_inputs)``, its last feature 1; ``targets`` is
    ``(n_models or 1, n_inputs, ...)``. With environments, ``members``, ``(n_environments, n_models
    or 1, n_inputs)``, is the share of each sample in its environment's mean, and ``share``,
    ``(n_models or 1, n_inputs)``, that in the mean over environments.
    """

    x: Tensor
    targets: Tensor
    members: Tensor | None
    share: Tensor | None


class Minibatches:
    """The training sets of a chunk, cut into batches.

    Parameters
    ----------
    inputs : Tensor ``(n_sets, n_samples, ...)``
        One set for each model, or one for all.
    targets : Tensor ``(n_sets, n_samples, ...)``
    environments : Tensor ``(n_sets, n_samples)`` of int, or None
    batch_size : int or None
        None, or as many as there are samples, is all of them in the order in which they came.
    """

    def __init__(
        self, inputs: Tensor, targets: Tensor, environments: Tensor | None, batch_size: int | None
    ):
        self.n_samples = inputs.shape[1]
        self.batch_size = min(batch_size or self.n_samples, self.n_samples)
        self._n_environments = 0 if environments is None else int(environments.max()) + 1
        self._n_features = inputs.flatten(2).shape[2]
        self._columns = targets.ndim > 2
        self._labels = targets.dtype == torch.int64
        x = inputs.flatten(2).mT
        parts = [
            x,
            torch.ones_like(x[:, :1]),
            targets.flatten(2).mT if self._columns else targets[:, None],
        ]
        if environments is not None:
            parts.append(environments[:, None])
        # all that belongs to a sample is one column: put in order at once, where it is needed
        self._table = torch.cat([part.to(x.dtype) for part in parts], dim=1)
        self._whole: Batch | None = None

    def select(self, kept: Tensor) -> None:
        """Keep the sets of the models in ``kept`` only."""
        self._whole = None
        if len(self._table) > 1:
            self._table = self._table[kept]

    def epoch(self, rngs: list[np.random.Generator]) -> Iterator[Batch]:
        """Yield the batches of one epoch, each model's in the order that its generator draws.

        Samples are put in order for several batches at once, as many as stay in the cache: model
        after model, which is faster than a little of each.
        """
        if self.batch_size == self.n_samples:
            if self._whole is None:
                self._whole = self._batch(self._table)
            yield self._whole
            return
        order = torch.from_numpy(np.stack([rng.permutation(self.n_samples) for rng in rngs]))
        order = order.to(self._table.device)
        table = self._table.expand(len(order), -1, -1)
        sample_bytes = table.element_size() * len(order) * table.shape[1]
        n_together = max(1, GATHER_BYTES // (sample_bytes * self.batch_size)) * self.batch_size
        for columns in order.split(n_together, dim=1):
            ordered = table.gather(2, columns[:, None].expand(-1, table.shape[1], -1))
            for batch in ordered.split(self.batch_size, dim=2):
                yield self._batch(batch)

    def _batch(self, table: Tensor) -> Batch:
        x, rest = table[:, : self._n_features + 1], table[:, self._n_features + 1 :]
        environments = None
        if self._n_environments:
            rest, environments = rest[:, :-1], rest[:, -1]
        targets = rest.mT if self._columns else rest[:, 0]
        if self._labels:
            targets = targets.long()
        if environments is None:
            return Batch(x, targets, None, None)
        members = membership(environments, self._n_environments)
        n_present = (members.amax(-1) > 0).sum(0)
        return Batch(x, targets, members, members.sum(0) / n_present[:, None])


def membership(environments: Tensor, n_environments: int) -> Tensor:
    """Return the share that each sample has in its environment's mean.

    Parameters
    ----------
    environments : Tensor ``(n_sets, n_samples)`` of whole numbers below ``n_environments``

    Returns
    -------
    Tensor ``(n_environments, n_sets, n_samples)``: 1 / (size of the environment) for its samples,
    0 for the others; all 0 where a set holds none of an environment.
    """
    labels = torch.arange(n_environments, device=environments.device)
    members = (environments[:, None] == labels[:, None]).float()  # a model's own lie together
    return (members / members.sum(-1, keepdim=True).clamp(min=1)).movedim(1, 0)
