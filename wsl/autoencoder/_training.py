"""The training loop: a skorch net whose step is the objective's, its schedule, split and history.

The objective lives in ``_objective``; scikit-learn's side in ``_estimator``.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import LRScheduler, PassthroughScoring
from torch import nn
from torch.utils.data import Dataset, Subset

from ._objective import LOSS_NAMES, Objective
from ._rows import as_collated

GRADIENT_NORM = 1.0
WARM_UP = 0.1


class WeightSpaceNet(NeuralNet):
    """A skorch net that learns to rebuild its input; its criterion is an ``Objective``."""

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


def build_net(
    network: nn.Module,
    objective: Objective,
    *,
    n_training: int,
    held_out: np.ndarray,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    callbacks: Any,
    device: torch.device,
    verbose: int,
) -> WeightSpaceNet:
    """Return a net, ready to fit: AdamW, its rate warmed up and then lowered to zero."""
    n_steps = max(1, epochs * -(-n_training // batch_size))
    schedule = LRScheduler(
        torch.optim.lr_scheduler.LambdaLR,
        step_every="batch",
        lr_lambda=partial(warm_up_and_cosine, n_steps=n_steps),
    )
    own = [("schedule", schedule), *_recorders(bool(len(held_out)))]
    return WeightSpaceNet(
        network,
        criterion=objective,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=weight_decay,
        lr=learning_rate,
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        iterator_train__collate_fn=as_collated,
        iterator_train__generator=objective.generator,
        iterator_valid__collate_fn=as_collated,
        iterator_valid__generator=objective.generator,  # each draws a seed, if only for its workers
        train_split=RowSplit(tuple(held_out.tolist())) if len(held_out) else None,
        callbacks=[*own, *(callbacks or [])],
        device=str(device),
        verbose=verbose,
    )


def warm_up_and_cosine(step: int, n_steps: int) -> float:
    """Return the learning rate of a step over the highest: a linear rise, half a cosine down."""
    rise = max(1.0, WARM_UP * n_steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    share = min(1.0, (step - rise) / max(1.0, n_steps - rise))
    return 0.5 * (1.0 + math.cos(math.pi * share))


def _recorders(validates: bool) -> list[tuple[str, PassthroughScoring]]:
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
