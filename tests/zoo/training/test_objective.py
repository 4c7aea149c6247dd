"""Penalties and weights in training: a model is the one that a plain loop of torch trains."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsl import Architecture, train_zoo
from wsl.causal import PENALTIES, coral_penalty, group_dro_penalty, irm_unbiased_penalty
from wsl.exceptions import UnsupportedModuleError
from wsl.zoo.training._initialization import initial_row
from wsl.zoo.training._losses import LOSSES
from wsl.zoo.training._minibatches import membership
from wsl.zoo.training._network import ExecutionPlan
from wsl.zoo.training._objective import takes

N_MODELS, N_SAMPLES, BATCH_SIZE, EPOCHS = 4, 41, 16, 4
RATE, PENALTY_WEIGHT = 0.02, 0.8
TOLERANCE = {"rtol": 1e-3, "atol": 1e-5}


class Residual(nn.Module):
    """No chain of layers, so that it runs under autograd; its features come from a sum."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        return self.last(x + torch.tanh(self.second(x)))


ARCHITECTURES = {
    "mlp": Architecture.mlp(4, [6, 5], 3, "tanh"),
    "linear": Architecture.mlp(4, [], 3),
    "linear of some": Architecture.mlp(4, [], 3, features=[3, 1]),
    "cnn": Architecture(
        nn.Sequential(
            nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(27, 3),
        )
    ),
    "residual": Architecture(Residual(), input_shape=(4,)),
}  # fmt: skip
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
every_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


def draw_set(seed, n_environments=3):
    rng = np.random.default_rng([seed, 1])
    X = rng.normal(size=(N_SAMPLES, 4)).astype("f")
    y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-0.7, 0.7])
    environments = rng.choice(n_environments, N_SAMPLES)
    X[:, 3] = environments + y + rng.normal(size=N_SAMPLES)
    return X, y, environments, rng.choice([0.0, 0.5, 1, 3], N_SAMPLES)


SETS = [draw_set(i, n_environments=2 + i % 2) for i in range(N_MODELS)]
OPTIONS = {
    "loss": "cross_entropy",
    "optimizer": "sgd",
    "epochs": EPOCHS,
    "batch_size": BATCH_SIZE,
    "learning_rate": RATE,
    "penalty_weight": PENALTY_WEIGHT,
    "penalty_warmup": 1,
    "penalty_anneal": 2,
}
WEIGHT_IN_EPOCH = [0, PENALTY_WEIGHT / 3, PENALTY_WEIGHT * 2 / 3, PENALTY_WEIGHT]


def torch_loop(architecture, dataset, penalty, seed):
    """Train one model with torch alone, the penalty's own gradient aside; return its row."""
    rng = np.random.default_rng(seed)
    module = architecture.module(initial_row(architecture, "default", rng))
    features = []
    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda layer, taken: features.append(taken[0]))
    steps, state = torch.optim.SGD(module.parameters(), lr=RATE), {}
    X, y, environments, weights = (torch.tensor(values) for values in dataset)
    for penalty_weight in WEIGHT_IN_EPOCH:
        for rows in torch.tensor(rng.permutation(len(X))).split(BATCH_SIZE):
            outputs, w = module(X[rows]), weights[rows].float()
            losses = F.cross_entropy(outputs, y[rows], reduction="none")
            members = membership(environments[rows][None], 3, w[None])
            risks = (members[:, 0] * losses).sum(1)
            objective = risks.sum() / (members[:, 0].sum(1) > 0).sum()
            if penalty_weight > 0:
                more = {"features": features[-1][None]} if takes(penalty, "features") else {}
                more |= {"inputs": X[rows][None]} if takes(penalty, "inputs") else {}
                more |= {"state": state} if takes(penalty, "state") else {}
                targets = outputs[None], y[rows][None]
                value = penalty(*targets, members, LOSSES["cross_entropy"], **more)
                objective = objective + penalty_weight * value[0]
            steps.zero_grad()
            objective.backward()
            steps.step()
    return architecture.flatten(module)[0]


@every_penalty
@every_architecture
def test_a_model_is_that_of_a_plain_loop(name, penalty):
    architecture = ARCHITECTURES[name]
    zoo = train_zoo(architecture, SETS, penalty=penalty, random_state=0, **OPTIONS)
    start = train_zoo(architecture, SETS, random_state=0, **OPTIONS | {"epochs": 0})
    for i, dataset in enumerate(SETS):
        row = torch_loop(architecture, dataset, penalty, int(zoo.metadata["seed"][i]))
        np.testing.assert_allclose(zoo.weights[i], row, **TOLERANCE)
        assert np.abs(row - start.weights[i]).max() > 1e-2
    in_no_step = train_zoo(
        architecture, SETS, penalty=penalty, random_state=0, **OPTIONS | {"penalty_warmup": EPOCHS}
    )
    has_effect = name not in ("linear", "linear of some") or penalty is not coral_penalty
    assert (np.abs(in_no_step.weights - zoo.weights).max() > 1e-4) == has_effect


@pytest.mark.slow
@every_penalty
def test_other_models_chunks_and_workers_change_nothing(penalty):
    """Not even when some leave early, and those that stay take the state of the penalty along."""
    architecture = ARCHITECTURES["mlp"]
    options = OPTIONS | {"penalty": penalty, "stop_at_loss": [0, 9, 0, 0]}
    together = train_zoo(architecture, SETS, random_state=0, **options)
    assert together.metadata["epoch"].tolist() == [EPOCHS, 1, EPOCHS, EPOCHS]
    for more in ({"chunk_size": 1}, {"chunk_size": 3}, {"chunk_size": 2, "n_jobs": 2}):
        apart = train_zoo(architecture, SETS, random_state=0, **options, **more)
        np.testing.assert_allclose(apart.weights, together.weights, **TOLERANCE)


@every_penalty
@pytest.mark.parametrize("name", ["mlp", "linear", "cnn"])
def test_layers_do_what_autograd_does(name, penalty, monkeypatch):
    architecture = ARCHITECTURES[name]
    options = OPTIONS | {"penalty": penalty, "random_state": 0}
    assert ExecutionPlan(architecture).steps is not None
    fast = train_zoo(architecture, SETS, **options)
    monkeypatch.setattr(ExecutionPlan, "_chain", lambda self: None)
    slow = train_zoo(architecture, SETS, **options)
    np.testing.assert_allclose(fast.weights, slow.weights, **TOLERANCE)


@pytest.mark.parametrize(
    "penalty", [None, *(p for p in PENALTIES.values() if p is not irm_unbiased_penalty)]
)
def test_weights_are_repetition_where_a_batch_holds_all(penalty):
    architecture = ARCHITECTURES["mlp"]
    X, y, environments, _ = SETS[0]
    repeats = np.random.default_rng(0).integers(4, size=N_SAMPLES)
    options = OPTIONS | {"batch_size": None, "penalty": penalty, "n_models": 2, "random_state": 0}
    weighted = train_zoo(architecture, (X, y, environments, repeats), **options)
    again = tuple(np.repeat(values, repeats, axis=0) for values in (X, y, environments))
    repeated = train_zoo(architecture, again, **options)
    np.testing.assert_allclose(weighted.weights, repeated.weights, **TOLERANCE)
    losses = (zoo.metadata["train_loss"] for zoo in (weighted, repeated))
    np.testing.assert_allclose(*losses, rtol=1e-5)
    plain = train_zoo(architecture, (X, y, environments), **options)
    assert np.abs(plain.weights - weighted.weights).max() > 1e-3


@pytest.mark.parametrize("batch_size", [None, BATCH_SIZE])
def test_equal_weights_are_none(batch_size):
    X, y, *_ = SETS[0]
    options = OPTIONS | {"batch_size": batch_size, "n_models": 2, "random_state": 0}
    plain = train_zoo(ARCHITECTURES["mlp"], (X, y), **options)
    weighted = train_zoo(ARCHITECTURES["mlp"], (X, y, None, np.full(N_SAMPLES, 0.3)), **options)
    np.testing.assert_allclose(weighted.weights, plain.weights, **TOLERANCE)
    np.testing.assert_allclose(
        weighted.metadata["train_loss"], plain.metadata["train_loss"], rtol=1e-5
    )


def test_batches_without_weight_move_nothing():
    """Only one sample counts: batches without it are steps of length 0, and none is NaN."""
    X, y, *_ = SETS[0]
    only = np.eye(N_SAMPLES)[5]
    options = OPTIONS | {"n_models": 2, "random_state": 0}
    many = train_zoo(ARCHITECTURES["mlp"], (X, y, None, only), **options)
    one = train_zoo(ARCHITECTURES["mlp"], (X[5:6], y[5:6]), **options)
    np.testing.assert_allclose(many.weights, one.weights, **TOLERANCE)
    np.testing.assert_allclose(many.metadata["train_loss"], one.metadata["train_loss"], rtol=1e-4)


def test_group_dro_attends_to_the_worst_environment():
    """In two environments x predicts y, in the third, y is -x: their mean leaves that one out."""
    rng = np.random.default_rng(0)
    environments = np.repeat([0, 1, 2], [60, 60, 12])
    x = rng.normal(size=(len(environments), 1)).astype("f")
    y = np.where(environments == 2, -1, 1) * x[:, 0] + 0.1 * rng.normal(size=len(x))

    def worst_risk(**options):
        zoo = train_zoo(
            Architecture.mlp(1, [], 1), (x, y.astype("f"), environments), n_models=1, epochs=400,
            batch_size=None, learning_rate=0.05, random_state=0, **options,
        )  # fmt: skip
        errors = (zoo.forward(x)[0, :, 0] - y) ** 2
        return max(errors[environments == e].mean() for e in range(3))

    by_mean = worst_risk(penalty=group_dro_penalty, penalty_weight=0.0)
    by_worst = worst_risk(penalty=group_dro_penalty)
    # with the same weight on both signs the slope is 0, and every risk y's variance
    assert by_worst < 0.65 * by_mean


def test_a_penalty_of_ones_own():
    """Torch differentiates it; what further parameters it has besides is its own matter."""

    def smallness(outputs, targets, members, loss, features, strength=2.0):
        return strength * features.square().mean((1, 2)) + outputs.square().mean((1, 2))

    options = OPTIONS | {"random_state": 0, "penalty_weight": 50.0, "penalty_anneal": 0}
    zoo = train_zoo(ARCHITECTURES["mlp"], SETS, penalty=smallness, **options)
    plain = train_zoo(ARCHITECTURES["mlp"], SETS, **options)
    sizes = [np.square(z.forward(SETS[0][0])).mean() for z in (zoo, plain)]
    assert sizes[0] < 0.2 * sizes[1]


NO_FEATURES = {
    "Conv2d": nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2), nn.Flatten()),
    "Tanh": nn.Sequential(nn.Linear(4, 3), nn.Tanh()),
}


@pytest.mark.parametrize("last", NO_FEATURES)
def test_features_are_what_a_last_linear_takes(last):
    architecture = Architecture(NO_FEATURES[last])
    named = f"`penalty` takes the features .*; got (an unknown layer|Flatten|{last})"
    with pytest.raises(UnsupportedModuleError, match=named):
        train_zoo(architecture, SETS, penalty=coral_penalty, **OPTIONS)
