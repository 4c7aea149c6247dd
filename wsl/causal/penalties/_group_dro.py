"""Group DRO: the worst risk over environments."""

import torch
from torch import Tensor

from ._environment_means import EnvironmentMeans, closed_form


def group_dro_penalty(
    outputs: Tensor,
    targets: Tensor,
    members: Tensor,
    loss,
    state: dict[str, Tensor] | None = None,
    step_size: float = 0.01,
) -> Tensor:
    r"""Compute the excess of the group DRO objective over the mean risk, for each model.

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
    state : dict of str to Tensor, default=None
        Holds ``log_q`` of shape (n_models, n_environments) between steps; the training loop passes
        it. If None, all weight is on the largest risk.
    step_size : float, default=0.01
        The step size :math:`\eta_q` of the environments' weights. Use ``functools.partial`` for
        another one.

    Returns
    -------
    Tensor of shape (n_models,)
        The excess of each model.

    See Also
    --------
    vrex_penalty : Penalizes the variance of the risks instead.
    wsl.CausalMitigatedClassifier : Selects penalties by name with ``penalty=``.

    Notes
    -----
    At each step :math:`q_e \leftarrow q_e \exp(\eta_q R^e)`, normalized, starting from equal
    weights, followed by a gradient step on :math:`\sum_e q_e R^e`. The penalty is this minus
    :math:`\frac{1}{m} \sum_e R^e`, which the objective contains already: with ``penalty_weight=1``
    the objective is the paper's, below that a mixture of both. An environment without samples in a
    batch keeps its weight and does not take part in the step; the weights of the others sum to 1.

    References
    ----------
    .. [1] S. Sagawa, P. W. Koh, T. B. Hashimoto and P. Liang, "Distributionally Robust Neural
       Networks for Group Shifts", ICLR 2020, algorithm 1.

    Examples
    --------
    >>> from wsl import Architecture, EnvironmentMembershipFamily, train_zoo
    >>> from wsl.causal import group_dro_penalty
    >>> data = EnvironmentMembershipFamily.linear_causal().sample(1, 64, random_state=0)
    >>> zoo = train_zoo(
    ...     Architecture.mlp(2, [4], 1), data, n_models=2, loss="mse", epochs=1,
    ...     penalty=group_dro_penalty, penalty_weight=10, random_state=0,
    ... )
    >>> zoo.weights.shape
    (2, 17)
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        environments = EnvironmentMeans(members)
        losses, gradient = loss.evaluate(outputs, targets)
        risks = environments.means(losses)
        q = _environment_weights(risks, environments.present, state, step_size)
        excess = q - environments.present.to(q) / environments.n_present
        return (excess * risks).sum(1), gradient * environments.backward(excess)[..., None]

    return closed_form(compute, outputs)


def _environment_weights(
    risks: Tensor, present: Tensor, state: dict[str, Tensor] | None, step_size: float
) -> Tensor:
    """Return q ``(n_models, n_environments)`` after this step's update; 0 for absent ones."""
    if state is None:
        worst = risks.masked_fill(~present, -torch.inf).argmax(1, keepdim=True)
        return torch.zeros_like(risks).scatter(1, worst, 1)
    log_q = state.get("log_q", torch.zeros_like(risks)) + step_size * risks
    state["log_q"] = log_q
    return log_q.masked_fill(~present, -torch.inf).softmax(1)
