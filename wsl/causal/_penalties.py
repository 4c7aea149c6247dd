"""Penalties on what differs between environments, each written once for a batch of models.

Plain torch; a penalty sees outputs, never a network. How it is weighted is for the training loop.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def irm_penalty(outputs: Tensor, targets: Tensor, members: Tensor, loss) -> Tensor:
    r"""Return the IRMv1 penalty of each model, averaged over environments.

    Parameters
    ----------
    outputs : Tensor ``(n_models, n_samples, n_outputs)``
    targets : Tensor ``(n_models, n_samples, ...)``, as ``loss`` takes them
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.
    loss : Loss
        With ``gradient``, the derivative of the loss in the outputs.

    Returns
    -------
    Tensor ``(n_models,)``

    Notes
    -----
    The penalty of environment e is :math:`\|\nabla_{w|w=1} R^e(w \cdot \Phi)\|^2`. With the dummy
    classifier w a scalar, :math:`\nabla_w R^e = E^e[\Phi(X) \cdot \ell'(\Phi(X), Y)]`, so that no
    second backward pass is needed, whatever the loss. Its gradient in the outputs is
    :math:`2 \nabla_w R^e \cdot (\ell' + \ell'' \Phi(X))`, in closed form too; it can be
    differentiated once.

    References
    ----------
    M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk Minimization", 2019,
    equation (IRMv1).
    """
    return _Irm.apply(outputs, targets, members, loss)


class _Irm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, outputs: Tensor, targets: Tensor, members: Tensor, loss) -> Tensor:
        slope = loss.gradient(outputs, targets)  # l'
        shares = members.movedim(0, 1)  # (n_models or 1, n_environments, n_samples)
        along = outputs * slope
        along = along if along.shape[-1] == 1 else along.sum(-1, keepdim=True)
        nabla_w = along.mT @ shares.mT  # (n_models, 1, n_environments)
        n_present = (members.amax(-1) > 0).sum(0)
        of_sample = (nabla_w * (2 / n_present)[:, None, None]) @ shares
        steep = loss.curvature(outputs, outputs).add_(slope)
        ctx.save_for_backward(steep.mul_(of_sample.mT))
        return nabla_w.square().sum((1, 2)) / n_present

    @staticmethod
    @once_differentiable
    def backward(ctx, delta: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * delta[:, None, None], None, None, None


PENALTIES: dict[str, Callable[..., Tensor]] = {"irm": irm_penalty}
