"""Each layer run for many models at once against torch running each model by itself."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsl import Architecture
from wsl.architectures.forward._context import Training


class Residual(nn.Module):
    """Batch normalisation, a sum, and functions where others would have layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, 2, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = F.relu(x + self.norm(self.second(x)))
        return self.head(F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1))


class InPlace(nn.Module):
    """Code that works in place is not what a trace shows: it runs as it is, under vmap."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        hidden = self.linear(x)
        return F.relu(hidden, inplace=True) + hidden


def image(*layers, shape=(2, 9, 11)):
    return Architecture(nn.Sequential(*layers), input_shape=shape)


CASES = {
    "convolution": image(nn.Conv2d(2, 3, (3, 2), (2, 1), (1, 2), (1, 2)), nn.Conv2d(3, 2, 2)),
    "convolution without bias": image(nn.Conv2d(2, 3, 3, bias=False)),
    "1 x 1, strided": image(nn.Conv2d(2, 3, 1, stride=2)),
    "convolution 1d": image(
        nn.Conv1d(2, 4, 3, 2, 1, 2), nn.Tanh(), nn.Conv1d(4, 3, 2), shape=(2, 19)
    ),
    "max-pool": image(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d((1, 2))),
    "max-pool, overlapping": image(nn.Conv2d(2, 3, 2), nn.MaxPool2d(3, 2, padding=1, dilation=2)),
    "max-pool, ceil": image(nn.Conv2d(2, 3, 2), nn.MaxPool2d(3, 2, ceil_mode=True)),
    "max-pool after a falling activation": image(nn.Conv2d(2, 3, 2), nn.GELU(), nn.MaxPool2d(2)),
    "average pool": image(nn.Conv2d(2, 3, 2), nn.AvgPool2d(2), nn.AvgPool2d(2, 1)),
    "average pool, padded": image(nn.Conv2d(2, 3, 2), nn.AvgPool2d(3, padding=1)),
    "adaptive pools": image(
        nn.Conv2d(2, 3, 2), nn.AdaptiveAvgPool2d((4, 5)), nn.AdaptiveMaxPool2d(2)
    ),
    "adaptive pool to one": image(nn.Conv2d(2, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "pools 1d": image(
        nn.Conv1d(2, 4, 3), nn.MaxPool1d(2), nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(2),
        nn.AdaptiveMaxPool1d(1), shape=(2, 21),
    ),
    "batch norm": image(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(189, 4),
        nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2),
    ),
    "batch norm of a sequence": image(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), shape=(2, 9)),
    "batch statistics": image(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, track_running_stats=False)),
    "layer norm": image(
        nn.Conv2d(2, 3, 3), nn.LayerNorm((7, 9)), nn.LayerNorm((3, 7, 9), bias=False), nn.Flatten(),
        nn.Linear(189, 5), nn.LayerNorm(5, elementwise_affine=False),
    ),
    "linear along the last axis": image(nn.Linear(11, 4), nn.ReLU(), nn.Linear(4, 3)),
    "flatten in part": image(nn.Conv2d(2, 3, 3), nn.Flatten(2, -1), nn.Linear(63, 2)),
    "unflatten": image(nn.Flatten(), nn.Linear(198, 12), nn.Unflatten(1, (3, 2, -1)),
                       nn.Conv2d(3, 2, 2)),
    "residual": Architecture(Residual(), input_shape=(1, 8, 8)),
}  # fmt: skip


def rows_of(architecture, n_models=4, seed=0):
    """Rows with running variances above 0."""
    rows = np.random.default_rng(seed).normal(0, 0.3, (n_models, architecture.n_weights))
    for name, place in architecture.slices.items():
        if name.endswith("running_var"):
            rows[:, place] = 0.5 + rows[:, place] ** 2
    return rows.astype("f")


def inputs_of(architecture, n_inputs=7, seed=1):
    shape = (n_inputs, *architecture.input_shape)
    return torch.tensor(np.random.default_rng(seed).normal(size=shape).astype("f"))


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_torchs_own(name):
    architecture = CASES[name]
    assert architecture.forward_pass.plan is not None
    rows, X = rows_of(architecture), inputs_of(architecture)
    weights = torch.tensor(rows, requires_grad=True)
    outputs = architecture.forward(weights, X)
    slope = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0))
    (outputs * slope).sum().backward()
    for i, row in enumerate(rows):
        module = architecture.module(row)
        expected = module(X).flatten(1)
        torch.testing.assert_close(outputs[i], expected, rtol=1e-4, atol=1e-4)
        (expected * slope[i]).sum().backward()
        own = torch.cat([p.grad.flatten() for p in module.parameters()])
        gradient = weights.grad[i, : architecture.n_trainable]
        torch.testing.assert_close(gradient, own, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_gradients_in_inputs_of_their_own_and_in_shared_ones(name):
    architecture = CASES[name]
    rows = torch.tensor(rows_of(architecture, 3))
    own = torch.stack([inputs_of(architecture, seed=i) for i in range(3)])
    for X in (own, own[:1]):
        leaf = X.clone().requires_grad_()
        outputs = architecture.forward_pass.forward_each(rows, leaf)
        slope = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0))
        (gradient,) = torch.autograd.grad((outputs * slope).sum(), leaf)
        expected = torch.zeros_like(X)
        for i, row in enumerate(rows):
            x = X[i % len(X)].clone().requires_grad_()
            (architecture.module(row)(x).flatten(1) * slope[i]).sum().backward()
            expected[i % len(X)] += x.grad
        torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_chunks_of_models_and_inputs_change_nothing(name, monkeypatch):
    architecture = CASES[name]
    rows, X = rows_of(architecture, 5), inputs_of(architecture, 40).numpy()
    whole = architecture.forward(rows, X)
    monkeypatch.setattr("wsl.architectures.forward._forward.FORWARD_BYTES", 1)
    np.testing.assert_allclose(architecture.forward(rows, X), whole, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(architecture.forward(rows, X, 2), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in CASES if "batch norm" in n or n == "residual"])
def test_training_uses_the_batch_and_moves_running_statistics(name):
    architecture = CASES[name]
    rows = torch.tensor(rows_of(architecture, 3))
    X = torch.stack([inputs_of(architecture, seed=i) for i in range(3)])
    training = Training(dropout=lambda x, p, place: x)
    parameters = architecture.layout.parameters(rows)
    outputs = architecture.forward_pass.forward_parameters(parameters, X, training)
    moved = architecture.layout.rows(parameters | training.statistics)
    for i, row in enumerate(rows):
        module = architecture.module(row).train()
        torch.testing.assert_close(outputs[i], module(X[i]).flatten(1), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(moved[i], architecture.flatten(module)[0], rtol=1e-4, atol=1e-4)
        assert (moved[i] != row).any()


def test_a_row_holds_running_statistics_after_the_parameters():
    architecture = CASES["residual"]
    statistics = [n for n in architecture.parameter_names if "running" in n]
    assert architecture.parameter_names[-len(statistics) :] == tuple(statistics)
    assert statistics == ["norm.running_mean", "norm.running_var"]
    assert architecture.n_weights - architecture.n_trainable == 2 * 4
    assert not any("num_batches_tracked" in n for n in architecture.parameter_names)
    module = architecture.module(rows_of(architecture)[0])
    assert (architecture.flatten(module.state_dict()) == architecture.flatten(module)).all()
    assert (architecture.flatten(module)[0] == rows_of(architecture)[0]).all()


def test_code_that_works_in_place_runs_as_it_is():
    architecture = Architecture(InPlace(), input_shape=(3,))
    assert architecture.forward_pass.plan is None
    rows, X = rows_of(architecture), inputs_of(architecture)
    for row, outputs in zip(rows, architecture.forward(rows, X), strict=True):
        np.testing.assert_allclose(outputs, architecture.module(row)(X).detach(), atol=1e-5)


def test_max_pooling_comes_before_an_activation_that_rises():
    def planned(name):
        return [type(step.layer).__name__ for step in CASES[name].forward_pass.plan]

    assert planned("max-pool") == ["Conv2d", "MaxPool2d", "MaxPool2d", "ReLU"]
    assert planned("max-pool after a falling activation") == ["Conv2d", "GELU", "MaxPool2d"]


def test_whole_networks(network):
    rows, X = network.rows(), network.inputs()
    expected = network.outputs(rows, X).reshape(len(rows), len(X), -1)
    np.testing.assert_allclose(network.architecture.forward(rows, X), expected, atol=1e-4)
