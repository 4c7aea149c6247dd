"""A model trained among others is the model that a plain loop of torch trains from its seed."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsl import Architecture, train_zoo
from wsl.architectures._builders import ACTIVATIONS
from wsl.causal import irm_penalty
from wsl.zoo.training._initialization import initial_row
from wsl.zoo.training._minibatches import membership
from wsl.zoo.training._network import ExecutionPlan

N_MODELS, N_SAMPLES, BATCH_SIZE, EPOCHS = 5, 37, 16, 3  # the last batch of an epoch is smaller
RATES = np.array([1e-3, 3e-3, 1e-2, 2e-2, 5e-3])
DECAYS = np.array([0.0, 1e-2, 0.1, 1e-3, 0.0])
SGD_FACTOR = 10  # plain gradient descent takes larger rates
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}  # Adam divides by small numbers and amplifies rounding


class Gated(nn.Module):
    """No Sequential, so that its models run under vmap."""

    def __init__(self, n_outputs):
        super().__init__()
        self.left, self.right = nn.Linear(4, n_outputs), nn.Linear(4, n_outputs)

    def forward(self, x):
        return self.left(x) * torch.sigmoid(self.right(x))


class Residual(nn.Module):
    """Batch normalisation and a sum, so that its models run layer by layer under autograd."""

    def __init__(self, n_outputs):
        super().__init__()
        # a bias before the norm has no effect: Adam would make large steps of its rounding errors
        self.first, self.norm = nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6)
        self.second, self.last = nn.Linear(6, 6), nn.Linear(6, n_outputs)

    def forward(self, x):
        x = torch.tanh(self.norm(self.first(x)))
        return self.last(x + self.second(x))


class Twice(nn.Module):
    """A layer that is applied twice gets the gradients of both."""

    def __init__(self, n_outputs):
        super().__init__()
        self.shared, self.last = nn.Linear(4, 4), nn.Linear(4, n_outputs)

    def forward(self, x):
        return self.last(torch.tanh(self.shared(torch.tanh(self.shared(x)))))


ARCHITECTURES = {
    "mlp": lambda n_outputs: Architecture.mlp(4, [8, 5], n_outputs, "tanh"),
    "linear": lambda n_outputs: Architecture.mlp(4, [], n_outputs),
    "cnn": lambda n_outputs: Architecture.cnn((1, 6, 6), [3], [5], n_outputs),
    "vmap": lambda n_outputs: Architecture(Gated(n_outputs), input_shape=(4,)),
    "twice": lambda n_outputs: Architecture(Twice(n_outputs), input_shape=(4,)),
    "along an axis": lambda n_outputs: Architecture(
        nn.Sequential(
            nn.Unflatten(1, (2, 2)),
            nn.Linear(2, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(6, n_outputs),
        )
    ),
    "batch norm": lambda n_outputs: Architecture(Residual(n_outputs), input_shape=(4,)),
}
N_OUTPUTS = {"mse": 1, "cross_entropy": 3, "binary": 1}
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def draw_set(architecture, loss, seed, n_samples=N_SAMPLES):
    """One model's X, y, and environments of uneven sizes."""
    rng = np.random.default_rng([seed, 1])
    X = rng.normal(size=(n_samples, architecture.n_inputs)).astype("f")
    signal = X[:, 0] + X[:, 1] * X[:, 2]
    y = {
        "mse": signal.astype("f"),
        "binary": (signal > 0).astype(int),
        "cross_entropy": np.digitize(signal, [-0.7, 0.7]),
    }[loss]
    return X, y, rng.choice(["a", "b", "c"], n_samples, p=[0.6, 0.3, 0.1])


def mean_loss(loss, outputs, y):
    if loss == "cross_entropy":
        return F.cross_entropy(outputs, y)
    function = {"mse": F.mse_loss, "binary": F.binary_cross_entropy_with_logits}[loss]
    return function(outputs[:, 0], y.float())


def irm_objective(loss, outputs, y, environments, penalty_weight):
    """The paper's IRMv1, with the dummy classifier and the second backward pass."""
    risks, penalties = [], []
    for environment in np.unique(environments):
        dummy = torch.ones((), requires_grad=True)
        inside = torch.tensor(environments == environment)
        risks.append(mean_loss(loss, outputs[inside] * dummy, y[inside]))
        (slope,) = torch.autograd.grad(risks[-1], dummy, create_graph=True)
        penalties.append(slope**2)
    return torch.stack(risks).mean() + penalty_weight * torch.stack(penalties).mean()


def torch_loop(
    architecture, dataset, loss, optimizer, seed, rate, decay, epochs=EPOCHS, penalty_weight=None
):
    """Train one model with torch alone; return its row and its last epoch's mean loss."""
    rng = np.random.default_rng(seed)
    module = architecture.module(initial_row(architecture, "default", rng)).train()
    steps = OPTIMIZERS[optimizer](module.parameters(), lr=rate, weight_decay=decay)
    X, y, environments = dataset
    inputs, targets = torch.tensor(X), torch.tensor(y)
    for _ in range(epochs):
        losses, sizes = [], []
        order = rng.permutation(len(X))
        for start in range(0, len(X), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            outputs = module(inputs[rows])
            risk = objective = mean_loss(loss, outputs, targets[rows])
            if penalty_weight is not None:
                objective = irm_objective(
                    loss, outputs, targets[rows], environments[rows], penalty_weight
                )
            steps.zero_grad()
            objective.backward()
            steps.step()
            losses.append(risk.item())
            sizes.append(len(rows))
    return architecture.flatten(module)[0], np.average(losses, weights=sizes)


def setting(architecture, loss, optimizer):
    architecture = ARCHITECTURES[architecture](N_OUTPUTS[loss])
    datasets = [draw_set(architecture, loss, i) for i in range(N_MODELS)]
    options = {
        "loss": loss,
        "optimizer": optimizer,
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
    }
    rates = RATES * SGD_FACTOR if optimizer == "sgd" else RATES
    return architecture, datasets, options, rates


def train_alone(architecture, datasets, zoo, i, **options):
    """The i-th model of a zoo, trained once more with no other beside it."""
    return train_zoo(
        architecture,
        datasets[i],
        seeds=[zoo.metadata["seed"][i]],
        learning_rate=zoo.metadata["learning_rate"][i],
        weight_decay=zoo.metadata["weight_decay"][i],
        **options,
    )


@pytest.mark.parametrize(
    "optimizer", ["adam", *(pytest.param(o, marks=pytest.mark.slow) for o in ("adamw", "sgd"))]
)
@pytest.mark.parametrize("loss", N_OUTPUTS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_trained_together_alone_and_by_torch(name, loss, optimizer):
    architecture, datasets, options, rates = setting(name, loss, optimizer)
    zoo = train_zoo(
        architecture, datasets, learning_rate=rates, weight_decay=DECAYS, random_state=0, **options
    )
    for i, dataset in enumerate(datasets):
        alone = train_alone(architecture, datasets, zoo, i, **options)
        np.testing.assert_allclose(zoo.weights[i], alone.weights[0], **TOLERANCE)
        seed = int(zoo.metadata["seed"][i])
        row, last = torch_loop(architecture, dataset, loss, optimizer, seed, rates[i], DECAYS[i])
        np.testing.assert_allclose(zoo.weights[i], row, **TOLERANCE)
        assert zoo.metadata["train_loss"][i] == pytest.approx(last, rel=1e-3)
        start = initial_row(architecture, "default", np.random.default_rng(seed))
        assert np.abs(zoo.weights[i] - start).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("loss", N_OUTPUTS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_with_a_penalty_on_environments(name, loss):
    architecture, datasets, options, rates = setting(name, loss, "adam")
    options |= {"penalty": irm_penalty, "penalty_weight": 3.0}
    zoo = train_zoo(
        architecture, datasets, learning_rate=rates, weight_decay=DECAYS, random_state=0, **options
    )
    for i, dataset in enumerate(datasets):
        alone = train_alone(architecture, datasets, zoo, i, **options)
        np.testing.assert_allclose(zoo.weights[i], alone.weights[0], **TOLERANCE)
        seed = int(zoo.metadata["seed"][i])
        row, last = torch_loop(
            architecture, dataset, loss, "adam", seed, rates[i], DECAYS[i], penalty_weight=3.0
        )
        np.testing.assert_allclose(zoo.weights[i], row, **TOLERANCE)
        assert zoo.metadata["train_loss"][i] == pytest.approx(last, rel=1e-3)


LAYERED = {
    **{a: lambda n, a=a: Architecture.mlp(36, [8, 3], n, a) for a in sorted(ACTIVATIONS)},
    "wider and wider": lambda n: Architecture.mlp(36, [2, 3, 5], n),
    "nothing between": lambda n: Architecture(nn.Sequential(nn.Linear(36, 3), nn.Linear(3, n))),
    "features": lambda n: Architecture.mlp(36, [4], n, features=[3, 1]),
    "features of a linear model": lambda n: Architecture.mlp(36, [], n, features=[3]),
    "cnn": lambda n: Architecture.cnn((1, 6, 6), [3, 4], [5], n, kernel_size=2),
    "convolutions": lambda n: Architecture(
        nn.Sequential(
            nn.Unflatten(1, (4, 3, 3)),
            nn.Conv2d(4, 3, 2, padding=(1, 2), dilation=(1, 2), bias=False),
            nn.Tanh(),
            nn.Conv2d(3, 2, (1, 2), stride=(2, 1)),
            nn.MaxPool2d(2, stride=1, padding=1),
            nn.Conv2d(2, 3, 1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(45, n),
        )
    ),
    "ends in a convolution": lambda n: Architecture(
        nn.Sequential(nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, n, 6), nn.Flatten())
    ),
}


@pytest.mark.parametrize("penalty", [None, irm_penalty])
@pytest.mark.parametrize("loss", N_OUTPUTS)
@pytest.mark.parametrize("name", LAYERED)
def test_layers_do_what_autograd_does(name, loss, penalty, monkeypatch):
    architecture = LAYERED[name](N_OUTPUTS[loss])
    datasets = [draw_set(architecture, loss, i) for i in range(N_MODELS)]
    options = {
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "random_state": 0,
        "loss": loss,
        "penalty": penalty,
    }
    assert ExecutionPlan(architecture).steps is not None
    fast = train_zoo(architecture, datasets, **options)
    monkeypatch.setattr(ExecutionPlan, "_chain", lambda self: None)
    slow = train_zoo(architecture, datasets, **options)
    np.testing.assert_allclose(fast.weights, slow.weights, **TOLERANCE)
    np.testing.assert_allclose(fast.metadata["train_loss"], slow.metadata["train_loss"], rtol=1e-4)


@pytest.mark.parametrize("name", [*LAYERED, "pooling first"])
def test_one_set_for_all_at_once_is_a_copy_for_each(name):
    pooled = nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.MaxPool2d(2), nn.Tanh(), nn.Flatten(), nn.Linear(9, 3)
    )
    architecture = LAYERED[name](3) if name in LAYERED else Architecture(pooled)
    dataset = draw_set(architecture, "cross_entropy", 0)[:2]
    options = {"epochs": EPOCHS, "batch_size": None, "random_state": 0, "n_models": N_MODELS}
    assert ExecutionPlan(architecture).steps is not None
    shared = train_zoo(architecture, dataset, **options)
    copies = train_zoo(architecture, [dataset] * N_MODELS, **options)
    np.testing.assert_allclose(shared.weights, copies.weights, **TOLERANCE)


def test_what_has_no_layers_here():
    shared = nn.Linear(3, 3)
    others = [
        Architecture(nn.Sequential(nn.Linear(3, 2, bias=False))),
        Architecture(nn.Sequential(shared, nn.Tanh(), shared)),
        Architecture(nn.Sequential(nn.Linear(3, 2), nn.Flatten()), input_shape=(4, 3)),
        Architecture(Gated(2), input_shape=(4,)),
        Architecture(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))),
        Architecture(nn.Sequential(nn.Conv2d(1, 2, 3, padding="same")), input_shape=(1, 4, 4)),
    ]
    assert all(ExecutionPlan(architecture).steps is None for architecture in others)


def test_an_epoch_on_all_samples_draws_no_order():
    """With ``batch_size=None`` the order does not matter, and a step is one of gradient descent."""
    architecture = ARCHITECTURES["linear"](1)
    X, y, _ = draw_set(architecture, "mse", 0)
    options = {"n_models": 1, "optimizer": "sgd", "learning_rate": 0.1, "random_state": 0}
    zoo = train_zoo(architecture, (X, y), epochs=1, batch_size=None, **options)
    for batch_size in (N_SAMPLES, 10 * N_SAMPLES):
        same = train_zoo(architecture, (X, y), epochs=1, batch_size=batch_size, **options)
        np.testing.assert_array_equal(same.weights, zoo.weights)
    start = train_zoo(architecture, (X, y), epochs=0, **options).weights[0]
    design = np.column_stack([X, np.ones(N_SAMPLES)])
    step = 0.1 * 2 / N_SAMPLES * design.T @ (design @ start - y)
    np.testing.assert_allclose(zoo.weights[0], start - step, atol=1e-6)


def test_membership_gives_each_environment_the_weight_one():
    environments = torch.tensor([[0, 0, 1, 1, 1], [0, 2, 2, 2, 2]])
    members = membership(environments, 3)
    third, quarter = 1 / 3, 0.25
    expected = [
        [[0.5, 0.5, 0, 0, 0], [1, 0, 0, 0, 0]],
        [[0, 0, third, third, third], [0, 0, 0, 0, 0]],
        [[0, 0, 0, 0, 0], [0, quarter, quarter, quarter, quarter]],
    ]
    torch.testing.assert_close(members, torch.tensor(expected))


class Scaled(nn.Module):
    """Its parameter has a name that running statistics have, too."""

    def __init__(self):
        super().__init__()
        self.running_mean = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return (x * self.running_mean).sum(1, keepdim=True)


def test_trained_parameters_are_recognized_by_layer_type_not_by_name():
    architecture = Architecture(Scaled(), input_shape=(4,))
    X, y, _ = draw_set(architecture, "mse", 0)
    options = {"n_models": 1, "optimizer": "sgd", "batch_size": None, "random_state": 0}
    start = train_zoo(architecture, (X, y), epochs=0, **options).weights[0]
    zoo = train_zoo(architecture, (X, y), epochs=1, learning_rate=0.1, **options)
    step = 0.1 * 2 / N_SAMPLES * X.T @ (X @ start - y)
    np.testing.assert_allclose(zoo.weights[0], start - step, atol=1e-6)
