"""Architectures are equal if they compute the same function, and only then."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from wsl import Architecture, ModelZoo, read_zoo
from wsl.exceptions import InvalidInputError, ZooFileError


class Siren(nn.Module):
    def __init__(self, frequency):
        super().__init__()
        self.frequency = frequency
        self.inner, self.outer = nn.Linear(2, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.outer(torch.sin(self.frequency * self.inner(x)))


class Calling(nn.Module):
    """Calls a function that a trace does not show."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.inner, self.outer = nn.Linear(2, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.outer(self.function(self.inner(x) * 1.0))


class Shifted(nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.register_buffer("shift", torch.tensor(shift))
        self.inner, self.outer = nn.Linear(2, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.outer(torch.relu(self.inner(x) + self.shift))


class Sine(nn.Module):
    def __init__(self, frequency):
        super().__init__()
        self.frequency = frequency

    def forward(self, x):
        return torch.sin(self.frequency * x)


def with_sine(frequency):
    return nn.Sequential(nn.Linear(2, 4), Sine(frequency), nn.Linear(4, 1))


def of_layers(activation):
    return nn.Sequential(nn.Linear(2, 4), activation, nn.Linear(4, 1))


def rooted():
    """Differs from ReLU by a hook only."""
    module = of_layers(nn.ReLU())
    module[1].register_forward_hook(lambda layer, args, output: output.sqrt())
    return module


PAIRS = {
    "an attribute": (Siren(30.0), Siren(1.0)),
    "a function that is called": (Calling(torch.relu), Calling(torch.tanh)),
    "a buffer": (Shifted(0.0), Shifted(5.0)),
    "an activation of a class of its own": (with_sine(1.0), with_sine(30.0)),
    "an activation": (of_layers(nn.ReLU()), of_layers(nn.Tanh())),
    "a setting of a layer": (of_layers(nn.LeakyReLU(0.1)), of_layers(nn.LeakyReLU(0.2))),
    "a hook": (of_layers(nn.ReLU()), rooted()),
}


@pytest.mark.parametrize("difference", PAIRS)
@pytest.mark.parametrize("shape", [(2,), None])
def test_networks_of_other_functions_are_not_equal(difference, shape):
    one, other = (Architecture(module, input_shape=shape) for module in PAIRS[difference])
    assert one != other
    assert one == copy.deepcopy(one)
    assert hash(one) == hash(copy.deepcopy(one))


@pytest.mark.parametrize("difference", [name for name in PAIRS if name != "a hook"])
def test_networks_of_one_function_are_equal(difference):
    module = PAIRS[difference][0]
    twin = copy.deepcopy(module)
    for parameter in twin.parameters():
        nn.init.normal_(parameter)
    one, other = Architecture(module, input_shape=(2,)), Architecture(twin, input_shape=(2,))
    assert one == other
    if difference != "a function that is called":
        assert pickle.loads(pickle.dumps(one)) == other


@pytest.mark.parametrize("difference", PAIRS)
def test_a_zoo_is_not_loaded_with_an_architecture_of_another_function(difference, tmp_path):
    one, other = (Architecture(module, input_shape=(2,)) for module in PAIRS[difference])
    zoo = ModelZoo(one.flatten(PAIRS[difference][0]), one)
    zoo.save(tmp_path)
    loaded = ModelZoo.load(tmp_path, one)
    np.testing.assert_array_equal(loaded.weights, zoo.weights)
    assert loaded.architecture is one
    with pytest.raises(InvalidInputError, match="`architecture` must be that of the stored zoo"):
        ModelZoo.load(tmp_path, other)


def test_a_zoo_of_code_needs_its_architecture(tmp_path):
    siren = Architecture(Siren(30.0))
    ModelZoo(np.zeros((2, siren.n_weights)), siren).save(tmp_path)
    with pytest.raises(ZooFileError, match="pass it as architecture="):
        ModelZoo.load(tmp_path)


def test_models_must_have_the_constants_of_the_architecture(tmp_path):
    module, other = Shifted(1.0), Shifted(2.0)
    architecture = Architecture(module, input_shape=(2,))
    row = architecture.flatten(module)
    np.testing.assert_array_equal(architecture.flatten(module.state_dict()), row)
    np.testing.assert_array_equal(architecture.flatten(dict(module.named_parameters())), row)
    for model in (other, other.state_dict()):
        with pytest.raises(InvalidInputError, match=r"models\[1\]: buffer 'shift' must be that of"):
            architecture.flatten([module, model])
    torch.save(module.state_dict(), tmp_path / "model.pt")
    np.testing.assert_array_equal(read_zoo(tmp_path, architecture).weights, row)
    inputs = torch.randn(3, 2)
    expected = module(inputs).detach().numpy()
    np.testing.assert_allclose(architecture.forward(row, inputs.numpy())[0], expected, atol=1e-6)
    np.testing.assert_allclose(
        architecture.module(row[0])(inputs).detach().numpy(), expected, atol=1e-6
    )


@pytest.mark.slow
def test_constants_are_where_the_models_are():
    shifted = Architecture(Shifted([1.0, 2.0, 3.0, 4.0]), input_shape=(2,))
    assert shifted.forward_pass.plan is None
    rows = torch.empty(3, shifted.n_weights, device="meta")
    outputs = shifted.forward(rows, torch.empty(5, 2, device="meta"))
    assert (outputs.device.type, tuple(outputs.shape)) == ("meta", (3, 5, 1))
