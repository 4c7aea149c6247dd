"""What is minimised: the loss of a batch of models, and a penalty on its environments.

Plain torch. Losses live in ``_losses``, penalties in ``wsl.causal``; steps are made in ``_engine``.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._losses import TrainingLoss
from ._minibatches import Batch

Penalty = Callable[..., Tensor]
State = dict[str, Tensor]


class Gradient(NamedTuple):
    """Mean losses ``(n_models,)``, and the objective's gradient in outputs and in features."""

    risk: Tensor
    in_outputs: Tensor
    in_features: Tensor | None = None


class Objective:
    """The mean loss or, with a penalty, the mean over environments plus the weighted penalty.

    Parameters
    ----------
    loss : Loss
    penalty : callable, optional
        ``penalty(outputs, targets, members, loss)``; those of its further parameters that are named
        ``inputs``, ``features`` and ``state`` are handed to it by name.

    Attributes
    ----------
    takes_features : bool
        Whether the penalty is on what the last layer takes, too.
    takes_inputs : bool
        Whether it looks at the samples.
    """

    def __init__(self, loss: TrainingLoss, penalty: Penalty | None):
        self._loss, self._penalty = loss, penalty
        self.takes_features = takes(penalty, "features")
        self.takes_inputs = takes(penalty, "inputs")
        self._takes_state = takes(penalty, "state")

    def gradient(
        self,
        outputs: Tensor,
        features: Tensor | None,
        batch: Batch,
        penalty_weight: float,
        state: State,
    ) -> Gradient:
        """Return mean losses, as a plain or weighted mean over samples, and the gradient.

        ``outputs`` is ``(n_models, n_inputs, n_outputs)``, ``features`` ``(n_models, n_inputs,
        n_features)``; ``state`` is what the penalty keeps from step to step.
        """
        targets = batch.targets.expand(len(outputs), *batch.targets.shape[1:])
        values, slope = self._loss.evaluate(outputs, targets)  # (n_models, n_inputs), as outputs
        risk = weighted_mean(values, batch.weights)
        if batch.share is None:
            return Gradient(risk, slope / values.shape[1])
        if self._penalty is None or penalty_weight == 0:
            return Gradient(risk, slope * batch.share[..., None])
        leaves = [
            part.detach().requires_grad_() for part in (outputs, features) if part is not None
        ]
        with torch.enable_grad():
            penalty = self._penalise(leaves, targets, batch, state)
        weight = penalty.new_tensor(penalty_weight).expand_as(penalty)
        steep = torch.autograd.grad(penalty, leaves, weight, materialize_grads=True)
        in_outputs = torch.addcmul(steep[0], slope, batch.share[..., None])
        return Gradient(risk, in_outputs, *steep[1:])

    def value(
        self, outputs: Tensor, features: Tensor | None, batch: Batch, penalty_weight: float
    ) -> Tensor:
        """Return the objective ``(n_models,)``, with a penalty that keeps no state."""
        targets = batch.targets.expand(len(outputs), *batch.targets.shape[1:])
        value = weighted_mean(self._loss.value(outputs, targets), batch.share)
        if self._penalty is None or penalty_weight == 0:
            return value
        leaves = [part for part in (outputs, features) if part is not None]
        return value + penalty_weight * self._penalise(leaves, targets, batch, None)

    def _penalise(
        self, leaves: list[Tensor], targets: Tensor, batch: Batch, state: State | None
    ) -> Tensor:
        assert self._penalty is not None
        more: dict[str, Any] = {"features": leaves[1]} if self.takes_features else {}
        if self.takes_inputs:
            more["inputs"] = batch.x[:, :-1].mT
        if self._takes_state and state is not None:
            more["state"] = state
        return self._penalty(leaves[0], targets, batch.members, self._loss, **more)


def takes(penalty: Penalty | None, name: str) -> bool:
    """Tell whether a penalty has a parameter of that name, beyond those that every one has."""
    if penalty is None:
        return False
    try:
        return name in inspect.signature(penalty).parameters
    except ValueError:  # some builtins have no signature
        return False


def weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return means over samples ``(n_models,)``; 0 where all weights are."""
    if weights is None:
        return values.mean(1)
    total = weights.sum(-1)
    return (values * weights).sum(1) / total.where(total > 0, 1)
