"""Fishr: variances of the gradients that differ between environments."""

import torch
from torch import Tensor

from ._environment_means import EnvironmentMeans, closed_form


def fishr_penalty(
    outputs: Tensor, targets: Tensor, members: Tensor, loss, features: Tensor
) -> Tensor:
    r"""Compute how much the variances of the gradients differ between environments (Fishr).

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
    features : Tensor of shape (n_models, n_samples, n_features)
        Inputs of the last layer.

    Returns
    -------
    Tensor of shape (n_models,)
        The mean squared deviation of the variances of each model.

    See Also
    --------
    coral_penalty : Compares means and covariances of features instead.
    wsl.CausalMitigatedClassifier : Selects penalties by name with ``penalty=``.

    Notes
    -----
    :math:`\frac{1}{|E|} \sum_e \|v_e - \bar v\|^2`, where :math:`v_e` is the variance, over the
    samples of environment e, of the gradient of their losses in each weight of the last layer. A
    sample's gradient there is the outer product of :math:`\ell'` and its features, with a 1 for the
    bias, so that no sample needs its own backward pass. As in the paper, other layers are left out;
    unlike there, so is the moving average of the variances over steps, and variances are those of
    the weighted samples, without Bessel's correction.

    References
    ----------
    .. [1] A. Rame, C. Dancette and M. Cord, "Fishr: Invariant Gradient Variances for
       Out-of-Distribution Generalization", ICML 2022, section 3.

    Examples
    --------
    >>> from wsl import Architecture, EnvironmentMembershipFamily, train_zoo
    >>> from wsl.causal import fishr_penalty
    >>> data = EnvironmentMembershipFamily.linear_causal().sample(1, 64, random_state=0)
    >>> zoo = train_zoo(
    ...     Architecture.mlp(2, [4], 1), data, n_models=2, loss="mse", epochs=1,
    ...     penalty=fishr_penalty, penalty_weight=10, random_state=0,
    ... )
    >>> zoo.weights.shape
    (2, 17)
    """

    def compute(outputs: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        environments = EnvironmentMeans(members)
        delta, h = loss.gradient(outputs, targets).mT, _with_ones(features.mT)
        h_squared, n_outputs = h.square(), delta.shape[1]
        first, second = (environments.weighted(d) for d in (delta, delta.square()))
        means = first @ h.mT  # (n_models, n_environments * n_outputs, n_features + 1)
        variances = second @ h_squared.mT - means.square()
        deviations = environments.center(variances.unflatten(1, (-1, n_outputs)))
        value = deviations.square().sum((1, 2, 3)) / environments.n_present[:, 0]
        gradient = deviations * (2 / environments.n_present)[..., None, None]
        in_second = gradient.flatten(1, 2)  # of E[g^2]; that of E[g] follows from the variance
        in_first = in_second * means
        per_sample = (in_second @ h_squared).unflatten(1, (-1, n_outputs)) * delta[:, None]
        per_sample = per_sample - (in_first @ h).unflatten(1, (-1, n_outputs))
        in_delta = 2 * (per_sample * environments.weights[:, :, None]).sum(1)
        in_h = 2 * (h * (in_second.mT @ second) - in_first.mT @ first)
        return value, loss.curvature(outputs, in_delta.mT), in_h[:, :-1].mT

    return closed_form(compute, outputs, features)


def _with_ones(values: Tensor) -> Tensor:
    """Return ``(n_models, n_rows + 1, n_samples)``, with a last row of ones."""
    return torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
