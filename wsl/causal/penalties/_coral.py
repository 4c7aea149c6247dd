"""Penalties on moments that differ between environments: of errors, features and gradients.

Plain torch. Features are what the last layer of a network takes; penalties on outputs alone live in
``_irm`` and ``_risks``.
"""

import torch
from torch import Tensor

from ._environment_means import Environments, closed_form


def causal_dantzig_penalty(
    outputs: Tensor, targets: Tensor, members: Tensor, loss, inputs: Tensor
) -> Tensor:
    r"""Return how far inner products of inputs and errors differ between environments.

    Parameters
    ----------
    outputs : Tensor ``(n_models, n_samples, n_outputs)``
    targets : Tensor ``(n_models, n_samples, ...)``, as ``loss`` takes them
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.
    loss : Loss
        With ``gradient``, the derivative of the loss in the outputs, and ``curvature``.
    inputs : Tensor ``(n_models or 1, n_samples, n_features)``
        What the network takes; scaled alike, as a penalty on one column is in units of its square.

    Returns
    -------
    Tensor ``(n_models,)``

    Notes
    -----
    :math:`\frac{1}{|E|} \sum_e \|m_e - \bar m\|^2` with :math:`m_e = E^e[\ell' X]`, where X is less
    its mean in environment e and has a 1 for the intercept. In a linear model whose environments
    differ by what is added to the columns, not to the outcome, inner products of the columns with
    the causal model's errors are the same in all of them: the inner-product invariance of the
    paper, which solves for a linear model with two environments; here it is asked of any network,
    as the invariance of its score. A coefficient b on an effect of the outcome shows in it in
    proportion to b, in risks (V-REx) or slopes of scale (IRM) in proportion to :math:`b^2`: near
    the causal model it needs far fewer samples. It does not hold where mechanisms themselves, such
    as an effect's coefficient or the outcome's noise, differ.

    References
    ----------
    D. Rothenhäusler, P. Bühlmann and N. Meinshausen, "Causal Dantzig: Fast Inference in Linear
    Structural Equation Models with Hidden Variables under Additive Interventions", Annals of
    Statistics 47(3), 2019.
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        environments = Environments(members)
        delta, x = loss.gradient(outputs, targets), inputs.mT
        by_environment = _by_environment(delta.mT, environments)
        means = (environments.shares @ inputs)[:, :, None]  # of the columns
        errors = by_environment.sum(-1).unflatten(1, (-1, delta.shape[-1]))[..., None]
        products = (by_environment @ inputs).unflatten(1, (-1, delta.shape[-1]))
        products = torch.cat([products - errors * means, errors], dim=3)
        deviations = environments.centre(products)
        value = deviations.square().sum((1, 2, 3)) / environments.n_present[:, 0]
        slopes = deviations * (2 / environments.n_present)[..., None, None]
        in_products, in_errors = slopes[..., :-1], slopes[..., -1:]
        in_errors = in_errors - (in_products * means).sum(-1, keepdim=True)
        along = (in_products.flatten(1, 2) @ x).unflatten(1, (-1, delta.shape[-1])) + in_errors
        in_delta = (along * environments.shares[:, :, None]).sum(1)
        return value, loss.curvature(outputs, in_delta.mT)

    return closed_form(compute, outputs)


def coral_penalty(
    outputs: Tensor, targets: Tensor, members: Tensor, loss, features: Tensor
) -> Tensor:
    r"""Return how far means and covariances of the features differ between environments.

    Parameters
    ----------
    outputs : Tensor ``(n_models, n_samples, n_outputs)``
        Not used, nor are ``targets`` and ``loss``.
    targets : Tensor ``(n_models, n_samples, ...)``
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.
    loss : Loss
    features : Tensor ``(n_models, n_samples, n_features)``
        What the last layer takes.

    Returns
    -------
    Tensor ``(n_models,)``
        The mean over pairs of environments; 0 for one.

    Notes
    -----
    For d features, a pair of environments adds :math:`\frac{1}{4d^2} \|C_e - C_f\|_F^2`, the CORAL
    loss, and :math:`\frac{1}{d} \|\mu_e - \mu_f\|^2`, as in DomainBed: covariances say nothing of
    where features lie. Covariances are those of the samples as weighted, without Bessel's
    correction. A network without hidden layers has its inputs as features: nothing can be learned.

    References
    ----------
    B. Sun and K. Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", ECCV
    Workshops 2016, equation (1).

    I. Gulrajani and D. Lopez-Paz, "In Search of Lost Domain Generalization", ICLR 2021.
    """

    def compute(features: Tensor) -> tuple[Tensor, Tensor]:
        environments = Environments(members)
        d = features.shape[-1]
        features = features - features.mean(1, keepdim=True)  # the same, but for rounding
        weighted = _by_environment(features.mT, environments)
        means = environments.shares @ features  # (n_models, n_environments, d)
        second = (weighted @ features).unflatten(1, (-1, d))
        covariances = second - means[..., None] * means[:, :, None]
        from_mean, from_covariance = environments.centre(means), environments.centre(covariances)
        # the mean over pairs of squared differences is 2 / (n - 1) times the squared deviations
        n_others = (environments.n_present - 1).clamp(min=1)[:, 0]
        spread = from_mean.square().sum((1, 2)) / d
        spread = spread + from_covariance.square().sum((1, 2, 3)) / (4 * d**2)
        in_mean = from_mean * (4 / (n_others * d)).view(-1, 1, 1)
        in_covariance = from_covariance * (1 / (n_others * d**2)).view(-1, 1, 1, 1)
        in_mean = in_mean - 2 * (in_covariance @ means[..., None])[..., 0]
        gradient = in_mean.mT @ environments.shares
        gradient = gradient + 2 * (in_covariance.flatten(1, 2).mT @ weighted)
        return 2 / n_others * spread, gradient.mT

    return closed_form(compute, features)


def fishr_penalty(
    outputs: Tensor, targets: Tensor, members: Tensor, loss, features: Tensor
) -> Tensor:
    r"""Return how far the variances of the gradients differ between environments (Fishr).

    Parameters
    ----------
    outputs : Tensor ``(n_models, n_samples, n_outputs)``
    targets : Tensor ``(n_models, n_samples, ...)``, as ``loss`` takes them
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.
    loss : Loss
        With ``gradient``, the derivative of the loss in the outputs, and ``curvature``.
    features : Tensor ``(n_models, n_samples, n_features)``
        What the last layer takes.

    Returns
    -------
    Tensor ``(n_models,)``

    Notes
    -----
    :math:`\frac{1}{|E|} \sum_e \|v_e - \bar v\|^2`, where :math:`v_e` holds the variance, over the
    samples of environment e, of the gradient of their losses in each weight of the last layer. A
    sample's gradient there is the outer product of :math:`\ell'` and its features, with a 1 for the
    bias, so that no sample needs a backward pass of its own. As in the paper, all else of a network
    is left out; its moving average of the variances over steps is left out, too, and variances are
    those of the samples as weighted, without Bessel's correction.

    References
    ----------
    A. Rame, C. Dancette and M. Cord, "Fishr: Invariant Gradient Variances for Out-of-Distribution
    Generalization", ICML 2022, section 3.
    """

    def compute(outputs: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        environments = Environments(members)
        delta, h = loss.gradient(outputs, targets).mT, _with_one(features.mT)
        squared, n_outputs = h.square(), delta.shape[1]
        first, second = (_by_environment(d, environments) for d in (delta, delta.square()))
        means = first @ h.mT  # (n_models, n_environments * n_outputs, n_features + 1)
        variances = second @ squared.mT - means.square()
        deviations = environments.centre(variances.unflatten(1, (-1, n_outputs)))
        value = deviations.square().sum((1, 2, 3)) / environments.n_present[:, 0]
        slopes = deviations * (2 / environments.n_present)[..., None, None]
        in_second = slopes.flatten(1, 2)  # in E[g^2], and in E[g]: v = E[g^2] - E[g]^2
        in_first = in_second * means
        by_sample = (in_second @ squared).unflatten(1, (-1, n_outputs)) * delta[:, None]
        by_sample = by_sample - (in_first @ h).unflatten(1, (-1, n_outputs))
        in_delta = 2 * (by_sample * environments.shares[:, :, None]).sum(1)
        in_h = 2 * (h * (in_second.mT @ second) - in_first.mT @ first)
        return value, loss.curvature(outputs, in_delta.mT), in_h[:, :-1].mT

    return closed_form(compute, outputs, features)


def _with_one(values: Tensor) -> Tensor:
    """Return ``(n_models, n_rows + 1, n_samples)``, with a last row of ones."""
    return torch.cat([values, torch.ones_like(values[:, :1])], dim=1)


def _by_environment(values: Tensor, environments: Environments) -> Tensor:
    """Return values ``(n_models, n_rows, n_samples)`` times their shares in each environment.

    The result is ``(n_models, n_environments * n_rows, n_samples)``.
    """
    return (environments.shares[:, :, None] * values[:, None]).flatten(1, 2)
