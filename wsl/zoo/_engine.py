"""The training loop: a chunk of models trained in one pass of batched products.

Plain torch, one device, one process. How models are cut into chunks lives in ``_train``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..architectures import Architecture
from ._losses import LOSSES
from ._optimizers import OPTIMIZERS
from ._perceptron import Perceptron

GATHER_BYTES = 2**22

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
    def perceptron(self) -> Perceptron | None:
        """The architecture's fast form, where it has one."""
        return Perceptron.of(self.architecture)


@dataclass
class Chunk:
    """Models that are trained together, all on the same number of samples.

    ``inputs`` ``(n_sets, n_samples, ...)``, ``targets`` and ``environments`` hold one set for each
    model or, where ``n_sets`` is 1, one for all. The other arrays hold one entry for each model.
    """

    weights: Tensor
    inputs: Tensor
    targets: Tensor
    environments: Tensor | None
    learning_rate: Tensor
    weight_decay: Tensor
    stop_at_loss: Tensor
    rngs: list[np.random.Generator]


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
    optimizer = OPTIMIZERS[recipe.optimizer](chunk.learning_rate, chunk.weight_decay)
    active = torch.arange(n_models, device=chunk.weights.device)
    losses = torch.full((n_models,), torch.nan, device=chunk.weights.device)
    for epoch in range(recipe.epochs + 1):
        if epoch > 0:
            losses = _train_epoch(recipe, chunk, optimizer)
        stopped = losses < chunk.stop_at_loss
        for place, checkpoint in enumerate(recipe.checkpoints):
            reached = stopped if epoch < checkpoint else torch.ones_like(stopped)
            if epoch <= checkpoint and reached.any():
                _record(
                    trained, place, active[reached], chunk.weights[reached], losses[reached], epoch
                )
        if stopped.any():
            kept = torch.nonzero(~stopped).flatten()
            active = active[kept]
            optimizer.select(kept)
            _select(chunk, kept)
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


def _select(chunk: Chunk, kept: Tensor) -> None:
    for name in ("weights", "learning_rate", "weight_decay", "stop_at_loss"):
        setattr(chunk, name, getattr(chunk, name)[kept])
    chunk.rngs = [chunk.rngs[i] for i in kept.tolist()]
    for name in ("inputs", "targets", "environments"):
        value = getattr(chunk, name)
        if value is not None and len(value) > 1:
            setattr(chunk, name, value[kept])


def _train_epoch(recipe: Recipe, chunk: Chunk, optimizer) -> Tensor:
    """Train one epoch and return each model's mean loss over the batches as they were trained."""
    n_models, n_samples = len(chunk.weights), chunk.inputs.shape[1]
    batch_size = min(recipe.batch_size or n_samples, n_samples)
    total = torch.zeros(n_models, device=chunk.weights.device)
    for batch in _batches(chunk, batch_size):
        risk, gradient = risk_and_gradient(recipe, chunk.weights, *batch)
        total += risk * batch[0].shape[1]
        optimizer.step(chunk.weights, gradient)
    return total / n_samples


def _batches(chunk: Chunk, batch_size: int):
    """Yield (inputs, targets, environments) of each batch, every model in an order of its own.

    Samples are put in order for several batches at once, as many as stay in the cache: model after
    model, which is faster than a little of each.
    """
    n_samples = chunk.inputs.shape[1]
    if batch_size == n_samples:
        yield chunk.inputs, chunk.targets, chunk.environments
        return
    order = np.stack([rng.permutation(n_samples) for rng in chunk.rngs])
    if len(chunk.inputs) > 1:
        order += np.arange(len(order))[:, None] * n_samples
    index = torch.from_numpy(order).to(chunk.inputs.device)
    sets = [chunk.inputs, chunk.targets, chunk.environments]
    flat = [None if values is None else values.flatten(0, 1) for values in sets]
    batch_bytes = 4 * batch_size * len(order) * chunk.inputs[0, 0].numel()
    n_together = max(1, GATHER_BYTES // batch_bytes)
    for rows in index.split(n_together * batch_size, dim=1):
        ordered = [
            None
            if values is None
            else values.index_select(0, rows.flatten()).unflatten(0, rows.shape)
            for values in flat
        ]
        for start in range(0, rows.shape[1], batch_size):
            yield tuple(
                None if values is None else values[:, start : start + batch_size]
                for values in ordered
            )


def risk_and_gradient(
    recipe: Recipe,
    weights: Tensor,
    inputs: Tensor,
    targets: Tensor,
    environments: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return mean losses ``(n_models,)`` and gradients of the objective ``(n_models, n_weights)``.

    The objective is the mean loss or, with a penalty, the mean over environments of the loss in
    each, plus ``penalty_weight`` times the penalty.
    """
    architecture = recipe.architecture
    targets = targets.expand(len(weights), *targets.shape[1:])
    if recipe.perceptron is not None:
        trace = recipe.perceptron.forward(weights, inputs)
        risk, delta = _output_gradient(recipe, trace[-1], targets, environments)
        return risk, recipe.perceptron.backward(weights, trace, delta)
    leaves = {
        name: p.detach().requires_grad_() for name, p in architecture.parameters(weights).items()
    }
    with torch.enable_grad():
        outputs = architecture.forward_parameters(leaves, inputs)
    risk, delta = _output_gradient(recipe, outputs.detach(), targets, environments)
    gradients = torch.autograd.grad(outputs, list(leaves.values()), delta)
    return risk, architecture.rows(dict(zip(leaves, gradients, strict=True)))


def _output_gradient(
    recipe: Recipe, outputs: Tensor, targets: Tensor, environments: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return each model's mean loss and the gradient of its objective in the outputs."""
    loss = LOSSES[recipe.loss]
    values, slope = loss.evaluate(outputs, targets)
    risk = values.mean(1)
    if recipe.penalty is None:
        return risk, slope / values.shape[1]
    assert environments is not None
    members = membership(environments)
    present = (members.sum(-1) > 0).sum(0)
    share = members.sum(0) / present[..., None]  # of each sample in the mean over environments
    outputs = outputs.requires_grad_()
    with torch.enable_grad():
        penalty = recipe.penalty(outputs, targets, members, loss).sum()
    (slope,) = torch.autograd.grad(penalty, outputs)
    delta = loss.gradient(outputs.detach(), targets) * share[..., None]
    return risk, delta + recipe.penalty_weight * slope


def membership(environments: Tensor) -> Tensor:
    """Return the share that each sample has in its environment's mean.

    Parameters
    ----------
    environments : Tensor ``(n_sets, n_samples)`` of int

    Returns
    -------
    Tensor ``(n_environments, n_sets, n_samples)``: 1 / (size of the environment) for its samples,
    0 for the others; all 0 where a set holds none of an environment.
    """
    labels = torch.arange(int(environments.max()) + 1, device=environments.device)
    members = (environments == labels[:, None, None]).float()
    return members / members.sum(-1, keepdim=True).clamp(min=1)
