"""Loss and accuracy of trained models on a set of their own or a shared one.

Plain torch. Which sets, and what is recorded, is decided in ``_chunk``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ._datasets import Dataset, by_size
from ._loop import TrainingConfig
from ._losses import LOSSES

EVALUATION_BYTES = 2**23


@dataclass
class Scores:
    """Mean loss and share of right predictions, ``(n_checkpoints, n_models)``; none in regression.

    A model whose outputs are not finite has no accuracy: NaN.
    """

    loss: np.ndarray
    accuracy: np.ndarray | None


def evaluate(
    recipe: TrainingConfig, weights: np.ndarray, sets: Sequence[Dataset], device: torch.device
) -> Scores:
    """Evaluate ``weights`` ``(n_checkpoints, n_models, n_weights)`` on one set a model, or one."""
    loss = np.empty(weights.shape[:2], np.float32)
    accuracy = np.empty(weights.shape[:2])
    targets_of, n_outputs = LOSSES[recipe.loss].targets, recipe.architecture.n_outputs
    for places, own in by_size(sets, weights.shape[1]):
        inputs = torch.tensor(np.stack([X for X, *_ in own]), device=device)
        targets = torch.stack([targets_of(y, n_outputs) for _, y, *_ in own]).to(device)
        for checkpoint, rows in enumerate(weights):
            scored = _score(recipe, torch.tensor(rows[places], device=device), inputs, targets)
            loss[checkpoint, places], accuracy[checkpoint, places] = scored
    return Scores(loss, None if recipe.loss == "mse" else accuracy)


@torch.no_grad()
def _score(
    recipe: TrainingConfig, weights: Tensor, inputs: Tensor, targets: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and accuracy ``(n_models,)``; as many outputs at a time as bounded memory takes.

    ``inputs`` ``(n_sets, n_samples, ...)`` and ``targets`` are one for each model, or one for all.
    """
    numbers = EVALUATION_BYTES // (4 * recipe.architecture.forward_pass.activation_size)
    n_samples = min(inputs.shape[1], max(1, numbers))
    n_models = max(1, numbers // n_samples)
    value = LOSSES[recipe.loss].value
    total, right = torch.zeros(2, len(weights), device=weights.device)
    for start in range(0, len(weights), n_models):
        models = slice(start, start + n_models)
        own = slice(None) if len(inputs) == 1 else models
        for X, y in zip(
            inputs[own].split(n_samples, 1), targets[own].split(n_samples, 1), strict=True
        ):
            outputs = recipe.architecture.forward_pass.forward_each(weights[models], X)
            y = y.expand(len(outputs), *y.shape[1:])
            total[models] += value(outputs, y).sum(1)
            right[models] += _n_right(recipe.loss, outputs, y)
    loss = (total / inputs.shape[1]).cpu().numpy()
    return loss, right.cpu().numpy().astype(np.float64) / inputs.shape[1]


def _n_right(loss: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return how many samples each model predicts rightly, NaN where outputs are not finite."""
    if loss == "cross_entropy":
        right = outputs.argmax(-1) == targets
    else:
        right = ((outputs > 0) == (targets > 0)).float().mean(-1)
    finite = outputs.isfinite().all(-1).all(-1)
    return right.float().sum(1).where(finite, torch.nan)
