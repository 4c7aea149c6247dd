"""Training losses for a batch of models, each with its derivatives in the outputs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..._validation import as_real_array, owned_tensor
from ...exceptions import InvalidInputError


@dataclass(frozen=True)
class TrainingLoss:
    """A loss of outputs ``(n_models, n_inputs, n_outputs)`` and targets.

    Derivatives in the outputs are in closed form, so that training needs no autograd for them, and
    penalties on gradients need no second backward pass.

    Attributes
    ----------
    name : str
        The name in ``LOSSES``.
    evaluate : callable
        Maps ``(outputs, targets)`` to the values ``(n_models, n_inputs)`` and the gradient in the
        outputs, which has their shape.
    gradient : callable
        Maps ``(outputs, targets)`` to that gradient alone.
    curvature : callable
        Maps ``(outputs, direction)`` to the second derivative in the outputs times a direction of
        their shape; it does not depend on the targets.
    targets : callable
        Maps ``(y, n_outputs)`` to the targets of one model: ``(n_inputs, n_outputs)`` float32, or
        labels ``(n_inputs,)`` int64.
    """

    name: str
    evaluate: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    gradient: Callable[[Tensor, Tensor], Tensor]
    curvature: Callable[[Tensor, Tensor], Tensor]
    targets: Callable[[np.ndarray, int], Tensor]

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss on each input, ``(n_models, n_inputs)``."""
        return self.evaluate(outputs, targets)[0]


def _over_outputs(values: Tensor) -> Tensor:
    """Return the mean over the last axis; a single output skips torch's mean, which is slow."""
    return values[..., 0] if values.shape[-1] == 1 else values.mean(-1)


def _float_targets(y: np.ndarray, n_outputs: int) -> Tensor:
    columns = as_real_array(y, "y").reshape(len(y), -1)
    if columns.shape[1] != n_outputs:
        raise InvalidInputError(
            f"`y` must have {n_outputs} columns, as the architecture has {n_outputs} outputs; got "
            f"{columns.shape[1]}."
        )
    return owned_tensor(columns)


def _binary_targets(y: np.ndarray, n_outputs: int) -> Tensor:
    if not np.isin(y, (0, 1)).all():
        raise InvalidInputError(
            f"`y` must be labels 0 and 1 with loss='binary'; got {np.unique(y)[:5]}."
        )
    return _float_targets(y, n_outputs)


def _class_targets(y: np.ndarray, n_outputs: int) -> Tensor:
    if y.shape == (len(y), 1):
        y = y[:, 0]
    if y.ndim != 1 or not np.isin(y, np.arange(n_outputs)).all():
        values = np.unique(y)
        raise InvalidInputError(
            f"`y` must be whole labels from 0 to {n_outputs - 1}, one per sample, with "
            f"loss='cross_entropy'; got {values[0]} to {values[-1]} with shape {y.shape}."
        )
    return torch.from_numpy(y.astype(np.int64))


def _mean_squared_error(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    difference = outputs - targets
    return _over_outputs(difference.square()), difference * (2 / outputs.shape[-1])


def _cross_entropy(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    # over the middle axis: over a short last one, torch's softmax is many times slower
    log_p = outputs.mT.contiguous().log_softmax(1)
    labels = targets[:, None]
    gradient = log_p.exp().scatter_add(1, labels, log_p.new_full(labels.shape, -1))
    return -log_p.gather(1, labels)[:, 0], gradient.mT


def _cross_entropy_curvature(outputs: Tensor, direction: Tensor) -> Tensor:
    p = outputs.mT.contiguous().softmax(1).mT
    along = p * direction
    return along - p * along.sum(-1, keepdim=True)


def _binary(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    values = F.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return _over_outputs(values), (outputs.sigmoid() - targets) / outputs.shape[-1]


def _binary_curvature(outputs: Tensor, direction: Tensor) -> Tensor:
    p = outputs.sigmoid()
    return p * (1 - p) * direction / outputs.shape[-1]


LOSSES = {
    "mse": TrainingLoss(
        "mse",
        _mean_squared_error,
        lambda outputs, targets: (outputs - targets) * (2 / outputs.shape[-1]),
        lambda outputs, direction: direction * (2 / outputs.shape[-1]),
        _float_targets,
    ),
    "cross_entropy": TrainingLoss(
        "cross_entropy",
        _cross_entropy,
        lambda outputs, targets: _cross_entropy(outputs, targets)[1],
        _cross_entropy_curvature,
        _class_targets,
    ),
    "binary": TrainingLoss(
        "binary",
        _binary,
        lambda outputs, targets: (outputs.sigmoid() - targets) / outputs.shape[-1],
        _binary_curvature,
        _binary_targets,
    ),
}


def resolve_loss(name: str, y: np.ndarray, n_outputs: int) -> str:
    """Return the loss that ``"auto"`` stands for: regression of floats, else classification.

    Floats count as classes where a network of several outputs has one target per sample, a class.
    """
    if name != "auto":
        return name
    y = np.asarray(y)
    is_class = n_outputs > 1 and y.size == len(y) and np.isin(y, np.arange(n_outputs)).all()
    if y.dtype.kind == "f" and not is_class:
        return "mse"
    return "binary" if n_outputs == 1 else "cross_entropy"
