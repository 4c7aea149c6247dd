import numpy as np
import pytest
import torch
from torch.nn import functional as F

from wsl.causal import PENALTIES, irm_penalty
from wsl.zoo._losses import LOSSES
from wsl.zoo._minibatches import membership

N_MODELS, N_SAMPLES = 4, 23
LOSS_OF = {
    "mse": F.mse_loss,
    "binary": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
}
ENVIRONMENTS = {
    "uneven": np.repeat([0, 1, 2], [1, 15, 7]),
    "one": np.zeros(N_SAMPLES, int),
    "one of them missing": np.repeat([0, 2], [5, 18]),
    "every sample its own": np.arange(N_SAMPLES),
}


def by_double_backward(name, outputs, targets, environments):
    """The paper's formula for one model, with the dummy classifier and a second backward pass."""
    penalties = []
    for environment in torch.unique(environments):
        dummy = torch.ones((), requires_grad=True)
        inside = environments == environment
        risk = LOSS_OF[name](outputs[inside] * dummy, targets[inside])
        (slope,) = torch.autograd.grad(risk, dummy, create_graph=True)
        penalties.append(slope**2)
    return torch.stack(penalties).mean()


@pytest.fixture(params=[("mse", 1), ("mse", 2), ("binary", 1), ("cross_entropy", 3)], ids=str)
def case(request):
    """A loss, outputs of each model as leaves of autograd, and targets."""
    name, n_outputs = request.param
    rng = np.random.default_rng(0)
    outputs = torch.tensor(rng.normal(size=(N_MODELS, N_SAMPLES, n_outputs)), dtype=torch.float)
    if name == "mse":
        targets = torch.tensor(rng.normal(size=outputs.shape), dtype=torch.float)
    elif name == "binary":
        targets = torch.tensor(rng.integers(2, size=outputs.shape), dtype=torch.float)
    else:
        targets = torch.tensor(rng.integers(n_outputs, size=outputs.shape[:2]))
    return name, outputs.requires_grad_(), targets


def assert_penalty(case, environments):
    """Values and gradients are those of the formula, one model after another."""
    name, outputs, targets = case
    values = irm_penalty(
        outputs, targets, membership(environments, int(environments.max()) + 1), LOSSES[name]
    )
    expected = torch.stack(
        [
            by_double_backward(name, *own)
            for own in zip(outputs, targets, environments.expand(N_MODELS, -1), strict=True)
        ]
    )
    assert values.shape == (N_MODELS,)
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-6)
    gradients = [torch.autograd.grad(v.sum(), outputs)[0] for v in (values, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_irm_is_the_paper_s_formula(name, case):
    assert_penalty(case, torch.tensor(ENVIRONMENTS[name])[None])


def test_environments_of_each_model(case):
    """One model has all three environments, others one or two of them."""
    drawn = np.random.default_rng(1).integers(3, size=(N_MODELS, N_SAMPLES))
    drawn[1], drawn[2] = drawn[1].clip(max=1), 2
    assert_penalty(case, torch.tensor(drawn))


def test_the_best_scale_is_not_penalised():
    """Least squares within each environment leaves nothing to gain by scaling."""
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(1, N_SAMPLES, 1)), dtype=torch.float64)
    members = membership(torch.tensor(ENVIRONMENTS["uneven"])[None], 3).double()
    exact = irm_penalty(x, x, members, LOSSES["mse"])
    doubled = irm_penalty(2 * x, x, members, LOSSES["mse"])
    assert exact == 0
    second_moment = (members[:, 0] * x[0, :, 0] ** 2).sum(1)
    torch.testing.assert_close(doubled, ((4 * second_moment) ** 2).mean()[None])


def test_what_may_be_named():
    assert PENALTIES["irm"] is irm_penalty
