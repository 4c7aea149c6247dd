"""The training objective: the loss of a batch of models, and a penalty on its environments."""

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

    mean_loss: Tensor
    in_outputs: Tensor
    in_features: Tensor | None = None


class Objective:
    """The mean loss or, with a penalty, the mean over environments plus the weighted penalty.

    Parameters
    ----------
    loss : TrainingLoss
        The loss of each sample.
    penalty : callable, optional
        ``penalty(outputs, targets, members, loss)``, which may have further parameters ``inputs``,
        ``features`` and ``state``; these are passed by name.

    Attributes
    ----------
    takes_features : bool
        Whether the penalty takes the inputs of the last layer.
    takes_inputs : bool
        Whether the penalty takes the samples.
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
        n_features)``; ``state`` holds what the penalty keeps from step to step.
        """
        targets = batch.targets.expand(len(outputs), *batch.targets.shape[1:])
        # (n_models, n_inputs), and of the shape of outputs
        losses, loss_gradient = self._loss.evaluate(outputs, targets)
        mean_loss = weighted_mean(losses, batch.weights)
        if batch.mean_weights is None:
            return Gradient(mean_loss, loss_gradient / losses.shape[1])
        mean_weights = batch.mean_weights[..., None]
        if self._penalty is None or penalty_weight == 0:
            return Gradient(mean_loss, loss_gradient * mean_weights)
        leaves = [
            part.detach().requires_grad_() for part in (outputs, features) if part is not None
        ]
        with torch.enable_grad():
            penalty = self._evaluate_penalty(leaves, targets, batch, state)
        weight = penalty.new_tensor(penalty_weight).expand_as(penalty)
        in_leaves = torch.autograd.grad(penalty, leaves, weight, materialize_grads=True)
        in_outputs = torch.addcmul(in_leaves[0], loss_gradient, mean_weights)
        return Gradient(mean_loss, in_outputs, *in_leaves[1:])

    def value(
        self, outputs: Tensor, features: Tensor | None, batch: Batch, penalty_weight: float
    ) -> Tensor:
        """Return the objective ``(n_models,)``; the penalty gets no state."""
        targets = batch.targets.expand(len(outputs), *batch.targets.shape[1:])
        value = weighted_mean(self._loss.value(outputs, targets), batch.mean_weights)
        if self._penalty is None or penalty_weight == 0:
            return value
        leaves = [part for part in (outputs, features) if part is not None]
        return value + penalty_weight * self._evaluate_penalty(leaves, targets, batch, None)

    def _evaluate_penalty(
        self, leaves: list[Tensor], targets: Tensor, batch: Batch, state: State | None
    ) -> Tensor:
        """Return the penalty ``(n_models,)``; ``leaves`` are the outputs and perhaps features."""
        assert self._penalty is not None
        options: dict[str, Any] = {"features": leaves[1]} if self.takes_features else {}
        if self.takes_inputs:
            options["inputs"] = batch.x[:, :-1].mT
        if self._takes_state and state is not None:
            options["state"] = state
        return self._penalty(leaves[0], targets, batch.members, self._loss, **options)


def takes(penalty: Penalty | None, name: str) -> bool:
    """Return whether a penalty has a parameter of that name."""
    if penalty is None:
        return False
    try:
        return name in inspect.signature(penalty).parameters
    except ValueError:  # some builtins have no signature
        return False


def weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return means over samples ``(n_models,)``; 0 where all weights are 0."""
    if weights is None:
        return values.mean(1)
    total = weights.sum(-1)
    return (values * weights).sum(1) / total.where(total > 0, 1)
