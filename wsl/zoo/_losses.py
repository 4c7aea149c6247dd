"""Training losses for a batch of models, each with its gradient in the outputs.

Plain torch. What a loss is added up over, and any penalty, is decided elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..exceptions import InvalidInputError


@dataclass(frozen=True)
class Loss:
    """A loss of outputs ``(n_models, n_inputs, n_outputs)`` against targets of its own form.

    ``value`` gives ``(n_models, n_inputs)``; ``gradient``, its derivative in the outputs, has their
    shape. It is in closed form, so that penalties on gradients need no second backward pass.
    """

    name: str
    value: Callable[[Tensor, Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor], Tensor]
    targets: Callable[[np.ndarray, int], Tensor]


def _float_targets(y: np.ndarray, n_outputs: int) -> Tensor:
    columns = y.reshape(len(y), -1)
    if columns.shape[1] != n_outputs:
        raise InvalidInputError(
            f"y has {columns.shape[1]} columns, but the architecture has {n_outputs} outputs"
        )
    return torch.tensor(columns, dtype=torch.float32)


def _binary_targets(y: np.ndarray, n_outputs: int) -> Tensor:
    if not np.isin(y, (0, 1)).all():
        raise InvalidInputError(f"y holds {np.unique(y)[:5]}; loss='binary' wanted labels 0 and 1")
    return _float_targets(y, n_outputs)


def _class_targets(y: np.ndarray, n_outputs: int) -> Tensor:
    if y.ndim != 1 or not np.isin(y, np.arange(n_outputs)).all():
        values = np.unique(y)
        raise InvalidInputError(
            f"y runs from {values[0]} to {values[-1]} with shape {y.shape}; loss='cross_entropy' "
            f"wanted whole labels 0 to {n_outputs - 1}, one for each sample"
        )
    return torch.from_numpy(y.astype(np.int64))


def _cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(
        targets.shape
    )


def _cross_entropy_gradient(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.softmax(-1) - F.one_hot(targets, outputs.shape[-1])


def _binary(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(-1)


LOSSES = {
    "mse": Loss(
        "mse",
        lambda outputs, targets: (outputs - targets).square().mean(-1),
        lambda outputs, targets: (outputs - targets) * (2 / outputs.shape[-1]),
        _float_targets,
    ),
    "cross_entropy": Loss("cross_entropy", _cross_entropy, _cross_entropy_gradient, _class_targets),
    "binary": Loss(
        "binary",
        _binary,
        lambda outputs, targets: (outputs.sigmoid() - targets) / outputs.shape[-1],
        _binary_targets,
    ),
}


def resolve_loss(name: str, y: np.ndarray, n_outputs: int) -> str:
    """Return the loss that ``"auto"`` means: floats are regressed, labels classified."""
    if name != "auto":
        return name
    if np.asarray(y).dtype.kind == "f":
        return "mse"
    return "binary" if n_outputs == 1 else "cross_entropy"
