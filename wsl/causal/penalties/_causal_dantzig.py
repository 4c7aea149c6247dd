"""Causal Dantzig: inner products of inputs and errors that differ between environments."""

import torch
from torch import Tensor

from ._environment_means import EnvironmentMeans, closed_form


def causal_dantzig_penalty(
    outputs: Tensor, targets: Tensor, members: Tensor, loss, inputs: Tensor
) -> Tensor:
    r"""Compute how much inner products of inputs and errors differ between environments.

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
    inputs : Tensor of shape (n_models or 1, n_samples, n_features)
        Inputs of the network. Scale the columns alike, as a column's penalty is in units of its
        square.

    Returns
    -------
    Tensor of shape (n_models,)
        The mean squared deviation of the inner products of each model.

    See Also
    --------
    coral_penalty : Compares distributions of features instead.
    vrex_penalty : Compares risks instead.
    wsl.CausalMitigatedClassifier : Selects penalties by name with ``penalty=``.

    Notes
    -----
    :math:`\frac{1}{|E|} \sum_e \|m_e - \bar m\|^2` with :math:`m_e = E^e[\ell' X]`, where X is
    centered in environment e and has a 1 for the intercept. In a linear model whose environments
    differ in additive interventions on the columns, and not on the outcome, inner products of the
    columns with the causal model's errors are the same in all environments: the inner-product
    invariance of [1]_, which solves for a linear model with two environments. Here any network is
    penalized, as the invariance of its score. A coefficient b on an effect of the outcome enters
    linearly, but the risks (V-REx) and gradients in a scale (IRM) as :math:`b^2`: near the causal
    model fewer samples suffice. The invariance does not hold if mechanisms themselves differ, such
    as an effect's coefficient or the outcome's noise.

    References
    ----------
    .. [1] D. Rothenhäusler, P. Bühlmann and N. Meinshausen, "Causal Dantzig: Fast Inference in
       Linear Structural Equation Models with Hidden Variables under Additive Interventions",
       Annals of Statistics 47(3), 2019.

    Examples
    --------
    >>> from wsl import Architecture, EnvironmentMembershipFamily, train_zoo
    >>> from wsl.causal import causal_dantzig_penalty
    >>> data = EnvironmentMembershipFamily.linear_causal().sample(1, 64, random_state=0)
    >>> zoo = train_zoo(
    ...     Architecture.mlp(2, [4], 1), data, n_models=2, loss="mse", epochs=1,
    ...     penalty=causal_dantzig_penalty, penalty_weight=10, random_state=0,
    ... )
    >>> zoo.weights.shape
    (2, 17)
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        environments = EnvironmentMeans(members)
        delta, x = loss.gradient(outputs, targets), inputs.mT
        weighted = environments.weighted(delta.mT)
        column_means = (environments.weights @ inputs)[:, :, None]
        errors = weighted.sum(-1).unflatten(1, (-1, delta.shape[-1]))[..., None]
        products = (weighted @ inputs).unflatten(1, (-1, delta.shape[-1]))
        products = torch.cat([products - errors * column_means, errors], dim=3)
        deviations = environments.center(products)
        value = deviations.square().sum((1, 2, 3)) / environments.n_present[:, 0]
        gradient = deviations * (2 / environments.n_present)[..., None, None]
        in_products, in_errors = gradient[..., :-1], gradient[..., -1:]
        in_errors = in_errors - (in_products * column_means).sum(-1, keepdim=True)
        per_sample = (in_products.flatten(1, 2) @ x).unflatten(1, (-1, delta.shape[-1]))
        in_delta = ((per_sample + in_errors) * environments.weights[:, :, None]).sum(1)
        return value, loss.curvature(outputs, in_delta.mT)

    return closed_form(compute, outputs)
