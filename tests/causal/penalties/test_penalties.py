"""Each penalty is its paper's formula, written out for one model, environment after environment."""

import inspect
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from wsl.causal import (
    PENALTIES,
    causal_dantzig_penalty,
    coral_penalty,
    fishr_penalty,
    group_dro_penalty,
    irm_penalty,
    irm_unbiased_penalty,
    vrex_penalty,
)
from wsl.zoo.training._losses import LOSSES
from wsl.zoo.training._minibatches import membership
from wsl.zoo.training._objective import takes

N_MODELS, N_SAMPLES, N_FEATURES = 4, 23, 5
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


def parts(environments, *values):
    """The values of the samples of each environment that is there."""
    for environment in torch.unique(environments):
        yield tuple(value[environments == environment] for value in values)


# --- the papers' formulas for one model; gradients are torch's own


def scale_slope(name, outputs, targets):
    """The derivative of a risk in the dummy classifier, with a second backward pass."""
    dummy = torch.ones((), dtype=torch.double, requires_grad=True)
    risk = LOSS_OF[name](outputs * dummy, targets)
    return torch.autograd.grad(risk, dummy, create_graph=True)[0]


def plain_irm(name, outputs, targets, environments, features):
    slopes = [scale_slope(name, *part) for part in parts(environments, outputs, targets)]
    return torch.stack([slope**2 for slope in slopes]).mean()


def plain_irm_unbiased(name, outputs, targets, environments, features):
    terms = []
    for z, y in parts(environments, outputs, targets):
        halves = [scale_slope(name, z[i::2], y[i::2]) for i in (0, 1) if len(z) > 1]
        terms.append(halves[0] * halves[1] if halves else 0 * z.sum())
    return torch.stack(terms).mean()


def plain_vrex(name, outputs, targets, environments, features):
    risks = torch.stack([LOSS_OF[name](*p) for p in parts(environments, outputs, targets)])
    return risks.var(correction=0)


def plain_group_dro(name, outputs, targets, environments, features):
    """Without a state, the worst risk, above their mean."""
    risks = torch.stack([LOSS_OF[name](*p) for p in parts(environments, outputs, targets)])
    return risks.max() - risks.mean()


def plain_causal_dantzig(name, outputs, targets, environments, features):
    """The features stand in for inputs: covariances of errors with them, and mean errors."""
    (slopes,) = torch.autograd.grad(
        LOSS_OF[name](outputs, targets, reduction="sum"), outputs, create_graph=True
    )
    if name != "cross_entropy":
        slopes = slopes / outputs.shape[1]
    products = [
        torch.cat([s[:, :, None] * (x - x.mean(0))[:, None], s[:, :, None]], 2).mean(0)
        for s, x in parts(environments, slopes, features)
    ]
    mean = torch.stack(products).mean(0)
    return torch.stack([((p - mean) ** 2).sum() for p in products]).mean()


def plain_coral(name, outputs, targets, environments, features):
    moments = [
        (h.mean(0), torch.atleast_2d(torch.cov(h.T, correction=0)))
        for (h,) in parts(environments, features)
    ]
    pairs = [
        ((m - n) ** 2).sum() / N_FEATURES + ((C - D) ** 2).sum() / (4 * N_FEATURES**2)
        for (m, C), (n, D) in combinations(moments, 2)
    ]
    return torch.stack(pairs).mean() if pairs else 0 * features.sum()


def plain_fishr(name, outputs, targets, environments, features):
    """Each sample's gradient in a last layer that gives the outputs, by a backward of its own."""
    variances = []
    for z, y, h in parts(environments, outputs, targets, features):
        gradients = []
        for i in range(len(z)):
            weight = torch.zeros(z.shape[1], N_FEATURES, dtype=z.dtype, requires_grad=True)
            bias = torch.zeros(z.shape[1], dtype=z.dtype, requires_grad=True)
            risk = LOSS_OF[name]((z[i] + weight @ h[i] + bias)[None], y[i][None])
            slopes = torch.autograd.grad(risk, (weight, bias), create_graph=True)
            gradients.append(torch.cat([s.flatten() for s in slopes]))
        variances.append(torch.stack(gradients).var(0, correction=0))
    mean = torch.stack(variances).mean(0)
    return torch.stack([((v - mean) ** 2).sum() for v in variances]).mean()


FORMULAS = {
    irm_penalty: plain_irm,
    irm_unbiased_penalty: plain_irm_unbiased,
    vrex_penalty: plain_vrex,
    group_dro_penalty: plain_group_dro,
    causal_dantzig_penalty: plain_causal_dantzig,
    coral_penalty: plain_coral,
    fishr_penalty: plain_fishr,
}
every_penalty = pytest.mark.parametrize("penalty", FORMULAS, ids=lambda p: p.__name__)


@pytest.fixture(params=[("mse", 1), ("mse", 2), ("binary", 1), ("cross_entropy", 3)], ids=str)
def case(request):
    """A loss, outputs and features of each model as leaves of autograd, and targets."""
    name, n_outputs = request.param
    rng = np.random.default_rng(0)
    outputs = torch.tensor(rng.normal(size=(N_MODELS, N_SAMPLES, n_outputs)), dtype=torch.double)
    features = torch.tensor(rng.normal(size=(N_MODELS, N_SAMPLES, N_FEATURES)), dtype=torch.double)
    if name == "mse":
        targets = torch.tensor(rng.normal(size=outputs.shape), dtype=torch.double)
    elif name == "binary":
        targets = torch.tensor(rng.integers(2, size=outputs.shape), dtype=torch.double)
    else:
        targets = torch.tensor(rng.integers(n_outputs, size=outputs.shape[:2]))
    return name, outputs.requires_grad_(), targets, features.requires_grad_()


def shares(environments, n_environments, weights=None):
    """What the engine makes of environments, in double precision."""
    if weights is None:
        weights = torch.ones(environments.shape, dtype=torch.double)
    return membership(environments, n_environments, weights)


def value_of(penalty, case, members):
    name, outputs, targets, features = case
    more = {n: features for n in ("features", "inputs") if takes(penalty, n)}
    if "inputs" in more:  # data, and no gradient is wanted in them
        more["inputs"] = features.detach()
    return penalty(outputs, targets, members, LOSSES[name], **more)


def gradients_of(values, case, penalty):
    _, outputs, _, features = case
    leaves = (outputs,) if takes(penalty, "inputs") else (outputs, features)
    return torch.autograd.grad(values.sum(), leaves, materialize_grads=True)


def assert_penalty(penalty, case, environments):
    """Values and gradients are those of the formula, one model after another."""
    name, outputs, targets, features = case
    members = shares(environments, int(environments.max()) + 1)
    values = value_of(penalty, case, members)
    own = zip(outputs, targets, environments.expand(N_MODELS, -1), features, strict=True)
    expected = torch.stack([FORMULAS[penalty](name, *of_model) for of_model in own])
    assert values.shape == (N_MODELS,)
    torch.testing.assert_close(values, expected)
    for found, wanted in zip(
        gradients_of(values, case, penalty), gradients_of(expected, case, penalty), strict=True
    ):
        torch.testing.assert_close(found, wanted)


@every_penalty
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_it_is_the_paper_s_formula(name, penalty, case):
    assert_penalty(penalty, case, torch.tensor(ENVIRONMENTS[name])[None])


@every_penalty
def test_environments_of_each_model(penalty, case):
    """One model has all three environments, others one or two of them."""
    drawn = np.random.default_rng(1).integers(3, size=(N_MODELS, N_SAMPLES))
    drawn[1], drawn[2] = drawn[1].clip(max=1), 2
    assert_penalty(penalty, case, torch.tensor(drawn))


@every_penalty
def test_the_gradient_is_that_of_the_value(penalty):
    """Finite differences in double precision, with samples that count differently."""
    rng = np.random.default_rng(0)
    outputs, targets = torch.tensor(rng.normal(size=(2, 2, 9, 2)))
    features = torch.tensor(rng.normal(size=(2, 9, N_FEATURES)))
    weights = torch.tensor(rng.random((2, 9)))
    environments = torch.tensor(rng.integers(3, size=(2, 9)))
    members = shares(environments, 3, weights)
    leaves = outputs.requires_grad_(), features.requires_grad_(not takes(penalty, "inputs"))

    def value(outputs, features):
        return value_of(penalty, ("mse", outputs, targets, features), members)

    assert torch.autograd.gradcheck(value, leaves)


@pytest.mark.parametrize(
    "penalty", [p for p in FORMULAS if p is not irm_unbiased_penalty], ids=lambda p: p.__name__
)
def test_weighing_is_repetition(penalty, case):
    """Not so for halves of an environment, which depend on how many samples there are."""
    name, outputs, targets, features = case
    environments = torch.tensor(ENVIRONMENTS["uneven"])[None]
    repeats = torch.tensor(np.random.default_rng(0).integers(1, 4, size=N_SAMPLES))
    weighted = value_of(penalty, case, shares(environments, 3, repeats[None].double()))
    again = [v.repeat_interleave(repeats, dim=1) for v in (outputs, targets, features)]
    members = shares(environments.repeat_interleave(repeats, dim=1), 3)
    repeated = value_of(penalty, (name, *again), members)
    torch.testing.assert_close(weighted, repeated)
    for found, wanted in zip(
        gradients_of(weighted, case, penalty), gradients_of(repeated, case, penalty), strict=True
    ):
        torch.testing.assert_close(found, wanted)


# --- what the formulas are for


def test_the_best_scale_is_not_penalised():
    """Least squares within each environment leaves nothing to gain by scaling."""
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(1, N_SAMPLES, 1)), dtype=torch.float64)
    members = shares(torch.tensor(ENVIRONMENTS["uneven"])[None], 3)
    exact = irm_penalty(x, x, members, LOSSES["mse"])
    doubled = irm_penalty(2 * x, x, members, LOSSES["mse"])
    assert exact == 0
    second_moment = (members[:, 0] * x[0, :, 0] ** 2).sum(1)
    torch.testing.assert_close(doubled, ((4 * second_moment) ** 2).mean()[None])


def test_two_halves_do_not_penalise_noise():
    """Where the slope in the scale is 0 in expectation, the plain estimate is its variance."""
    rng = np.random.default_rng(0)
    outputs = torch.ones(20000, 8, 1, dtype=torch.float64)
    targets = torch.tensor(rng.normal(1, 1, size=outputs.shape))
    members = shares(torch.zeros(1, 8, dtype=torch.int64), 1)
    plain, unbiased = (
        penalty(outputs, targets, members, LOSSES["mse"])
        for penalty in (irm_penalty, irm_unbiased_penalty)
    )
    assert plain.mean() == pytest.approx(4 / 8, rel=0.05)
    assert abs(unbiased.mean()) < 4 * unbiased.std() / len(unbiased) ** 0.5


@pytest.mark.parametrize("step_size", [0.01, 2.0])
def test_group_dro_is_the_paper_s_algorithm(step_size):
    """Three models, a few steps; a plain loop keeps the weights of one model's environments."""
    rng, n_steps = np.random.default_rng(0), 6
    penalty = group_dro_penalty
    if step_size != 0.01:
        penalty = partial(penalty, step_size=step_size)
    steps = torch.tensor(rng.normal(size=(n_steps, 2, 3, N_SAMPLES, 1)))
    environments = torch.tensor(rng.integers(3, size=(3, N_SAMPLES)))
    members = shares(environments, 3)
    state = {}
    found = [penalty(z, y, members, LOSSES["mse"], state=state) for z, y in steps]
    for model in range(3):
        q = np.ones(3) / 3
        for (z, y), value in zip(steps, found, strict=True):
            error = ((z - y)[model, :, 0] ** 2).numpy()
            risks = np.array([error[environments[model].numpy() == e].mean() for e in range(3)])
            q = q * np.exp(step_size * risks)
            q = q / q.sum()
            assert value[model].item() == pytest.approx(q @ risks - risks.mean(), rel=1e-9)
    assert list(state) == ["log_q"]
    assert state["log_q"].shape == (3, 3)


def test_group_dro_knows_no_environment_that_only_other_models_have():
    rng = np.random.default_rng(0)
    z, y = torch.tensor(rng.normal(size=(2, 2, N_SAMPLES, 1)))
    environments = torch.tensor(rng.integers(3, size=(2, N_SAMPLES))).clamp(
        max=torch.tensor([[1], [2]])
    )
    together, alone = {}, {}
    for _ in range(3):
        of_both = group_dro_penalty(z, y, shares(environments, 3), LOSSES["mse"], together, 1.0)
        of_first = group_dro_penalty(
            z[:1], y[:1], shares(environments[:1], 2), LOSSES["mse"], alone, 1.0
        )
        torch.testing.assert_close(of_both[:1], of_first)


def test_features_that_are_alike_are_not_penalised():
    features = torch.tensor(np.random.default_rng(0).normal(size=(1, 6, 3))).repeat(1, 2, 1)
    members = shares(torch.arange(2).repeat_interleave(6)[None], 2)
    none = torch.zeros(1, 12, 1, dtype=torch.float64)
    assert coral_penalty(none, none, members, LOSSES["mse"], features) < 1e-25
    shifted = features.clone()
    shifted[:, 6:] += 1
    found = coral_penalty(none, none, members, LOSSES["mse"], shifted)
    torch.testing.assert_close(found, torch.ones(1, dtype=torch.float64))


def test_what_may_be_named():
    assert list(PENALTIES) == [
        *("irm", "irm_unbiased", "vrex", "group_dro", "causal_dantzig", "coral", "fishr")
    ]
    assert set(PENALTIES.values()) == set(FORMULAS)
    for name, penalty in PENALTIES.items():
        assert penalty.__name__ == f"{name}_penalty"
        assert list(inspect.signature(penalty).parameters)[:4] == [
            "outputs", "targets", "members", "loss",
        ]  # fmt: skip
