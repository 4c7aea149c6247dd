"""The training loop: a skorch net whose step is the objective's, its schedule, split and history.

The objective lives in ``_objective``; scikit-learn's side in ``_estimator``.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, PassthroughScoring
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


class WeightSpaceNet(InterruptibleNet):
    """A skorch net trained to rebuild its input; its criterion is an ``AutoencoderObjective``."""

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take the gradient of the objective on one batch of rows ``(n_models, n_weights)``."""
        self._set_training(True)
        losses = self._losses(batch, training=True)
        losses["total"].backward()
        nn.utils.clip_grad_norm_(self.module_.parameters(), GRADIENT_NORM)
        return {"loss": losses["total"], "y_pred": None}

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Compute the objective on one batch of held-out rows."""
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
    """A train and validation split by given rows, in the form that skorch takes."""

    held_out: tuple[int, ...]

    def __call__(self, dataset: Any, y: Any = None, **kwargs: Any) -> tuple[Dataset, Dataset]:
        """Split a dataset of rows."""
        kept = np.setdiff1d(np.arange(len(dataset)), self.held_out)
        return Subset(dataset, kept.tolist()), Subset(dataset, list(self.held_out))


@dataclass(frozen=True)
class AutoencoderTrainingConfig:
    """What a user chooses about training; ``schedule`` is "cosine" or "constant"."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    schedule: str
    callbacks: Sequence[Any]
    mixed_precision: bool
    compiled: bool
    verbose: int


class RateSchedule(Callback):
    """Sets the learning rate before each step.

    Parameters
    ----------
    n_steps : int
        Of this training, from first to last.
    n_before : int
        Of the trainings that it goes on from.
    """

    def __init__(self, n_steps: int, n_before: int):
        self.n_steps, self.n_before = n_steps, n_before

    def on_train_begin(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Find out how far a resumed training has come."""
        self.step_ = n_steps_done(net) - self.n_before

    def on_batch_begin(
        self, net: NeuralNet, batch: Any = None, training: bool | None = None, **kwargs: Any
    ) -> None:
        """Set the rate where the batch is trained on."""
        if training:
            for group in net.optimizer_.param_groups:
                group["lr"] = net.lr * warm_up_and_cosine(self.step_, self.n_steps)
            self.step_ += 1


def train(
    network: TokenAutoencoder,
    objective: AutoencoderObjective,
    rows: NormalizedRows,
    held_out: np.ndarray,
    settings: AutoencoderTrainingConfig,
    device: torch.device,
    previous: WeightSpaceNet | None = None,
    checkpoint: EpochCheckpoint | None = None,
) -> WeightSpaceNet:
    """Train the network and return its net.

    Parameters
    ----------
    held_out : int array
        Rows that are not trained on.
    previous : WeightSpaceNet, optional
        A training of the same network to go on from: its history and its optimizer's moments stay.
    checkpoint : EpochCheckpoint, optional
        Written after each epoch; where it is there already, training goes on from it.
    """
    n_before = 0 if previous is None else n_steps_done(previous)
    net = _build_net(
        network, objective, len(rows), held_out, settings, n_before, checkpoint, device
    )
    net.initialize()
    if previous is not None:
        net.history_ = History(previous.history)
        state = copy.deepcopy(previous.optimizer_.state_dict()["state"])
        groups = net.optimizer_.state_dict()["param_groups"]
        net.optimizer_.load_state_dict({"state": state, "param_groups": groups})
    n_epochs_before = len(net.history)
    if checkpoint is not None:
        checkpoint.restore(net)
    network.prepare(settings.mixed_precision, settings.compiled)
    return net.partial_fit(rows, None, epochs=settings.epochs + n_epochs_before - len(net.history))


def n_steps_done(net: NeuralNet) -> int:
    """Return how many steps a net has taken, by its history."""
    return sum(row.get("train_batch_count", 0) for row in net.history)


def _build_net(
    network: TokenAutoencoder,
    objective: AutoencoderObjective,
    n_rows: int,
    held_out: np.ndarray,
    settings: AutoencoderTrainingConfig,
    n_before: int,
    checkpoint: EpochCheckpoint | None,
    device: torch.device,
) -> WeightSpaceNet:
    """Return a net, ready to fit, on AdamW."""
    callbacks = list(_recorders(bool(len(held_out))))
    if settings.schedule == "cosine":
        n_steps = max(1, settings.epochs * -(-(n_rows - len(held_out)) // settings.batch_size))
        callbacks.append(("schedule", RateSchedule(n_steps, n_before)))
    if checkpoint is not None:
        callbacks.append(("checkpoint", checkpoint))
    return WeightSpaceNet(
        network,
        criterion=objective,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=settings.weight_decay,
        lr=settings.learning_rate,
        batch_size=settings.batch_size,
        iterator_train__shuffle=True,
        iterator_train__collate_fn=as_collated,
        iterator_train__generator=objective.generator,
        iterator_valid__collate_fn=as_collated,
        iterator_valid__generator=objective.generator,  # each draws a seed, if only for its workers
        train_split=RowSplit(tuple(held_out.tolist())) if len(held_out) else None,
        callbacks=[*callbacks, *settings.callbacks],
        device=str(device),
        verbose=settings.verbose,
    )


def warm_up_and_cosine(step: int, n_steps: int) -> float:
    """Return the learning rate of a step over the highest: a linear rise, half a cosine down."""
    rise = max(1.0, WARM_UP * n_steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    share = min(1.0, (step - rise) / max(1.0, n_steps - rise))
    return 0.5 * (1.0 + math.cos(math.pi * share))


def _recorders(validates: bool) -> list[tuple[str, Callback]]:
    prefixes = ("train", "valid") if validates else ("train",)
    names = [f"{prefix}_{name}" for prefix in prefixes for name in LOSS_NAMES]
    return [(name, PassthroughScoring(name, on_train=name.startswith("train"))) for name in names]


def read_history(net: WeightSpaceNet) -> list[dict[str, float]]:
    """Return one dict an epoch with each loss, before its scale; nan where a term was off."""
    return [
        {"epoch": int(row["epoch"])}
        | {
            f"{prefix}_{name}": float(row.get(f"{prefix}_{name}", np.nan))
            for prefix in ("train", "valid")
            for name in LOSS_NAMES
        }
        for row in net.history
    ]
