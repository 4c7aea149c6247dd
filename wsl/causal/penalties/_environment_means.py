"""Means over environments, and values with a gradient in closed form."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def closed_form(compute: Callable[..., tuple[Tensor, ...]], *leaves: Tensor) -> Tensor:
    """Return one value per model, ``(n_models,)``, whose gradient is given in closed form.

    ``compute(*leaves)`` returns the value and its gradient in each leaf, of the leaf's shape. The
    result can be differentiated once.
    """
    return _ClosedForm.apply(compute, *leaves)


class _ClosedForm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, compute: Callable[..., tuple[Tensor, ...]], *leaves: Tensor) -> Tensor:
        value, *gradients = compute(*leaves)
        ctx.save_for_backward(*gradients)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, delta: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(gradient * delta[:, None, None] for gradient in ctx.saved_tensors)


class EnvironmentMeans:
    """Means over the environments of a batch, and their gradients.

    Parameters
    ----------
    members : Tensor of shape (n_environments, n_models or 1, n_samples)
        Weight of each sample in the mean of its environment; 0 outside it.

    Attributes
    ----------
    weights : Tensor of shape (n_models or 1, n_environments, n_samples)
        The same weights, models first.
    present : Tensor of bool of shape (n_models or 1, n_environments)
        Whether the batch contains samples of an environment.
    n_present : Tensor of shape (n_models or 1, 1)
        The number of environments with samples in the batch.
    """

    def __init__(self, members: Tensor):
        self.weights = members.movedim(0, 1)

    @cached_property
    def present(self) -> Tensor:
        """Whether the batch contains samples of an environment."""
        return self.weights.amax(-1) > 0

    @cached_property
    def n_present(self) -> Tensor:
        """The number of environments with samples in the batch."""
        return self.present.sum(-1, keepdim=True)

    def means(self, values: Tensor) -> Tensor:
        """Return means ``(n_models, n_environments)`` of values ``(n_models, n_samples)``."""
        return (values[:, None] @ self.weights.mT)[:, 0]

    def weighted(self, values: Tensor) -> Tensor:
        """Return values ``(n_models, n_rows, n_samples)`` times their weights per environment.

        The result is ``(n_models, n_environments * n_rows, n_samples)``.
        """
        return (self.weights[:, :, None] * values[:, None]).flatten(1, 2)

    def backward(self, gradient: Tensor) -> Tensor:
        """Return the gradient in values, ``(n_models, n_samples)``, from that in their means."""
        return (gradient[:, None] @ self.weights)[:, 0]

    def center(self, values: Tensor) -> Tensor:
        """Return ``(n_models, n_environments, ...)`` minus its mean over those present, else 0."""
        trailing = [1] * (values.ndim - 2)
        present = self.present.view(*self.present.shape, *trailing)
        mean = (values * present).sum(1, keepdim=True) / self.n_present.view(-1, 1, *trailing)
        return (values - mean) * present
