"""V-REx: the variance of the environments' risks."""

from torch import Tensor

from ._environment_means import EnvironmentMeans, closed_form


def vrex_penalty(outputs: Tensor, targets: Tensor, members: Tensor, loss) -> Tensor:
    r"""Compute the variance of the environments' risks (V-REx) of each model.

    Parameters
    ----------
    outputs : Tensor of shape (n_models, n_samples, n_outputs)
        Outputs of the models.
    targets : Tensor of shape (n_models, n_samples, ...)
        Targets in the form that ``loss`` takes.
    members : Tensor of shape (n_environments, n_models or 1, n_samples)
        Weight of each sample in the mean of its environment; 0 outside it.
    loss : object
        The training loss, with ``evaluate``, its values and their gradient in the outputs.

    Returns
    -------
    Tensor of shape (n_models,)
        The variance of the risks of each model.

    See Also
    --------
    group_dro_penalty : Penalizes the worst risk instead.
    irm_penalty : Penalizes gradients of the risks instead.
    wsl.CausalMitigatedClassifier : Selects penalties by name with ``penalty=``.

    Notes
    -----
    :math:`\mathrm{Var}(\{R^1, ..., R^m\}) = \frac{1}{m} \sum_e (R^e - \bar R)^2`. The paper adds it
    to the sum of the risks, the objective here to their mean: its :math:`\beta` is m times
    ``penalty_weight``. The method assumes that y is equally noisy in every environment.

    References
    ----------
    .. [1] D. Krueger et al., "Out-of-Distribution Generalization via Risk Extrapolation (REx)",
       ICML 2021, V-REx.

    Examples
    --------
    >>> from wsl import Architecture, EnvironmentMembershipFamily, train_zoo
    >>> from wsl.causal import vrex_penalty
    >>> data = EnvironmentMembershipFamily.linear_causal().sample(1, 64, random_state=0)
    >>> zoo = train_zoo(
    ...     Architecture.mlp(2, [4], 1), data, n_models=2, loss="mse", epochs=1,
    ...     penalty=vrex_penalty, penalty_weight=10, random_state=0,
    ... )
    >>> zoo.weights.shape
    (2, 17)
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        environments = EnvironmentMeans(members)
        losses, gradient = loss.evaluate(outputs, targets)
        deviations = environments.center(environments.means(losses))
        value = deviations.square().sum(1) / environments.n_present[:, 0]
        per_sample = environments.backward(deviations * (2 / environments.n_present))
        return value, gradient * per_sample[..., None]

    return closed_form(compute, outputs)
