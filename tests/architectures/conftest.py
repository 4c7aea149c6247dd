"""Networks of the kinds whose symmetries, spec and graph are tested, as the fixture ``network``."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsl import Architecture


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc3 = nn.Linear(84, 10)  # registered first: rows follow this order, the graph does not
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)

    def forward(self, x):
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(F.relu(self.conv2(x)), (2, 2))
        x = x.view(x.size(0), -1)
        x = F.gelu(self.fc1(x), approximate="tanh")
        return self.fc3(F.dropout(F.relu(self.fc2(x)), 0.5, self.training))


class Block(nn.Module):
    def __init__(self, n_in, n_out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.blocks = nn.Sequential(Block(6, 6), Block(6, 8, stride=2), Block(8, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn(self.stem(x))))
        return self.head(x.mean(dim=(2, 3)))


class ResidualMLP(nn.Module):
    """A layer that is applied twice, residual sums, layer normalisation."""

    def __init__(self):
        super().__init__()
        self.first, self.twice, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)
        self.norm, self.inner = nn.LayerNorm(6), nn.Linear(6, 9)
        self.back = nn.Linear(9, 6, bias=False)

    def forward(self, x):
        x = self.first(x)
        for _ in range(2):
            x = x + torch.tanh(self.twice(x))
        return self.last(self.back(F.silu(self.inner(self.norm(x)))) + x)


@dataclass
class Network:
    """A module, the shape of an input, and the sizes of its groups of units, counted by hand."""

    module: nn.Module
    input_shape: tuple[int, ...]
    groups: list[int]
    n_weights: int | None = None

    @cached_property
    def architecture(self) -> Architecture:
        return Architecture(self.module, input_shape=self.input_shape)

    def rows(self, n_models=3, seed=0):
        """Draw rows whose running statistics are those of no fresh network."""
        rng, architecture = np.random.default_rng(seed), self.architecture
        rows = rng.normal(size=(n_models, architecture.n_weights)).astype("f")
        shapes = architecture.parameter_shapes
        for (name, columns), shape in zip(architecture.slices.items(), shapes, strict=True):
            if name.endswith("running_var"):
                rows[:, columns] = rng.uniform(0.5, 2.0, rows[:, columns].shape)
            elif len(shape) > 1:
                rows[:, columns] /= np.sqrt(np.prod(shape[1:]))
        return rows

    def inputs(self, n_inputs=4, seed=1):
        return np.random.default_rng(seed).normal(size=(n_inputs, *self.input_shape)).astype("f")

    def outputs(self, rows, X):
        """Run the module itself, a row at a time."""
        module = self.architecture.template
        with torch.no_grad():
            outputs = []
            for row in rows:
                module.load_state_dict(self.architecture.state_dict(row), strict=False)
                outputs.append(module(torch.tensor(X)).numpy())
        return np.stack(outputs)


NETWORKS = {
    "three-layer MLP": Network(
        nn.Sequential(
            nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 7), nn.Tanh(), nn.Linear(7, 3)
        ),
        (5,), [8, 7],
    ),
    "CNN of 2464 weights": Network(
        nn.Sequential(
            nn.Conv2d(1, 8, 5), nn.MaxPool2d(2), nn.LeakyReLU(),
            nn.Conv2d(8, 6, 5), nn.MaxPool2d(2), nn.LeakyReLU(),
            nn.Conv2d(6, 4, 2), nn.LeakyReLU(), nn.Flatten(),
            nn.Linear(36, 20), nn.LeakyReLU(), nn.Linear(20, 10),
        ),
        (1, 28, 28), [8, 6, 4, 20], 2464,
    ),
    "CNN of 10853 weights": Network(
        Architecture.cnn((3, 32, 32), [16, 32, 15], [20], 10).template,
        (3072,), [16, 32, 15, 20], 10853,
    ),
    "LeNet-5": Network(LeNet5(), (1, 28, 28), [6, 16, 120, 84], 61706),
    "ResNet": Network(ResNet(), (3, 8, 8), [6, 6, 8, 8, 8]),
    "residual MLP": Network(ResidualMLP(), (4,), [6, 9]),
    "1-d CNN": Network(
        nn.Sequential(
            nn.Conv1d(2, 5, 3, padding="same", padding_mode="circular"), nn.BatchNorm1d(5),
            nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(5, 4, 2), nn.InstanceNorm1d(4, affine=True),
            nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.BatchNorm1d(8), nn.Linear(8, 3),
        ),
        (2, 9), [5, 4],
    ),
    "normalised CNN": Network(
        nn.Sequential(
            nn.Conv2d(1, 4, 2), nn.GroupNorm(2, 4), nn.PReLU(4),
            nn.Conv2d(4, 6, 2), nn.GroupNorm(1, 6), nn.PReLU(6),
            nn.Conv2d(6, 5, 2), nn.LayerNorm((5, 4, 4)), nn.Conv2d(5, 5, 2, groups=5),
            nn.Flatten(), nn.LayerNorm(45), nn.Linear(45, 6, bias=False),
            nn.BatchNorm1d(6, affine=False), nn.Softmax(1), nn.Linear(6, 2),
        ),
        (1, 7, 7), [6, 5, 6],
    ),
    "grouped convolution": Network(
        nn.Sequential(
            nn.Conv2d(1, 4, 2), nn.ReLU(), nn.Conv2d(4, 6, 2, groups=2), nn.ReLU(),
            nn.Conv2d(6, 3, 2), nn.Flatten(), nn.Linear(12, 2),
        ),
        (1, 5, 5), [3],
    ),
    "Linear along the rows of images": Network(
        nn.Sequential(
            nn.Conv2d(1, 4, 2), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.Flatten(),
            nn.Linear(48, 2),
        ),
        (1, 5, 5), [4, 5],
    ),
    "pooling over features": Network(
        nn.Sequential(nn.Linear(3, 6), nn.MaxPool1d(2), nn.Linear(3, 4), nn.Linear(4, 2)),
        (3,), [4],
    ),
}  # fmt: skip


@pytest.fixture(params=NETWORKS)
def network(request) -> Network:
    return NETWORKS[request.param]


@pytest.fixture(scope="session")
def make_network():
    """Return the class, for networks that a test makes."""

    def make(module, input_shape) -> Network:
        return Network(module, input_shape, [])

    return make
