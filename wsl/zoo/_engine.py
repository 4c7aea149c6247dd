"""The training loop: a chunk of models trained in one pass of batched products.

Plain torch, one device, one process. What a worker does around it lives in ``_chunk``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..architectures import Architecture
from ._dropout import Dropout
from ._losses import LOSSES
from ._minibatches import Batch, Minibatches
from ._network import Blueprint, Network
from ._optimizers import OPTIMIZERS, Optimizer

Penalty = Callable[..., Tensor]


@dataclass(frozen=True)
class Recipe:
    """How models are trained; the same for every model of a zoo."""

    architecture: Architecture
    loss: str
    epochs: int
    batch_size: int | None
    optimizer: str
    penalty: Penalty | None
    penalty_weight: float
    checkpoints: tuple[int, ...]

    @cached_property
    def blueprint(self) -> Blueprint:
        """How the architecture is trained."""
        return Blueprint(self.architecture)


@dataclass
class Chunk:
    """Models that are trained together, all on the same number of samples.

    ``inputs`` ``(n_sets, n_samples, ...)``, ``targets`` and ``environments`` hold one set for each
    model or, where ``n_sets`` is 1, one for all. The other values hold one entry for each model;
    ``dropout`` is its probability in every dropout layer, or None for the layers' own.
    """

    weights: Tensor
    inputs: Tensor
    targets: Tensor
    environments: Tensor | None
    learning_rate: Tensor
    weight_decay: Tensor
    stop_at_loss: Tensor
    seeds: np.ndarray
    rngs: list[np.random.Generator]
    dropout: Tensor | None = None


@dataclass
class Trained:
    """Weights ``(n_checkpoints, n_models, n_weights)``, and the epoch and training loss of each."""

    weights: np.ndarray
    epoch: np.ndarray
    loss: np.ndarray


def train_chunk(recipe: Recipe, chunk: Chunk) -> Trained:
    """Train the models of a chunk and return them at every checkpoint.

    A model that reaches its ``stop_at_loss`` leaves the chunk; its later checkpoints repeat the
    weights that it left with.
    """
    n_models, n_weights = chunk.weights.shape
    n_checkpoints = len(recipe.checkpoints)
    trained = Trained(
        np.empty((n_checkpoints, n_models, n_weights), np.float32),
        np.zeros((n_checkpoints, n_models), np.int64),
        np.full((n_checkpoints, n_models), np.nan, np.float32),
    )
    run = _Run(recipe, chunk)
    active = torch.arange(n_models, device=chunk.weights.device)
    losses = torch.full((n_models,), torch.nan, device=chunk.weights.device)
    for epoch in range(recipe.epochs + 1):
        if epoch > 0:
            losses = run.epoch()
        stopped = losses < run.stop_at_loss
        for place, checkpoint in enumerate(recipe.checkpoints):
            reached = stopped if epoch < checkpoint else torch.ones_like(stopped)
            if epoch <= checkpoint and reached.any():
                rows = run.rows()[reached]
                _record(trained, place, active[reached], rows, losses[reached], epoch)
        if stopped.any():
            kept = torch.nonzero(~stopped).flatten()
            active = active[kept]
            run.select(kept)
        if not len(active):
            break
    return trained


def _record(
    trained: Trained, place: int, models: Tensor, weights: Tensor, losses: Tensor, epoch: int
) -> None:
    index = models.cpu().numpy()
    trained.weights[place, index] = weights.cpu().numpy()
    trained.loss[place, index] = losses.cpu().numpy()
    trained.epoch[place, index] = epoch


class _Run:
    """The models of a chunk that are still trained, and all that changes while they are."""

    def __init__(self, recipe: Recipe, chunk: Chunk):
        self._recipe, self._layout = recipe, recipe.blueprint.layout
        self._weights = self._layout.pack(chunk.weights)
        rate, decay = chunk.learning_rate.flatten(), chunk.weight_decay.flatten()
        self._optimizer: Optimizer = OPTIMIZERS[recipe.optimizer](
            self._layout.spread(rate), self._layout.spread(decay)
        )
        environments = None if recipe.penalty is None else chunk.environments
        self._data = Minibatches(chunk.inputs, chunk.targets, environments, recipe.batch_size)
        self._dropout = Dropout(chunk.seeds, chunk.dropout, chunk.weights.device)
        self._rngs = chunk.rngs
        self.stop_at_loss = chunk.stop_at_loss
        self._bind()

    def _bind(self) -> None:
        self._gradient = torch.zeros_like(self._weights)
        self._networks: dict[int, Network] = {}

    def _network(self, n_inputs: int) -> Network:
        if n_inputs not in self._networks:
            self._networks[n_inputs] = self._recipe.blueprint.bind(
                self._weights, self._gradient, n_inputs, self._dropout
            )
        return self._networks[n_inputs]

    def rows(self) -> Tensor:
        """Return the weights as rows ``(n_models, n_weights)``."""
        return self._layout.unpack(self._weights)

    def select(self, kept: Tensor) -> None:
        """Go on with the models in ``kept`` only."""

        def take(flat: Tensor) -> Tensor:
            return self._layout.select(flat, kept)

        self._weights = take(self._weights)
        self._optimizer.select(take)
        self._data.select(kept)
        self._dropout.select(kept)
        self._rngs = [self._rngs[i] for i in kept.tolist()]
        self.stop_at_loss = self.stop_at_loss[kept]
        self._bind()

    def epoch(self) -> Tensor:
        """Train one epoch; return each model's mean loss over the batches as they were trained."""
        total = torch.zeros(len(self._rngs), device=self._weights.device)
        for batch in self._data.epoch(self._rngs):
            n_inputs = batch.x.shape[2]
            network = self._network(n_inputs)
            outputs = network.forward(batch.x).mT
            risk, delta = output_gradient(self._recipe, outputs, batch)
            network.backward(delta.mT)
            self._optimizer.step(self._weights, self._gradient)
            self._dropout.step += 1
            total += risk * n_inputs
        return total / self._data.n_samples


def output_gradient(recipe: Recipe, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return each model's mean loss and the gradient of its objective in the outputs.

    The objective is the mean loss or, with a penalty, the mean over environments of the loss in
    each, plus ``penalty_weight`` times the penalty. ``outputs`` is ``(n_models, n_inputs,
    n_outputs)``.
    """
    loss = LOSSES[recipe.loss]
    targets = batch.targets.expand(len(outputs), *batch.targets.shape[1:])
    values, slope = loss.evaluate(outputs, targets)  # (n_models, n_inputs), as outputs
    risk = values.mean(1)
    if recipe.penalty is None:
        return risk, slope / values.shape[1]
    assert batch.members is not None
    assert batch.share is not None
    leaf = outputs.detach().requires_grad_()
    with torch.enable_grad():
        penalty = recipe.penalty(leaf, targets, batch.members, loss)
    weight = penalty.new_tensor(recipe.penalty_weight).expand_as(penalty)
    (steep,) = torch.autograd.grad(penalty, leaf, weight)
    return risk, torch.addcmul(steep, slope, batch.share[..., None])
