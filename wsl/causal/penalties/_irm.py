"""Invariant risk minimization: gradients of the environments' risks in a dummy classifier."""

import torch
from torch import Tensor

from ._environment_means import EnvironmentMeans, closed_form


def irm_penalty(outputs: Tensor, targets: Tensor, members: Tensor, loss) -> Tensor:
    r"""Compute the IRMv1 penalty of each model, averaged over environments.

    Parameters
    ----------
    outputs : Tensor of shape (n_models, n_samples, n_outputs)
        Outputs of the models.
    targets : Tensor of shape (n_models, n_samples, ...)
        Targets in the form that ``loss`` takes.
    members : Tensor of shape (n_environments, n_models or 1, n_samples)
        Weight of each sample in the mean of its environment; 0 outside it.
    loss : object
        The training loss, with ``gradient``, its derivative in the outputs, and ``curvature``.

    Returns
    -------
    Tensor of shape (n_models,)
        The penalty of each model; it can be differentiated once.

    See Also
    --------
    irm_unbiased_penalty : An unbiased estimate for small batches.
    vrex_penalty : Penalizes the variance of the risks instead.
    wsl.CausalMitigatedClassifier : Selects penalties by name with ``penalty=``.

    Notes
    -----
    The penalty of environment e is :math:`\|\nabla_{w|w=1} R^e(w \cdot \Phi)\|^2`. With a scalar
    dummy classifier w, :math:`\nabla_w R^e = E^e[\Phi(X) \cdot \ell'(\Phi(X), Y)]`, so that no
    second backward pass is needed for any loss. Its gradient in the outputs has the closed form
    :math:`2 \nabla_w R^e \cdot (\ell' + \ell'' \Phi(X))`.

    References
    ----------
    .. [1] M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk Minimization",
       2019, equation (IRMv1).

    Examples
    --------
    >>> from wsl import Architecture, EnvironmentMembershipFamily, train_zoo
    >>> from wsl.causal import irm_penalty
    >>> data = EnvironmentMembershipFamily.linear_causal().sample(1, 64, random_state=0)
    >>> zoo = train_zoo(
    ...     Architecture.mlp(2, [4], 1), data, n_models=2, loss="mse", epochs=1,
    ...     penalty=irm_penalty, penalty_weight=10, random_state=0,
    ... )
    >>> zoo.weights.shape
    (2, 17)
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        environments = EnvironmentMeans(members)
        terms, gradient = _dummy_gradient_terms(outputs, targets, loss)
        nabla_w = environments.means(terms)
        per_sample = environments.backward(nabla_w * (2 / environments.n_present))
        value = nabla_w.square().sum(1) / environments.n_present[:, 0]
        return value, gradient.mul_(per_sample[..., None])

    return closed_form(compute, outputs)


def irm_unbiased_penalty(outputs: Tensor, targets: Tensor, members: Tensor, loss) -> Tensor:
    r"""Compute an unbiased estimate of the IRMv1 penalty from two halves of each environment.

    Parameters
    ----------
    outputs : Tensor of shape (n_models, n_samples, n_outputs)
        Outputs of the models.
    targets : Tensor of shape (n_models, n_samples, ...)
        Targets in the form that ``loss`` takes.
    members : Tensor of shape (n_environments, n_models or 1, n_samples)
        Weight of each sample in the mean of its environment; 0 outside it.
    loss : object
        The training loss, with ``gradient``, its derivative in the outputs, and ``curvature``.

    Returns
    -------
    Tensor of shape (n_models,)
        The estimate for each model. Its expectation is the penalty at the distribution's own risk;
        it may be negative.

    See Also
    --------
    irm_penalty : The penalty on all samples of an environment.
    wsl.CausalMitigatedClassifier : Selects penalties by name with ``penalty=``.

    Notes
    -----
    The square of a mean over samples is biased upwards by the variance of the mean, so that in
    small batches :func:`irm_penalty` also penalizes noise. With two halves a and b of the samples
    of environment e, :math:`\nabla_w R^{e,a} \cdot \nabla_w R^{e,b}` is unbiased. As in the paper's
    code, every other sample of an environment goes to each half; batches are in random order. An
    environment with a single sample adds 0.

    References
    ----------
    .. [1] M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk Minimization",
       2019, appendix D.

    Examples
    --------
    >>> from wsl import Architecture, EnvironmentMembershipFamily, train_zoo
    >>> from wsl.causal import irm_unbiased_penalty
    >>> data = EnvironmentMembershipFamily.linear_causal().sample(1, 64, random_state=0)
    >>> zoo = train_zoo(
    ...     Architecture.mlp(2, [4], 1), data, n_models=2, loss="mse", epochs=1,
    ...     penalty=irm_unbiased_penalty, penalty_weight=10, random_state=0,
    ... )
    >>> zoo.weights.shape
    (2, 17)
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        terms, gradient = _dummy_gradient_terms(outputs, targets, loss)
        a, b = (EnvironmentMeans(half) for half in _halves(members))
        n_present = EnvironmentMeans(members).n_present
        nabla_a, nabla_b = a.means(terms), b.means(terms)
        value = (nabla_a * nabla_b).sum(1) / n_present[:, 0]
        per_sample = a.backward(nabla_b / n_present) + b.backward(nabla_a / n_present)
        return value, gradient.mul_(per_sample[..., None])

    return closed_form(compute, outputs)


def _dummy_gradient_terms(outputs: Tensor, targets: Tensor, loss) -> tuple[Tensor, Tensor]:
    """Return the term of each sample in nabla_w, ``(n_models, n_samples)``, and its gradient."""
    loss_gradient = loss.gradient(outputs, targets)
    terms = outputs * loss_gradient
    terms = terms[..., 0] if terms.shape[-1] == 1 else terms.sum(-1)
    return terms, loss.curvature(outputs, outputs).add_(loss_gradient)


def _halves(members: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights of every other sample of each environment, and those of the others."""
    odd = (members > 0).cumsum(-1, dtype=torch.int32).bitwise_and_(1)
    first = members * odd
    return _normalized(first), _normalized(members - first)


def _normalized(weights: Tensor) -> Tensor:
    total = weights.sum(-1, keepdim=True)
    return weights / total.where(total > 0, 1)
