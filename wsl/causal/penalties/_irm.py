"""Invariant risk minimisation: the gradient of each environment's risk in a dummy classifier.

Plain torch. Penalties on the risks themselves live in ``_risks``.
"""

import torch
from torch import Tensor

from ._environment_means import Environments, closed_form


def irm_penalty(outputs: Tensor, targets: Tensor, members: Tensor, loss) -> Tensor:
    r"""Return the IRMv1 penalty of each model, averaged over environments.

    Parameters
    ----------
    outputs : Tensor ``(n_models, n_samples, n_outputs)``
    targets : Tensor ``(n_models, n_samples, ...)``, as ``loss`` takes them
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.
    loss : Loss
        With ``gradient``, the derivative of the loss in the outputs, and ``curvature``.

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

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        environments = Environments(members)
        along, steep = _along_the_scale(outputs, targets, loss)
        nabla_w = environments.means(along)
        of_sample = environments.spread(nabla_w * (2 / environments.n_present))
        value = nabla_w.square().sum(1) / environments.n_present[:, 0]
        return value, steep.mul_(of_sample[..., None])

    return closed_form(compute, outputs)


def irm_unbiased_penalty(outputs: Tensor, targets: Tensor, members: Tensor, loss) -> Tensor:
    r"""Return the IRMv1 penalty as estimated without bias from two halves of each environment.

    Parameters
    ----------
    outputs : Tensor ``(n_models, n_samples, n_outputs)``
    targets : Tensor ``(n_models, n_samples, ...)``, as ``loss`` takes them
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.
    loss : Loss
        With ``gradient``, the derivative of the loss in the outputs, and ``curvature``.

    Returns
    -------
    Tensor ``(n_models,)``
        Its expectation is the penalty at the distribution's own risk; it may be below 0.

    Notes
    -----
    The square of a mean over samples is too large, by the variance of the mean: in small batches
    :func:`irm_penalty` also penalises noise. With two halves a and b of the samples of environment
    e, :math:`\nabla_w R^{e,a} \cdot \nabla_w R^{e,b}` is not. As in the paper's code, every other
    sample of an environment goes to each half; batches are in random order. An environment with
    one sample adds 0.

    References
    ----------
    M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk Minimization", 2019,
    appendix D.
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        along, steep = _along_the_scale(outputs, targets, loss)
        a, b = (Environments(half) for half in _halves(members))
        n_present = Environments(members).n_present
        of_a, of_b = a.means(along), b.means(along)
        value = (of_a * of_b).sum(1) / n_present[:, 0]
        of_sample = a.spread(of_b / n_present) + b.spread(of_a / n_present)
        return value, steep.mul_(of_sample[..., None])

    return closed_form(compute, outputs)


def _along_the_scale(outputs: Tensor, targets: Tensor, loss) -> tuple[Tensor, Tensor]:
    """Return what each sample adds to nabla_w, ``(n_models, n_samples)``, and its gradient."""
    slope = loss.gradient(outputs, targets)
    along = outputs * slope
    along = along[..., 0] if along.shape[-1] == 1 else along.sum(-1)
    return along, loss.curvature(outputs, outputs).add_(slope)


def _halves(members: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shares of every other sample of each environment, and those of the rest."""
    odd = (members > 0).cumsum(-1, dtype=torch.int32).bitwise_and_(1)
    first = members * odd
    return _normalised(first), _normalised(members - first)


def _normalised(shares: Tensor) -> Tensor:
    total = shares.sum(-1, keepdim=True)
    return shares / total.where(total > 0, 1)
