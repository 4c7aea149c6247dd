"""The training loop: a skorch net that minimises the objective, its schedule, split and history."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, LRScheduler, PassthroughScoring
from skorch.history import History
from torch import nn
from torch.utils.data import Dataset, Subset

from ..._skorch_net import InterruptibleNet
from ..tokens._dataset import NormalizedRows, as_collated
from ._autoencoder_objective import LOSS_NAMES, AutoencoderObjective
from ._checkpoint import EpochCheckpoint
from ._network import TokenAutoencoder

GRADIENT_NORM = 1.0
WARM_UP = 0.1
WEIGHT_DECAY = 3e-9


class WeightSpaceNet(InterruptibleNet):
    """A skorch net that rebuilds its input; its criterion is an ``AutoencoderObjective``."""

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Compute the gradient of the objective on a batch of rows ``(n_models, n_weights)``."""
        self._set_training(True)
        losses = self._losses(batch, training=True)
        losses["total"].backward()
        nn.utils.clip_grad_norm_(self.module_.parameters(), GRADIENT_NORM)
        return {"loss": losses["total"], "y_pred": None}

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Compute the objective on a batch of held-out rows."""
        self._set_training(False)
        with torch.no_grad():
            losses = self._losses(batch, training=False)
        return {"loss": losses["total"], "y_pred": None}

    def _losses(self, batch: Any, training: bool) -> dict[str, torch.Tensor]:
        rows = batch[0].to(self.device)
        losses = self.criterion_(self.module_, rows, training=training)
        prefix = "train" if training else "valid"
        for name, value in losses.items():
            self.history.record_batch(f"{prefix}_{name}", value.item())
        return losses


@dataclass(frozen=True)
class RowSplit:
    """A train and validation split by row indices, in the form that skorch takes."""

    held_out: tuple[int, ...]

    def __call__(self, dataset: Any, y: Any = None, **kwargs: Any) -> tuple[Dataset, Dataset]:
        """Split a dataset of rows."""
        training = np.setdiff1d(np.arange(len(dataset)), self.held_out)
        return Subset(dataset, training.tolist()), Subset(dataset, list(self.held_out))


@dataclass(frozen=True)
class AutoencoderTrainingConfig:
    """How a call trains.

    Parameters
    ----------
    epochs : int
        Passes over the training rows.
    batch_size : int
        Models per step.
    learning_rate : float
        The highest rate.
    decays : bool
        Whether the rate warms up and falls along a cosine; otherwise it stays constant.
    callbacks : sequence
        skorch callbacks.
    verbose : int
        Verbosity of skorch.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    decays: bool
    callbacks: Sequence[Any]
    verbose: int


class CosineSchedule(Callback):
    """Sets the learning rate before each step: a linear warm-up, then a cosine.

    Parameters
    ----------
    n_steps : int
        Steps of this training.
    n_before : int
        Steps of earlier trainings that it continues.
    """

    def __init__(self, n_steps: int, n_before: int):
        self.n_steps, self.n_before = n_steps, n_before

    def on_train_begin(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Count the steps that a resumed training has taken."""
        self.step_ = n_steps_done(net) - self.n_before

    def on_batch_begin(
        self, net: NeuralNet, batch: Any = None, training: bool | None = None, **kwargs: Any
    ) -> None:
        """Set the rate of a training step."""
        if training:
            for group in net.optimizer_.param_groups:
                group["lr"] = net.lr * warm_up_and_cosine(self.step_, self.n_steps)
            self.step_ += 1


def train(
    network: TokenAutoencoder,
    objective: AutoencoderObjective,
    rows: NormalizedRows,
    held_out: np.ndarray,
    config: AutoencoderTrainingConfig,
    device: torch.device,
    previous: WeightSpaceNet | None = None,
    checkpoint: EpochCheckpoint | None = None,
) -> WeightSpaceNet:
    """Train the network and return its net.

    Parameters
    ----------
    network : TokenAutoencoder
        Trained in place.
    objective : AutoencoderObjective
        The loss.
    rows : NormalizedRows
        All rows.
    held_out : ndarray of int
        Indices of rows that are not trained on.
    config : AutoencoderTrainingConfig
        How to train.
    device : torch.device
        Where to train.
    previous : WeightSpaceNet, optional
        A training of the same network to continue, with its history and optimizer moments.
    checkpoint : EpochCheckpoint, optional
        Written after each epoch; training continues from it where it exists.
    """
    n_before = 0 if previous is None else n_steps_done(previous)
    callbacks = _callbacks(config, len(rows) - len(held_out), len(held_out) > 0, n_before)
    if checkpoint is not None:
        callbacks.append(("checkpoint", checkpoint))
    net = _build_net(network, objective, held_out, config, callbacks, device)
    net.initialize()
    if previous is not None:
        net.history_ = History(previous.history)
        state = copy.deepcopy(previous.optimizer_.state_dict()["state"])
        groups = net.optimizer_.state_dict()["param_groups"]
        net.optimizer_.load_state_dict({"state": state, "param_groups": groups})
    n_epochs_before = len(net.history)
    if checkpoint is not None:
        checkpoint.restore(net)
    return net.partial_fit(rows, None, epochs=config.epochs + n_epochs_before - len(net.history))


def n_steps_done(net: NeuralNet) -> int:
    """Return how many steps a net has taken, by its history."""
    return sum(row.get("train_batch_count", 0) for row in net.history)


def sets_learning_rate(callbacks: Sequence[Any]) -> bool:
    """Return True if one of skorch's callbacks, given as skorch takes them, is an LRScheduler."""
    plain = [callback[1] if isinstance(callback, tuple) else callback for callback in callbacks]
    return any(isinstance(one, LRScheduler) or one is LRScheduler for one in plain)


def _callbacks(
    config: AutoencoderTrainingConfig, n_training: int, validates: bool, n_before: int
) -> list[Any]:
    prefixes = ("train", "valid") if validates else ("train",)
    names = [f"{prefix}_{name}" for prefix in prefixes for name in LOSS_NAMES]
    callbacks: list[Any] = [
        (name, PassthroughScoring(name, on_train=name.startswith("train"))) for name in names
    ]
    if config.decays:
        n_steps = max(1, config.epochs * -(-n_training // config.batch_size))
        callbacks.append(("schedule", CosineSchedule(n_steps, n_before)))
    return callbacks


def _build_net(
    network: TokenAutoencoder,
    objective: AutoencoderObjective,
    held_out: np.ndarray,
    config: AutoencoderTrainingConfig,
    callbacks: Sequence[Any],
    device: torch.device,
) -> WeightSpaceNet:
    """Return a net, ready to fit, with AdamW."""
    return WeightSpaceNet(
        network,
        criterion=objective,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=WEIGHT_DECAY,
        lr=config.learning_rate,
        batch_size=config.batch_size,
        iterator_train__shuffle=True,
        iterator_train__collate_fn=as_collated,
        iterator_train__generator=objective.generator,
        iterator_valid__collate_fn=as_collated,
        iterator_valid__generator=objective.generator,  # a loader draws a seed for its workers
        train_split=RowSplit(tuple(held_out.tolist())) if len(held_out) else None,
        callbacks=[*callbacks, *config.callbacks],
        device=str(device),
        verbose=config.verbose,
    )


def warm_up_and_cosine(step: int, n_steps: int) -> float:
    """Return the learning rate of a step over the highest: a linear rise, half a cosine down."""
    rise = max(1.0, WARM_UP * n_steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    fraction = min(1.0, (step - rise) / max(1.0, n_steps - rise))
    return 0.5 * (1.0 + math.cos(math.pi * fraction))


def read_history(net: WeightSpaceNet) -> list[dict[str, float]]:
    """Return one dict per epoch with each loss, before its scale; nan where a term was off."""
    return [
        {"epoch": int(row["epoch"])}
        | {
            f"{prefix}_{name}": float(row.get(f"{prefix}_{name}", np.nan))
            for prefix in ("train", "valid")
            for name in LOSS_NAMES
        }
        for row in net.history
    ]
