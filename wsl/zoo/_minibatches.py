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
        self.inputs, self.targets, self.environments = inputs.flatten(2), targets, environments
        self.n_samples = inputs.shape[1]
        self.batch_size = min(batch_size or self.n_samples, self.n_samples)
        self._n_environments = 0 if environments is None else int(environments.max()) + 1
        self._whole: Batch | None = None

    def select(self, kept: Tensor) -> None:
        """Keep the sets of the models in ``kept`` only."""
        self._whole = None
        if len(self.inputs) > 1:
            self.inputs, self.targets = self.inputs[kept], self.targets[kept]
            if self.environments is not None:
                self.environments = self.environments[kept]

    def epoch(self, rngs: list[np.random.Generator]) -> Iterator[Batch]:
        """Yield the batches of one epoch, each model's in the order that its generator draws.

        Samples are put in order for several batches at once, as many as stay in the cache: model
        after model, which is faster than a little of each.
        """
        if self.batch_size == self.n_samples:
            if self._whole is None:
                x = _features_first(self.inputs)
                self._whole = self._batch(x, self.targets, self.environments)
            yield self._whole
            return
        index = self._orders(rngs)
        sample_bytes = 4 * len(index) * self.inputs.shape[2]
        n_together = max(1, GATHER_BYTES // (sample_bytes * self.batch_size)) * self.batch_size
        for rows in index.split(n_together, dim=1):
            ordered = [
                None
                if values is None
                else values.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, rows.shape)
                for values in (self.inputs, self.targets, self.environments)
            ]
            x = _features_first(ordered[0])
            for start in range(0, rows.shape[1], self.batch_size):
                part = slice(start, start + self.batch_size)
                yield self._batch(
                    x[:, :, part], *(None if v is None else v[:, part] for v in ordered[1:])
                )

    def _orders(self, rngs: list[np.random.Generator]) -> Tensor:
        order = np.stack([rng.permutation(self.n_samples) for rng in rngs])
        if len(self.inputs) > 1:
            order += np.arange(len(order))[:, None] * self.n_samples
        return torch.from_numpy(order).to(self.inputs.device)

    def _batch(self, x: Tensor, targets: Tensor, environments: Tensor | None) -> Batch:
        if environments is None:
            return Batch(x, targets, None, None)
        members = membership(environments, self._n_environments)
        n_present = (members.sum(-1) > 0).sum(0)
        return Batch(x, targets, members, members.sum(0) / n_present[:, None])


def _features_first(inputs: Tensor) -> Tensor:
    """Return ``(n_sets, n_inputs, n_features)`` as ``(n_sets, n_features + 1, n_inputs)``."""
    n_sets, n_inputs, n_features = inputs.shape
    x = inputs.new_ones(n_sets, n_features + 1, n_inputs)
    x[:, :n_features] = inputs.mT
    return x


def membership(environments: Tensor, n_environments: int) -> Tensor:
    """Return the share that each sample has in its environment's mean.

    Parameters
    ----------
    environments : Tensor ``(n_sets, n_samples)`` of int below ``n_environments``

    Returns
    -------
    Tensor ``(n_environments, n_sets, n_samples)``: 1 / (size of the environment) for its samples,
    0 for the others; all 0 where a set holds none of an environment.
    """
    labels = torch.arange(n_environments, device=environments.device)
    members = (environments == labels[:, None, None]).float()
    return members / members.sum(-1, keepdim=True).clamp(min=1)
