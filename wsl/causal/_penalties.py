"""Penalties on what differs between environments, each written once for a batch of models.

Plain torch; a penalty sees outputs, never a network. How it is weighted is for the training loop.
"""

from collections.abc import Callable

from torch import Tensor


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
    second backward pass is needed, whatever the loss.

    References
    ----------
    M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk Minimization", 2019,
    equation (IRMv1).
    """
    slopes = (outputs * loss.gradient(outputs, targets)).sum(-1)
    nabla_w = (members * slopes).sum(-1)  # (n_environments, n_models)
    n_present = (members.sum(-1) > 0).sum(0)
    return nabla_w.square().sum(0) / n_present


PENALTIES: dict[str, Callable[..., Tensor]] = {"irm": irm_penalty}
