"""Penalties on the risks of the environments: their variance, and the worst of them.

Plain torch. How a penalty is weighted is for the training loop.
"""

import torch
from torch import Tensor

from ._environment_means import Environments, closed_form


def vrex_penalty(outputs: Tensor, targets: Tensor, members: Tensor, loss) -> Tensor:
    r"""Return the variance of the environments' risks (V-REx) of each model.

    Parameters
    ----------
    outputs : Tensor ``(n_models, n_samples, n_outputs)``
    targets : Tensor ``(n_models, n_samples, ...)``, as ``loss`` takes them
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.
    loss : Loss
        With ``evaluate``, its values and their gradient in the outputs.

    Returns
    -------
    Tensor ``(n_models,)``

    Notes
    -----
    :math:`\mathrm{Var}(\{R^1, ..., R^m\}) = \frac{1}{m} \sum_e (R^e - \bar R)^2`. The paper adds it
    to the sum of the risks, the objective here to their mean: its :math:`\beta` is m times
    ``penalty_weight``. It asks that y be as noisy in every environment.

    References
    ----------
    D. Krueger et al., "Out-of-Distribution Generalization via Risk Extrapolation (REx)", ICML 2021,
    V-REx.
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        environments = Environments(members)
        values, slope = loss.evaluate(outputs, targets)
        deviations = environments.centre(environments.means(values))
        value = deviations.square().sum(1) / environments.n_present[:, 0]
        of_sample = environments.spread(deviations * (2 / environments.n_present))
        return value, slope * of_sample[..., None]

    return closed_form(compute, outputs)


def group_dro_penalty(
    outputs: Tensor,
    targets: Tensor,
    members: Tensor,
    loss,
    state: dict[str, Tensor] | None = None,
    step_size: float = 0.01,
) -> Tensor:
    r"""Return by how much the risk that group DRO minimises is above the mean over environments.

    Parameters
    ----------
    outputs : Tensor ``(n_models, n_samples, n_outputs)``
    targets : Tensor ``(n_models, n_samples, ...)``, as ``loss`` takes them
    members : Tensor ``(n_environments, n_models or 1, n_samples)``
        The share of each sample in its environment's mean; 0 outside it.
    loss : Loss
        With ``evaluate``, its values and their gradient in the outputs.
    state : dict of str to Tensor, optional
        Where ``log_q``, ``(n_models, n_environments)``, is kept from one step to the next. Without
        it the value is that at the worst q, all of whose weight is on the largest risk.
    step_size : float, default=0.01
        :math:`\eta_q`, how fast the weights of the environments follow their risks; another one
        with ``functools.partial``.

    Returns
    -------
    Tensor ``(n_models,)``

    Notes
    -----
    At each step :math:`q_e \leftarrow q_e \exp(\eta_q R^e)`, normalised, from equal weights on, and
    a step of gradient descent is made on :math:`\sum_e q_e R^e`. The penalty is this less
    :math:`\frac{1}{m} \sum_e R^e`, the part of the objective that is there without it: with
    ``penalty_weight=1`` the objective is the paper's, below that a mixture of the two. An
    environment that a batch holds no sample of keeps its weight and has no part in the step; those
    of the others sum to one.

    References
    ----------
    S. Sagawa, P. W. Koh, T. B. Hashimoto and P. Liang, "Distributionally Robust Neural Networks for
    Group Shifts", ICLR 2020, algorithm 1.
    """

    def compute(outputs: Tensor) -> tuple[Tensor, Tensor]:
        environments = Environments(members)
        values, slope = loss.evaluate(outputs, targets)
        risks = environments.means(values)
        q = _environment_weights(risks, environments.present, state, step_size)
        above = q - environments.present.to(q) / environments.n_present
        return (above * risks).sum(1), slope * environments.spread(above)[..., None]

    return closed_form(compute, outputs)


def _environment_weights(
    risks: Tensor, present: Tensor, state: dict[str, Tensor] | None, step_size: float
) -> Tensor:
    """Return q ``(n_models, n_environments)`` after this step's update, 0 for those absent."""
    if state is None:
        worst = risks.masked_fill(~present, -torch.inf).argmax(1, keepdim=True)
        return torch.zeros_like(risks).scatter(1, worst, 1)
    log_q = state.get("log_q", torch.zeros_like(risks)) + step_size * risks
    state["log_q"] = log_q
    return log_q.masked_fill(~present, -torch.inf).softmax(1)
