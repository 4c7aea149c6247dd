"""The batches of an epoch, in a random order per model, as the network takes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

GATHER_BYTES = 2**22


@dataclass
class Samples:
    """Sets of samples, one per model or one for all.

    ``inputs`` is ``(n_sets, n_samples, ...)``. ``environments`` ``(n_sets, n_samples)`` are whole
    numbers; ``weights``, of that shape, are sample weights, equal for None.
    """

    inputs: Tensor
    targets: Tensor
    environments: Tensor | None = None
    weights: Tensor | None = None


class Batch(NamedTuple):
    """One batch of every model.

    ``x`` is ``(n_models or 1, n_features + 1, n_inputs)``, its last feature 1; ``targets`` is
    ``(n_models or 1, n_inputs, ...)``. ``weights``, ``(n_models or 1, n_inputs)``, are sample
    weights, and ``mean_weights`` the weight of each sample in the mean that is minimized; both are
    None where all are equal. With environments that is the mean over environments of the mean in
    each, and ``members``, ``(n_environments, n_models or 1, n_inputs)``, holds the weight of each
    sample in the mean of each environment.
    """

    x: Tensor
    targets: Tensor
    weights: Tensor | None
    members: Tensor | None
    mean_weights: Tensor | None


class Minibatches:
    """The training sets of a chunk, cut into batches.

    Parameters
    ----------
    samples : Samples
        One set per model, or one for all.
    batch_size : int or None
        With None, or at least as many as there are samples, a batch is all of them in their order.
    """

    def __init__(self, samples: Samples, batch_size: int | None):
        inputs, targets, environments = samples.inputs, samples.targets, samples.environments
        self.n_samples = inputs.shape[1]
        self.batch_size = min(batch_size or self.n_samples, self.n_samples)
        self._n_environments = 0 if environments is None else int(environments.max()) + 1
        self._n_features = inputs.flatten(2).shape[2]
        self._has_weights = samples.weights is not None
        self._has_columns = targets.ndim > 2
        self._has_labels = targets.dtype == torch.int64
        x = inputs.flatten(2).mT
        parts = [
            x,
            torch.ones_like(x[:, :1]),
            targets.flatten(2).mT if self._has_columns else targets[:, None],
        ]
        for values in (samples.weights, environments):
            if values is not None:
                parts.append(values[:, None])
        # everything about a sample is one column, so that one gather puts a batch in order
        self._table = torch.cat([part.to(x.dtype) for part in parts], dim=1)
        self._whole: Batch | None = None

    def select(self, models: Tensor) -> None:
        """Keep the sets of the models with the given indices only."""
        self._whole = None
        if len(self._table) > 1:
            self._table = self._table[models]

    def whole(self) -> Batch:
        """Return all samples as one batch, in their order."""
        if self._whole is None:
            self._whole = self._batch(self._table)
        return self._whole

    def epoch(self, rngs: list[np.random.Generator]) -> Iterator[Batch]:
        """Yield the batches of one epoch, each model's in an order that its generator draws.

        Samples are put in order for as many batches at once as stay in the cache, which is faster
        than batch by batch.
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
        """Split the columns ``(n_models or 1, n_rows, n_inputs)`` of samples into a batch."""
        x, rest = table[:, : self._n_features + 1], table[:, self._n_features + 1 :]
        environments = weights = None
        if self._n_environments:
            rest, environments = rest[:, :-1], rest[:, -1]
        if self._has_weights:
            rest, weights = rest[:, :-1], rest[:, -1]
        targets = rest.mT if self._has_columns else rest[:, 0]
        if self._has_labels:
            targets = targets.long()
        if environments is None:
            return Batch(
                x, targets, weights, None, None if weights is None else _normalized(weights)
            )
        members = membership(environments, self._n_environments, weights)
        n_present = (members.amax(-1) > 0).sum(0).clamp(min=1)
        return Batch(x, targets, weights, members, members.sum(0) / n_present[:, None])


def membership(environments: Tensor, n_environments: int, weights: Tensor | None = None) -> Tensor:
    """Return the weight of each sample in the mean of each environment.

    Parameters
    ----------
    environments : Tensor of shape (n_sets, n_samples)
        Whole numbers below ``n_environments``.
    n_environments : int
        How many environments there are.
    weights : Tensor of shape (n_sets, n_samples), optional
        Sample weights, equal by default.

    Returns
    -------
    Tensor of shape (n_environments, n_sets, n_samples)
        A sample's weight divided by the total of its environment, 0 for other environments. All 0
        where a set has no sample of an environment.
    """
    labels = torch.arange(n_environments, device=environments.device)
    inside = environments[:, None] == labels[:, None]  # those of a model are contiguous
    members = inside.float() if weights is None else inside * weights[:, None]
    return _normalized(members).movedim(1, 0)


def _normalized(weights: Tensor) -> Tensor:
    """Return weights divided by their sum over the last axis; 0 where all are 0."""
    total = weights.sum(-1, keepdim=True)
    return weights / total.where(total > 0, 1)
