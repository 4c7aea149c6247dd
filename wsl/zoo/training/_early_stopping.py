"""Early stopping: held-out samples, and each model's best weights by its loss on them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...exceptions import InvalidInputError
from ._datasets import Dataset, Split

VALIDATION = ("split", "environment")


@dataclass(frozen=True)
class EarlyStopping:
    """The arguments of ``train_zoo`` that say which samples to hold out and when to stop."""

    validation: str
    validation_fraction: float
    n_iter_no_change: int

    def split(self, dataset: Dataset, seed: int) -> Split:
        """Return a dataset's samples for training and validation, drawn from a model's seed."""
        rng = np.random.default_rng([int(seed), 1])  # differs from that of its start and batches
        environments, weights = dataset[2], dataset[3]
        held_out = np.zeros(len(dataset[0]), bool)
        if self.validation == "environment":
            held_out = np.isin(environments, self._draw_environments(environments, rng))
        else:
            positive = np.ones(len(held_out), bool) if weights is None else weights > 0
            held_out[self._draw_samples(environments, positive, rng)] = True
        train, validation = (
            tuple(None if values is None else values[mask] for values in dataset)
            for mask in (~held_out, held_out)
        )
        return Split(train, validation)

    def _draw_environments(
        self, environments: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the labels of the environments to hold out."""
        labels = np.unique([0] if environments is None else environments)
        if len(labels) < 2:
            raise InvalidInputError(
                "`datasets` must hold at least two environments with validation='environment'; got "
                "one."
            )
        n_held_out = round(self.validation_fraction * len(labels))
        return rng.permutation(labels)[: min(max(n_held_out, 1), len(labels) - 1)]

    def _draw_samples(
        self, environments: np.ndarray | None, positive: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the indices of a fraction of each environment, of samples of positive weight."""
        labels = np.zeros(len(positive), int) if environments is None else environments
        drawn = []
        for label in np.unique(labels):
            shuffled = rng.permutation(np.flatnonzero((labels == label) & positive))
            n_held_out = max(round(self.validation_fraction * len(shuffled)), 1)
            drawn.append(shuffled[: min(n_held_out, len(shuffled) - 1)])
        indices = np.concatenate(drawn)
        if not len(indices):
            raise InvalidInputError(
                "`datasets` must hold an environment of at least two samples with early_stopping; "
                f"got a dataset of {positive.sum()} samples, none of which can be held out."
            )
        return indices


class BestWeights:
    """The best weights so far of each model that is still trained.

    ``rows`` ``(n_models, n_weights)`` are the weights of least validation loss, ``loss`` and
    ``epoch`` ``(n_models,)`` that loss and the epoch at which it was reached.
    """

    def __init__(self, rows: Tensor, n_iter_no_change: int):
        self.rows = rows
        self.loss = torch.full((len(rows),), torch.inf, device=rows.device)
        self.epoch = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        self._patience = n_iter_no_change
        self._waited = torch.zeros_like(self.epoch)

    def update(self, loss: Tensor, rows: Tensor, epoch: int, comparable: bool) -> None:
        """Update with the losses and weights of an epoch.

        ``comparable`` is False where earlier losses were of another objective: then the new ones
        replace them, and the count of epochs without improvement starts again.
        """
        better = loss < self.loss if comparable else torch.ones_like(loss, dtype=torch.bool)
        self.loss = loss.where(better, self.loss)
        self.rows = rows.where(better[:, None], self.rows)
        self.epoch = self.epoch.masked_fill(better, epoch)
        self._waited = (self._waited + 1).masked_fill(better, 0)

    @property
    def exhausted(self) -> Tensor:
        """Whether a model has not improved for ``n_iter_no_change`` epochs, ``(n_models,)``."""
        return self._waited >= self._patience

    def select(self, models: Tensor) -> None:
        """Keep the models with the given indices only."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[models])
