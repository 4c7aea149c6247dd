"""The batches of an epoch, every model in an order of its own, as the network takes them.

Where the data comes from and how long an epoch is decided elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

GATHER_BYTES = 2**22


@dataclass
class Samples:
    """Sets of samples: ``inputs`` ``(n_sets, n_samples, ...)``, and what belongs to them.

    There is one set for each model, or one for all. ``environments`` ``(n_sets, n_samples)`` are
    whole numbers, ``weights`` of that shape say how much each sample counts; None, alike.
    """

    inputs: Tensor
    targets: Tensor
    environments: Tensor | None = None
    weights: Tensor | None = None


class Batch(NamedTuple):
    """One batch of every model.

    ``x`` is ``(n_models or 1, n_features + 1, n_inputs)``, its last feature 1; ``targets`` is
    ``(n_models or 1, n_inputs, ...)``. ``weights``, ``(n_models or 1, n_inputs)``, say how much
    each sample counts, and ``share`` is that of each in the mean that is minimised; None where all
    are equal. With environments that mean is the one over environments of the mean in each, in
    which a sample has the share ``members``, ``(n_environments, n_models or 1, n_inputs)``.
    """

    x: Tensor
    targets: Tensor
    weights: Tensor | None
    members: Tensor | None
    share: Tensor | None


class Minibatches:
    """The training sets of a chunk, cut into batches.

    Parameters
    ----------
    samples : Samples
    batch_size : int or None
        None, or as many as there are samples, is all of them in the order in which they came.
    """

    def __init__(self, samples: Samples, batch_size: int | None):
        inputs, targets, environments = samples.inputs, samples.targets, samples.environments
        self.n_samples = inputs.shape[1]
        self.batch_size = min(batch_size or self.n_samples, self.n_samples)
        self._n_environments = 0 if environments is None else int(environments.max()) + 1
        self._n_features = inputs.flatten(2).shape[2]
        self._weighs = samples.weights is not None
        self._columns = targets.ndim > 2
        self._labels = targets.dtype == torch.int64
        x = inputs.flatten(2).mT
        parts = [
            x,
            torch.ones_like(x[:, :1]),
            targets.flatten(2).mT if self._columns else targets[:, None],
        ]
        for own in (samples.weights, environments):
            if own is not None:
                parts.append(own[:, None])
        # all that belongs to a sample is one column: put in order at once, where it is needed
        self._table = torch.cat([part.to(x.dtype) for part in parts], dim=1)
        self._whole: Batch | None = None

    def select(self, kept: Tensor) -> None:
        """Keep the sets of the models in ``kept`` only."""
        self._whole = None
        if len(self._table) > 1:
            self._table = self._table[kept]

    def whole(self) -> Batch:
        """Return all samples as one batch, in the order in which they came."""
        if self._whole is None:
            self._whole = self._batch(self._table)
        return self._whole

    def epoch(self, rngs: list[np.random.Generator]) -> Iterator[Batch]:
        """Yield the batches of one epoch, each model's in the order that its generator draws.

        Samples are put in order for several batches at once, as many as stay in the cache: model
        after model, which is faster than a little of each.
        """
        if self.batch_size == self.n_samples:
            yield self.whole()
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
        environments = weights = None
        if self._n_environments:
            rest, environments = rest[:, :-1], rest[:, -1]
        if self._weighs:
            rest, weights = rest[:, :-1], rest[:, -1]
        targets = rest.mT if self._columns else rest[:, 0]
        if self._labels:
            targets = targets.long()
        if environments is None:
            return Batch(x, targets, weights, None, None if weights is None else _shares(weights))
        members = membership(environments, self._n_environments, weights)
        n_present = (members.amax(-1) > 0).sum(0).clamp(min=1)
        return Batch(x, targets, weights, members, members.sum(0) / n_present[:, None])


def membership(environments: Tensor, n_environments: int, weights: Tensor | None = None) -> Tensor:
    """Return the share that each sample has in its environment's mean.

    Parameters
    ----------
    environments : Tensor ``(n_sets, n_samples)`` of whole numbers below ``n_environments``
    weights : Tensor ``(n_sets, n_samples)``, optional
        How much each sample counts; by default alike.

    Returns
    -------
    Tensor ``(n_environments, n_sets, n_samples)``: a sample's part of the weight of its
    environment, 0 for the others; all 0 where a set holds none of an environment.
    """
    labels = torch.arange(n_environments, device=environments.device)
    inside = environments[:, None] == labels[:, None]  # a model's own lie together
    members = inside.float() if weights is None else inside * weights[:, None]
    return _shares(members).movedim(1, 0)


def _shares(weights: Tensor) -> Tensor:
    """Return weights as parts of their sum over the last axis; 0 where all are 0."""
    total = weights.sum(-1, keepdim=True)
    return weights / total.where(total > 0, 1)
