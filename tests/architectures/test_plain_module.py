"""Modules that others wrap or compute weights of are taken as what they compute, or refused."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from wsl import Architecture, read_zoo
from wsl.exceptions import InvalidInputError, UnsupportedModuleError

INPUTS = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


PLAIN = Architecture(net())


def pruned():
    module = net()
    prune.l1_unstructured(module[0], "weight", 0.5)
    prune.random_unstructured(module[2], "bias", 1)
    return module


def normed(norm):
    torch.manual_seed(0)
    return nn.Sequential(norm(nn.Linear(4, 8)), nn.ReLU(), norm(nn.Linear(8, 3)))


def old_weight_norm(layer):
    with pytest.warns(FutureWarning, match="deprecated"):
        return nn.utils.weight_norm(layer)


def after_a_backward_pass():
    """Holds weights that are no leaves of a graph, which copy.deepcopy refuses."""
    module = pruned()
    module(INPUTS).sum().backward()
    return module


KINDS = {
    "parallel": lambda: nn.DataParallel(net()),
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(net()),
    "parallel inside": lambda: nn.Sequential(nn.DataParallel(net()[0]), *net()[1:]),
    "pruned": pruned,
    "pruned, trained": after_a_backward_pass,
    "weight norm": lambda: normed(parametrizations.weight_norm),
    "old weight norm": lambda: normed(old_weight_norm),
    "spectral norm": lambda: normed(parametrizations.spectral_norm),
    "old spectral norm": lambda: normed(nn.utils.spectral_norm),
    "compiled": lambda: torch.compile(net()),
    "parallel and compiled": lambda: nn.DataParallel(torch.compile(net())),
}
SLOW = pytest.mark.slow  # the compiler takes seconds to import


def kinds(normed):
    """Names of the kinds of modules, those with or without norms of weights."""
    names = [kind for kind in KINDS if ("norm" in kind) == normed]
    return [pytest.param(name, marks=SLOW if "compiled" in name else ()) for name in names]


def outputs_of(module):
    with torch.no_grad():
        inner = getattr(module, "_orig_mod", module)  # the same function, without compilation
        inner = getattr(inner, "module", inner)
        return getattr(inner, "_orig_mod", inner).eval()(INPUTS).numpy()


@pytest.mark.parametrize("kind", [*kinds(normed=False), *kinds(normed=True)])
def test_modules_are_taken_as_what_they_compute(kind):
    module = KINDS[kind]()
    expected, before = outputs_of(module), copy.deepcopy(list(module.state_dict()))
    architecture = Architecture(module)
    assert architecture == PLAIN
    row = architecture.flatten(module)
    np.testing.assert_array_equal(row, PLAIN.flatten(module))
    np.testing.assert_allclose(architecture.forward(row, INPUTS)[0], expected, atol=1e-5)
    np.testing.assert_allclose(outputs_of(architecture.module(row[0])), expected, atol=1e-5)
    assert list(module.state_dict()) == before


@pytest.mark.parametrize("kind", kinds(normed=False))
def test_state_dicts_are_read_as_their_modules(kind, tmp_path):
    module = KINDS[kind]()
    row = PLAIN.flatten(module)
    if kind == "parallel inside":  # such names could be those of a network that is no wrapper
        with pytest.raises(InvalidInputError, match=r"unknown .*'0.module.weight'"):
            PLAIN.flatten(module.state_dict())
        return
    np.testing.assert_array_equal(PLAIN.flatten(module.state_dict()), row)
    torch.save(module.state_dict(), tmp_path / "model.pt")
    np.testing.assert_array_equal(read_zoo(tmp_path, PLAIN).weights, row)


@pytest.mark.parametrize("kind", kinds(normed=True))
def test_state_dicts_of_normed_weights_are_refused(kind):
    with pytest.raises(InvalidInputError, match=r"pass the module itself|must be those of"):
        PLAIN.flatten(KINDS[kind]().state_dict())


def test_pruned_weights_are_zero():
    row = PLAIN.flatten(pruned())[0]
    assert (row[PLAIN.slices["0.weight"]] == 0).sum() == 16
    assert (row[PLAIN.slices["2.bias"]] == 0).sum() == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precision_become_float32(dtype):
    module = net().to(dtype)
    expected = np.concatenate([p.detach().float().ravel() for p in module.parameters()])
    assert Architecture(module) == PLAIN
    for model in (module, module.state_dict()):
        row = PLAIN.flatten(model)
        assert row.dtype == np.float32
        np.testing.assert_array_equal(row[0], expected)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64])
def test_weights_that_are_not_floating_point_are_refused(dtype):
    state = {name: value.to(dtype) for name, value in net().state_dict().items()}
    with pytest.raises(InvalidInputError, match=r"'0.weight' must hold floating point weights"):
        PLAIN.flatten(state)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def test_weights_that_layers_share_are_in_a_row_once():
    module = Tied()
    architecture = Architecture(module, input_shape=(4,))
    row = architecture.flatten(module)
    assert architecture.parameter_names == ("first.weight", "first.bias", "second.bias")
    np.testing.assert_array_equal(architecture.flatten(module.state_dict()), row)
    np.testing.assert_allclose(architecture.forward(row, INPUTS)[0], outputs_of(module), atol=1e-6)
    permuted = architecture.permute(np.repeat(row, 3, 0), random_state=0)
    np.testing.assert_allclose(
        architecture.forward(permuted, INPUTS)[2], outputs_of(module), atol=1e-5
    )
    alias = {**module.state_dict(), "second.weight": torch.zeros(4, 4)}
    with pytest.raises(InvalidInputError, match=r"'second.weight' must equal 'first.weight'"):
        architecture.flatten(alias)


class Made(nn.Module):
    """A linear layer whose output some code changes."""

    def __init__(self, function, layer=None):
        super().__init__()
        self.layer = nn.Linear(4, 2) if layer is None else layer
        self.function = function

    def forward(self, x):
        return self.function(self.layer(x))


class Referring(nn.Module):
    """Uses a parameter that it holds apart from its name too, so that no other can replace it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.weights = [self.layer.weight]

    def forward(self, x):
        return x @ self.weights[0].T


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Made(lambda y: (y, y)), "one tensor of real numbers; got .* a tuple of 2 values"),
        (Made(lambda y: {"logits": y}), "one tensor of real numbers; got .* a dict of 1 values"),
        (Made(lambda y: y.argmax(1)), "one tensor of real numbers; got .* torch.int64"),
        (Made(torch.nn.functional.dropout), "same outputs for the same inputs"),
        (Made(lambda y: y, nn.LSTM(4, 2)), "one tensor of real numbers; got .* a tuple"),
        (Referring(), "only use its parameters by their names"),
        (nn.Linear(4, 2, device="meta"), "must be real numbers; got meta"),
        (nn.Linear(4, 2, dtype=torch.complex64), "must be real numbers; got torch.complex64"),
    ],
    ids=["tuple", "dict", "classes", "random", "LSTM", "references", "meta", "complex"],
)
def test_other_modules_are_refused_when_the_architecture_is_made(module, message):
    state = torch.get_rng_state()
    with pytest.raises(UnsupportedModuleError, match=message):
        Architecture(module, input_shape=(4,))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_networks_that_return_one_tensor_are_run(layer):
    module = Made(lambda y: y[0][:, -1], layer(4, 2, batch_first=True))
    architecture = Architecture(module, input_shape=(3, 4))
    inputs = torch.randn(5, 3, 4)
    models = [module, Made(module.function, layer(4, 2, batch_first=True))]
    outputs = architecture.forward(architecture.flatten(models), inputs.numpy())
    for model, output in zip(models, outputs, strict=True):
        np.testing.assert_allclose(output, model(inputs).detach().numpy(), atol=1e-6)
