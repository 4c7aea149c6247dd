"""What penalties share: means over environments, and values that bring their own gradient.

Plain torch. The penalties themselves live in ``_irm``, ``_risks`` and ``_moments``.
"""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def closed_form(compute: Callable[..., tuple[Tensor, ...]], *leaves: Tensor) -> Tensor:
    """Return a value a model, ``(n_models,)``, whose gradient is known without autograd.

    ``compute(*leaves)`` returns the value, and its gradient in each leaf, of the leaf's shape.
    The result can be differentiated once.
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


class Environments:
    """The environments of the samples of a batch.

    Parameters
    ----------
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.

    Attributes
    ----------
    shares : Tensor ``(n_models or 1, n_environments, n_samples)``
    present : Tensor ``(n_models or 1, n_environments)`` of bool
        Whether the batch holds samples of an environment.
    n_present : Tensor ``(n_models or 1, 1)``
    """

    def __init__(self, members: Tensor):
        self.shares = members.movedim(0, 1)

    @cached_property
    def present(self) -> Tensor:
        """Whether the batch holds samples of an environment."""
        return self.shares.amax(-1) > 0

    @cached_property
    def n_present(self) -> Tensor:
        """How many environments the batch holds samples of."""
        return self.present.sum(-1, keepdim=True)

    def means(self, values: Tensor) -> Tensor:
        """Return means ``(n_models, n_environments)`` of values ``(n_models, n_samples)``."""
        return (values[:, None] @ self.shares.mT)[:, 0]

    def spread(self, slopes: Tensor) -> Tensor:
        """Return the gradient in values, ``(n_models, n_samples)``, from that in their means."""
        return (slopes[:, None] @ self.shares)[:, 0]

    def centre(self, values: Tensor) -> Tensor:
        """Return ``(n_models, n_environments, ...)`` less its mean over those present, else 0."""
        trailing = [1] * (values.ndim - 2)
        present = self.present.view(*self.present.shape, *trailing)
        mean = (values * present).sum(1, keepdim=True) / self.n_present.view(-1, 1, *trailing)
        return (values - mean) * present
