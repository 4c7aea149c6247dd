"""Early stopping: samples set aside, and each model's best weights by its loss on them.

The training loop lives in ``_engine``.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...exceptions import InvalidInputError
from ._datasets import Dataset, Split

VALIDATION = ("split", "environment")


@dataclass(frozen=True)
class EarlyStopping:
    """When models stop; see ``train_zoo``.

    ``validation`` is "split", samples of every environment, or "environment", whole ones.
    """

    validation: str
    validation_fraction: float
    n_iter_no_change: int

    def split(self, dataset: Dataset, seed: int) -> Split:
        """Return a set's samples for training and for validation, by a draw from a model's seed."""
        rng = np.random.default_rng([int(seed), 1])  # not the one of its start and its batches
        environments, weights = dataset[2], dataset[3]
        held_out = np.zeros(len(dataset[0]), bool)
        if self.validation == "environment":
            held_out = np.isin(environments, self._draw_environments(environments, rng))
        else:
            counted = np.ones(len(held_out), bool) if weights is None else weights > 0
            held_out[self._draw_samples(environments, counted, rng)] = True
        train, validation = (
            tuple(None if values is None else values[mask] for values in dataset)
            for mask in (~held_out, held_out)
        )
        return Split(train, validation)

    def _draw_environments(
        self, environments: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray:
        labels = np.unique([0] if environments is None else environments)
        if len(labels) < 2:
            raise InvalidInputError(
                "datasets hold one environment; with validation='environment', wanted at least two"
            )
        n_held_out = round(self.validation_fraction * len(labels))
        return rng.permutation(labels)[: min(max(n_held_out, 1), len(labels) - 1)]

    def _draw_samples(
        self, environments: np.ndarray | None, counted: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the indices of the fraction of each environment, of those that count."""
        labels = np.zeros(len(counted), int) if environments is None else environments
        drawn = []
        for label in np.unique(labels):
            places = rng.permutation(np.flatnonzero((labels == label) & counted))
            n_held_out = max(round(self.validation_fraction * len(places)), 1)
            drawn.append(places[: min(n_held_out, len(places) - 1)])
        indices = np.concatenate(drawn)
        if not len(indices):
            raise InvalidInputError(
                f"datasets hold a set of {counted.sum()} samples, none of which can be set aside; "
                "with early_stopping, wanted an environment with at least two"
            )
        return indices


class Best:
    """The best weights so far of each model that is still trained.

    ``loss`` and ``epoch`` are ``(n_models,)``, ``rows`` ``(n_models, n_weights)``: the validation
    loss, where it was reached, and the weights that did.
    """

    def __init__(self, rows: Tensor, n_iter_no_change: int):
        self.rows = rows
        self.loss = torch.full((len(rows),), torch.inf, device=rows.device)
        self.epoch = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        self._patience = n_iter_no_change
        self._waited = torch.zeros_like(self.epoch)

    def update(self, loss: Tensor, rows: Tensor, epoch: int, comparable: bool) -> None:
        """Take in an epoch's losses and weights.

        ``comparable`` is False where earlier losses were of another objective: these count then,
        and no model has waited.
        """
        better = loss < self.loss if comparable else torch.ones_like(loss, dtype=torch.bool)
        self.loss = loss.where(better, self.loss)
        self.rows = rows.where(better[:, None], self.rows)
        self.epoch = self.epoch.masked_fill(better, epoch)
        self._waited = (self._waited + 1).masked_fill(better, 0)

    @property
    def exhausted(self) -> Tensor:
        """Whether a model has been waiting for as long as it may, ``(n_models,)``."""
        return self._waited >= self._patience

    def select(self, kept: Tensor) -> None:
        """Keep the models in ``kept`` only."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[kept])
