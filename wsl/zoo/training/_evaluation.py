"""Loss and accuracy of trained models, each on its own dataset or all on a shared one."""

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
    """Mean loss and accuracy, each ``(n_checkpoints, n_models)``; no accuracy in regression.

    The accuracy of a model whose outputs are not finite is NaN.
    """

    loss: np.ndarray
    accuracy: np.ndarray | None


def evaluate(
    config: TrainingConfig, weights: np.ndarray, sets: Sequence[Dataset], device: torch.device
) -> Scores:
    """Evaluate ``weights`` ``(n_checkpoints, n_models, n_weights)`` on a set per model, or one."""
    loss = np.empty(weights.shape[:2], np.float32)
    accuracy = np.empty(weights.shape[:2])
    targets_of, n_outputs = LOSSES[config.loss].targets, config.architecture.n_outputs
    for models, datasets in by_size(sets, weights.shape[1]):
        inputs = torch.tensor(np.stack([X for X, *_ in datasets]), device=device)
        targets = torch.stack([targets_of(y, n_outputs) for _, y, *_ in datasets]).to(device)
        for checkpoint, rows in enumerate(weights):
            scores = _score(config, torch.tensor(rows[models], device=device), inputs, targets)
            loss[checkpoint, models], accuracy[checkpoint, models] = scores
    return Scores(loss, None if config.loss == "mse" else accuracy)


@torch.no_grad()
def _score(
    config: TrainingConfig, weights: Tensor, inputs: Tensor, targets: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and accuracy ``(n_models,)``, from batches whose outputs take bounded memory.

    ``inputs`` ``(n_sets, n_samples, ...)`` and ``targets`` hold one set per model, or one for all.
    """
    n_outputs = EVALUATION_BYTES // (4 * config.architecture.forward_pass.activation_size)
    n_samples = min(inputs.shape[1], max(1, n_outputs))
    n_models = max(1, n_outputs // n_samples)
    value = LOSSES[config.loss].value
    total, correct = torch.zeros(2, len(weights), device=weights.device)
    for start in range(0, len(weights), n_models):
        models = slice(start, start + n_models)
        sets = slice(None) if len(inputs) == 1 else models
        for X, y in zip(
            inputs[sets].split(n_samples, 1), targets[sets].split(n_samples, 1), strict=True
        ):
            outputs = config.architecture.forward_pass.forward_each(weights[models], X)
            y = y.expand(len(outputs), *y.shape[1:])
            total[models] += value(outputs, y).sum(1)
            correct[models] += _n_correct(config.loss, outputs, y)
    loss = (total / inputs.shape[1]).cpu().numpy()
    return loss, correct.cpu().numpy().astype(np.float64) / inputs.shape[1]


def _n_correct(loss: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return each model's number of correct predictions, NaN where outputs are not finite."""
    if loss == "cross_entropy":
        correct = outputs.argmax(-1) == targets
    else:
        correct = ((outputs > 0) == (targets > 0)).float().mean(-1)
    finite = outputs.isfinite().all(-1).all(-1)
    return correct.float().sum(1).where(finite, torch.nan)
