"""Torch's global settings change no result: default dtype and device, no_grad, inference mode."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from wsl import (
    Architecture,
    CausalMitigatedRegressor,
    DeepSetsClassifier,
    EnvironmentMembershipFamily,
    ProbeClassifier,
    QueryResponses,
    RandomNetworkFamily,
    WeightSpaceAutoencoder,
    train_zoo,
)
from wsl._torch_defaults import torch_defaults

RNG = np.random.default_rng(0)
ROWS, QUERIES = RNG.normal(size=(40, 13)).astype("f"), RNG.normal(size=(30, 2))
PROPERTY = (ROWS[:, 0] > 0).astype(int)


class Constants(nn.Module):
    """Its code creates tensors of its own."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, x):
        grid = torch.linspace(0, 1, 3, device=x.device) + torch.arange(3, device=x.device) * 0.5
        return self.layer(x) * grid


def mlp():
    return Architecture.mlp(2, 3, 1)


def autoencoder(**parameters):
    small = {"d_model": 16, "n_layers": 1, "epochs": 1, "random_state": 0}
    return WeightSpaceAutoencoder(mlp(), queries=QUERIES, **small, **parameters)


def train(**options):
    data = (QUERIES, QUERIES[:, :1] * QUERIES[:, 1:])
    zoo = train_zoo(
        mlp(), data, n_models=3, epochs=2, loss="mse", random_state=0, progress=False, **options
    )
    return np.c_[zoo.weights, zoo.metadata.select_dtypes("number")]


def causal():
    X, y, environments = EnvironmentMembershipFamily.linear_causal().sample(1, 90, random_state=0)
    learner = CausalMitigatedRegressor((2,), epochs=2, random_state=0)
    return learner.fit(X, y, environments=environments).predict(X)


CONSTANTS = Constants()


def whole_module():
    architecture = Architecture(CONSTANTS, input_shape=(2,))
    rows = np.ones((2, architecture.n_weights))
    return np.c_[architecture.forward(rows, QUERIES).reshape(2, -1)]


def module_outputs():
    module = mlp().module(ROWS[0])
    with torch.no_grad():
        return module(torch.tensor(QUERIES, dtype=torch.float32, device="cpu")).numpy()


COMPUTATIONS = {
    "forward": lambda: mlp().forward(ROWS, QUERIES),
    "forward of a whole module": whole_module,
    "forward of a CNN": lambda: Architecture.cnn((1, 5, 5), [2], 3, 2).forward(
        np.ones((2, 37)), np.ones((2, 25))
    ),
    "module": module_outputs,
    "permute": lambda: mlp().permute(ROWS, random_state=0),
    "canonicalize": lambda: mlp().canonicalize(ROWS, reference=ROWS[0]),
    "spec": lambda: Architecture.from_spec(mlp().to_spec()).forward(ROWS, QUERIES),
    "train_zoo": train,
    "train_zoo with dropout": lambda: train_zoo(
        Architecture.mlp(2, 3, 1, dropout=0.5), (QUERIES, QUERIES[:, :1]), n_models=2, epochs=1,
        loss="mse", random_state=0, progress=False,
    ).weights,
    "train_zoo, evaluated and stopped": lambda: train(
        test_set=(QUERIES, QUERIES[:, :1]), early_stopping=True
    ),
    "causal": causal,
    "deepsets": lambda: DeepSetsClassifier(mlp(), epochs=1, random_state=0)
    .fit(ROWS, PROPERTY)
    .predict_proba(ROWS),
    "probes": lambda: ProbeClassifier(mlp(), epochs=1, random_state=0)
    .fit(ROWS, PROPERTY)
    .predict_proba(ROWS),
    "autoencoder": lambda: autoencoder(refine_steps=2).fit_transform(ROWS),
    "autoencoder, linear code": lambda: autoencoder(code="linear").fit(ROWS).reconstruct(ROWS),
    "samples": lambda: autoencoder()
    .fit(ROWS)
    .sample(2, method="ensemble", n_steps=2, random_state=0),
    "responses": lambda: QueryResponses(mlp(), queries=QUERIES).fit_transform(ROWS),
    "random networks": lambda: RandomNetworkFamily(random_state=0).sample(
        RandomNetworkFamily(random_state=0).properties[0], 20, random_state=0
    )[0],
}  # fmt: skip


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "device": lambda: torch.device("meta"),  # where tensors have no values
}


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_results_do_not_depend_on_global_settings(name):
    compute = COMPUTATIONS[name]
    expected = np.asarray(compute())
    for setting, context in SETTINGS.items():
        with context():
            result = np.asarray(compute())
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6, err_msg=setting)
        assert result.dtype == expected.dtype


def test_settings_are_those_of_before_afterwards():
    with default_dtype(torch.float64), torch.no_grad(), torch.device("meta"):
        mlp().forward(ROWS, QUERIES)
        assert torch.get_default_dtype() == torch.float64
        assert not torch.is_grad_enabled()
        assert torch.empty(1).is_meta
    with torch.inference_mode():
        train()
        assert torch.is_inference_mode_enabled()


def test_tensors_are_created_in_float32_unless_told_otherwise():
    whole = torch.arange(3)
    with default_dtype(torch.float64), torch_defaults():
        single = [
            torch.zeros(2), torch.rand(2), torch.full((2,), 0.5), torch.tensor([0.5]), whole / 2,
            whole * 0.5, torch.arange(0.0, 1.0, 0.5), nn.Linear(1, 1).weight, whole.float().mean(),
        ]  # fmt: skip
        double = [
            torch.zeros(2, dtype=torch.float64), torch.tensor(np.ones(2)), torch.zeros(2).double(),
            torch.from_numpy(np.ones(2)), whole.to(torch.float64), whole.double() * 0.5,
            torch.stack([torch.zeros(2).double()]), whole.sum(dtype=torch.float64),
        ]  # fmt: skip
        assert [value.dtype for value in single] == [torch.float32] * len(single)
        assert [value.dtype for value in double] == [torch.float64] * len(double)
        assert torch.arange(3).dtype == torch.tensor([1]).dtype == torch.int64


def test_gradients_of_tensors_are_left_to_the_caller():
    rows = torch.tensor(ROWS, requires_grad=True)
    assert mlp().forward(rows, QUERIES).requires_grad
    with torch.no_grad():
        assert not mlp().forward(rows, QUERIES).requires_grad
