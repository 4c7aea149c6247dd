import copy
import functools
import json
import operator
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from wsl import Architecture, ModelZoo
from wsl.architectures.spec import _module_spec
from wsl.architectures.spec._layer_spec import layer_from_spec, layer_to_spec
from wsl.architectures.spec._output_shapes import output_shape
from wsl.architectures.spec._size_limits import cost
from wsl.architectures.tracing._trace import Add, GlobalMean
from wsl.exceptions import InvalidInputError, UnsupportedModuleError

LAYERS = [
    nn.Linear(2, 3, bias=False),
    nn.Conv1d(2, 4, 3, stride=2, padding="valid", groups=2),
    nn.Conv2d(2, 4, (3, 1), padding=(1, 0), dilation=2, bias=False, padding_mode="reflect"),
    nn.BatchNorm1d(3, eps=1e-3, momentum=0.2),
    nn.BatchNorm2d(3, affine=False),
    nn.InstanceNorm1d(3, affine=True),
    nn.InstanceNorm2d(3, track_running_stats=True),
    nn.LayerNorm((2, 3), bias=False),
    nn.GroupNorm(2, 4, affine=False),
    nn.MaxPool1d(2, stride=1, ceil_mode=True),
    nn.MaxPool2d((2, 1), padding=(1, 0)),
    nn.AvgPool1d(3, count_include_pad=False),
    nn.AvgPool2d(2, divisor_override=3),
    nn.AdaptiveAvgPool1d(2),
    nn.AdaptiveAvgPool2d((1, None)),
    nn.AdaptiveMaxPool2d(1),
    nn.Flatten(2),
    nn.Unflatten(1, (2, 3)),
    nn.GELU("tanh"),
    nn.Softplus(2.0),
    nn.Hardtanh(-2.0, 0.5),
    nn.PReLU(3),
    nn.Softmax(-1),
    nn.LogSoftmax(1),
    nn.Dropout2d(0.3),
    Add(),
    GlobalMean(),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layer_comes_back_with_all_its_settings(layer):
    spec = json.loads(json.dumps(layer_to_spec(layer)))
    twin = layer_from_spec(spec)
    assert type(twin) is type(layer)
    assert repr(twin) == repr(layer)
    assert layer_to_spec(twin) == layer_to_spec(layer)
    assert {k: v.shape for k, v in twin.state_dict().items()} == {
        k: v.shape for k, v in layer.state_dict().items()
    }


def test_numbers_of_numpy_become_json():
    layer = nn.Conv2d(np.int64(2), 3, np.array([2, 1]).tolist(), stride=np.int32(2))
    assert json.loads(json.dumps(layer_to_spec(layer)))[1]["in_channels"] == 2


def test_a_network_comes_back_with_its_names_rows_and_function(network):
    architecture, rows, X = network.architecture, network.rows(), network.inputs()
    text = json.dumps(architecture.to_spec())
    twin = Architecture.from_spec(json.loads(text))
    assert twin == architecture
    assert hash(twin) == hash(architecture)
    assert json.dumps(twin.to_spec()) == text
    assert twin.parameter_names == architecture.parameter_names
    assert twin.parameter_shapes == architecture.parameter_shapes
    assert twin.permutation_groups == architecture.permutation_groups
    outputs = network.outputs(rows, X)
    again = twin.forward(rows, X).reshape(outputs.shape)
    np.testing.assert_allclose(again, outputs, rtol=1e-4, atol=1e-4)


def test_state_dicts_of_the_original_load(network):
    twin = Architecture.from_spec(network.architecture.to_spec())
    row, X = network.rows(1), network.inputs()
    template = twin.template
    template.load_state_dict(network.architecture.module(row[0]).state_dict())
    with torch.no_grad():
        found = template.eval()(torch.tensor(X)).numpy()
    np.testing.assert_allclose(found, network.outputs(row, X)[0], rtol=1e-4, atol=1e-5)


def test_a_stored_zoo_needs_no_code_of_the_original(network, tmp_path):
    architecture, rows = network.architecture, network.rows()
    loaded = ModelZoo.load(ModelZoo(rows, architecture).save(tmp_path))
    assert loaded.architecture == architecture
    np.testing.assert_array_equal(loaded.weights, rows)


def test_sequentials_are_stored_as_before():
    module = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 1, bias=False)))
    assert Architecture(module).to_spec() == {
        "module": [
            ["Linear", {"in_features": 2, "out_features": 3, "bias": True}],
            [["ReLU", {}], ["Linear", {"in_features": 3, "out_features": 1, "bias": False}]],
        ],
        "input_shape": [2],
    }
    old = {  # before LayerNorm and AvgPool2d were stored with all their settings
        "module": [
            ["LayerNorm", {"normalized_shape": [4], "eps": 1e-5, "elementwise_affine": True}],
            ["Linear", {"in_features": 4, "out_features": 1, "bias": True}],
        ],
        "input_shape": [4],
    }
    expected = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 1))
    assert Architecture.from_spec(old) == Architecture(expected, input_shape=(4,))


def test_names_and_shared_layers_of_sequentials_are_kept():
    named = nn.Sequential()
    named.add_module("encoder", nn.Linear(3, 3))
    named.add_module("head", nn.Linear(3, 2))
    shared = nn.Linear(3, 3)
    for module in (named, nn.Sequential(shared, nn.Tanh(), shared)):
        architecture = Architecture(module)
        twin = Architecture.from_spec(architecture.to_spec())
        assert twin == architecture
        assert twin.parameter_names == tuple(name for name, _ in module.named_parameters())


def test_architectures_are_equal_by_what_they_compute():
    class Spelled(nn.Module):
        def __init__(self, activation=F.relu):
            super().__init__()
            layers = nn.Linear(2, 3), nn.Identity(), nn.Linear(3, 1)
            for place, layer in enumerate(layers):
                self.add_module(str(place), layer)
            self.activation = activation

        def forward(self, x):
            return getattr(self, "2")(self.activation(getattr(self, "0")(x)))

    relu = Architecture.mlp(2, [3], 1)
    assert Architecture(Spelled(), input_shape=(2,)) == relu
    assert Architecture(Spelled(torch.tanh), input_shape=(2,)) != relu
    assert Architecture(Spelled(torch.tanh), input_shape=(2,)) == Architecture.mlp(
        2, [3], 1, "tanh"
    )
    pools = [nn.AvgPool2d(2, ceil_mode=ceil) for ceil in (False, True)]  # of equal repr
    one, other = (
        Architecture(nn.Sequential(nn.Conv2d(1, 1, 1), pool), input_shape=(1, 3, 3))
        for pool in pools
    )
    assert one != other


def test_what_works_in_place_on_a_value_used_again_is_not_stored():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            y = self.layer(x)
            z = F.relu(y, inplace=True)
            return y + z

    with pytest.raises(UnsupportedModuleError, match="InPlace cannot be stored"):
        Architecture(InPlace(), input_shape=(2,)).to_spec()


def test_names_that_cannot_be_stored_are_refused():
    module = nn.Sequential()
    module._modules["forward"] = nn.Linear(2, 2)
    with pytest.raises(UnsupportedModuleError, match="'forward'"):
        Architecture(module, input_shape=(2,)).to_spec()


def linear(n_in, n_out, bias=True):
    return ["Linear", {"in_features": n_in, "out_features": n_out, "bias": bias}]


def steps(*applied, layers=None):
    return {"layers": layers or [["a", *linear(2, 2)]], "steps": list(applied)}


def nested(depth):
    spec = linear(2, 2)
    for _ in range(depth):
        spec = [spec]
    return spec


def convolution(**arguments):
    chosen = {"in_channels": 1, "out_channels": 1, "kernel_size": [1, 1], **arguments}
    return [["Unflatten", {"dim": 1, "unflattened_size": [1, 1, 2]}], ["Conv2d", chosen]]


HOSTILE = {
    "an unknown layer": [["System", {"command": "true"}]],
    "a class of torch that is no layer": [["Module", {}]],
    "an unknown argument": [["Linear", {"in_features": 2, "out_features": 2, "device": "cuda"}]],
    "a missing argument": [["Linear", {"in_features": 2}]],
    "arguments that are no object": [["Linear", [2, 2]]],
    "an object for a number": [["Linear", {"in_features": {}, "out_features": 2}]],
    "text for a number": [["Linear", {"in_features": "2", "out_features": 2}]],
    "a negative size": [linear(2, -2)],
    "a huge layer": [linear(2, 10**12)],
    "a layer beyond all integers": [linear(10**30, 10**30)],
    "an overflowing layer": [linear(2**31 - 1, 2**31 - 1), linear(2**31 - 1, 2)],
    "many large layers": [linear(2, 2**13), *[linear(2**13, 2**13)] * 8],
    "huge padding": convolution(padding=10**9),
    "a huge output": [linear(2, 2), ["Unflatten", {"dim": 1, "unflattened_size": [1, 2, 1]}],
                      ["AdaptiveAvgPool2d", {"output_size": [10**6, 10**6]}]],
    "layers that do not fit": [linear(2, 3), linear(4, 1)],
    "an input that does not fit": [linear(3, 1)],
    "a tower of lists": nested(5000),
    "a crowd of layers": [["ReLU", {}]] * 5000,
    "a crowd of empty lists": [[]] * 5000,
    "a number": 3,
    "nothing": None,
    "an object": {"layers": []},
    "no steps": steps(),
    "a step that is no pair": steps(["a"]),
    "a source from the future": steps(["a", [1]]),
    "a source before the input": steps(["a", [-1]]),
    "a source that is no integer": steps(["a", [0.0]]),
    "a layer that is not held": steps(["b", [0]]),
    "a sum of one": steps(["a", [0]], [["Add", {}], [1]]),
    "a layer of two": steps(["a", [0, 0]]),
    "two layers of one name": steps(["a", [0]], layers=[["a", *linear(2, 2)]] * 2),
    "a layer in a layer": steps(["a", [0]], layers=[["a", *linear(2, 2)], ["a.b", *linear(2, 2)]]),
    "a name that is a method": steps(["forward", [0]], layers=[["forward", *linear(2, 2)]]),
    "a name that is internal": steps(["_modules.a", [0]], layers=[["_modules.a", *linear(2, 2)]]),
    "a name with empty parts": steps(["a..b", [0]], layers=[["a..b", *linear(2, 2)]]),
    "an empty name": steps(["", [0]], layers=[["", *linear(2, 2)]]),
    "a name like a path": steps(["../a", [0]], layers=[["../a", *linear(2, 2)]]),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_specs_are_refused(case):
    with pytest.raises(InvalidInputError, match="spec"):
        Architecture.from_spec({"module": HOSTILE[case], "input_shape": [2]})


@pytest.mark.parametrize("shape", [[10**12], [0], [-1], ["2"], "2", [[2]], [2.0], [True], {}])
def test_hostile_input_shapes_are_refused(shape):
    with pytest.raises(InvalidInputError, match="spec"):
        Architecture.from_spec({"module": [linear(2, 1)], "input_shape": shape})


def test_reading_a_spec_leaves_the_global_generator_alone():
    spec = Architecture.mlp(3, [4], 1).to_spec()
    state = torch.get_rng_state()
    Architecture.from_spec(spec)
    assert torch.equal(torch.get_rng_state(), state)


IMAGE = ["Unflatten", {"dim": 1, "unflattened_size": [1, 1024, 1024]}]
LONG = {  # what would take long to run or much memory, the shape of its inputs, and what is said
    "inputs": ([linear(2**28, 1, bias=False)], [2**28], "inputs"),
    "weights": ([linear(2**15, 2**15)], None, "weights"),
    "windows of a pooling": (
        [IMAGE, ["MaxPool2d", {"kernel_size": 512, "stride": 1}], linear(513, 1)],
        [2**20], "operations for one input",
    ),
    "outputs of a pooling": (
        [["AdaptiveMaxPool2d", {"output_size": [2**14, 2**14]}], linear(2**14, 1)],
        [1, 1, 1], "values in a AdaptiveMaxPool2d",
    ),
    "windows of a convolution": (
        [IMAGE, ["Conv2d", {"in_channels": 1, "out_channels": 1, "kernel_size": 64}]],
        [2**20], "values in a Conv2d",
    ),
    "a sum of a row and a column": (
        steps(["a", [0]], [["Unflatten", {"dim": 1, "unflattened_size": [1, 2**14]}], [1]],
              [["Unflatten", {"dim": 1, "unflattened_size": [2**14, 1]}], [1]],
              [["Add", {}], [2, 3]], layers=[["a", *linear(1, 2**14)]]),
        [1], "values in a Add",
    ),
    "many activations": (
        [linear(1, 2**16), *[["GELU", {}]] * 4000, linear(2**16, 1)], None, "operations",
    ),
    "one layer many times": (
        steps(*[["a", [i]] for i in range(4000)], layers=[["a", *linear(2**11, 2**11)]]),
        None, "operations",
    ),
    "norms before the first layer with a shape": (
        [*[["PReLU", {}]] * 4000, linear(2**16, 1)], [2**16], "operations",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LONG)
def test_what_takes_long_or_much_memory_is_refused_before_it_is_run(case, monkeypatch):
    spec, shape, message = LONG[case]

    def run(*args):
        raise AssertionError("a layer is run")

    for kind in (nn.Linear, nn.Conv2d, nn.GELU, nn.MaxPool2d, nn.Unflatten):
        monkeypatch.setattr(kind, "forward", run)
    with pytest.raises(InvalidInputError, match=f"must have at most .* {message}.*; got [0-9]+"):
        Architecture.from_spec({"module": spec, "input_shape": shape})


def test_networks_that_cost_too_much_without_input_shape_are_not_run():
    spec = [*[["Softmax", {"dim": -1}]] * 600, linear(2**18, 1)]
    assert Architecture.from_spec({"module": spec, "input_shape": None}).input_shape is None
    cheap = [["Softmax", {"dim": -1}], linear(2**10, 1)]
    assert Architecture.from_spec({"module": cheap, "input_shape": None}).input_shape == (2**10,)


def test_a_network_beyond_the_limits_is_not_stored(monkeypatch):
    monkeypatch.setattr(_module_spec, "MAX_LAYERS", 3)
    with pytest.raises(UnsupportedModuleError, match="cannot be stored: a spec must hold at most"):
        Architecture.mlp(1, [2, 2], 1).to_spec()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("layer", "argument"),
    [("MaxPool1d", "stride"), ("AvgPool1d", "padding"), ("LeakyReLU", "negative_slope"),
     ("ELU", "alpha"), ("Hardtanh", "max_val"), ("Dropout", "p"), ("BatchNorm1d", "eps")],
)  # fmt: skip
def test_arguments_that_are_not_finite_are_refused(layer, argument, value):
    needed = {"MaxPool1d": {"kernel_size": 2}, "AvgPool1d": {"kernel_size": 2}}
    arguments = {**needed.get(layer, {}), argument: value}
    if layer == "BatchNorm1d":
        arguments["num_features"] = 2
    with pytest.raises(InvalidInputError, match=f"`{argument}` of a {layer} in a spec must"):
        layer_from_spec([layer, arguments])


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        ("MaxPool1d", {"kernel_size": 1.5}),
        ("MaxPool2d", {"kernel_size": 2, "stride": [1, 0]}),
        ("Conv1d", {"in_channels": 1, "out_channels": 1, "kernel_size": 0}),
        ("GlobalMean", {"n_axes": 10**6}),
        ("Softmax", {"dim": 0.5}),
        ("AdaptiveAvgPool2d", {"output_size": [1, "all"]}),
        ("Flatten", {"end_dim": "last"}),
        ("Linear", {"in_features": True, "out_features": 1}),
        ("MaxPool1d", {"kernel_size": None}),
    ],
)
def test_sizes_that_are_not_positive_whole_numbers_are_refused(layer, arguments):
    with pytest.raises(InvalidInputError, match=f"of a {layer} in a spec must hold whole numbers"):
        layer_from_spec([layer, arguments])


@pytest.mark.parametrize(
    ("layer", "arguments", "expected"),
    [
        ("Conv1d", {"padding": "full"}, "one of valid, same"),
        ("Conv1d", {"padding_mode": 1}, "one of zeros, reflect, .*"),
        ("Conv1d", {"bias": 1}, "true or false"),
        ("GELU", {"approximate": "exp"}, "one of none, tanh"),
        ("ELU", {"alpha": "1"}, "a finite number"),
        ("ELU", {"alpha": [1.0]}, "a finite number"),
    ],
)
def test_arguments_of_another_kind_are_refused(layer, arguments, expected):
    needed = {"in_channels": 1, "out_channels": 1, "kernel_size": 1} if layer == "Conv1d" else {}
    with pytest.raises(InvalidInputError, match=f"of a {layer} in a spec must .*{expected}; got"):
        layer_from_spec([layer, {**needed, **arguments}])


SPECS = [
    Architecture.cnn((1, 6, 6), [2], [3], 2).to_spec(),
    {"module": steps(["a", [0]], [["Add", {}], [0, 1]], [["GlobalMean", {"n_axes": 1}], [2]],
                     layers=[["a", *linear(3, 3)]]), "input_shape": [2, 3]},
]  # fmt: skip
VALUES = [
    *[0, -1, 1, 2, 2**10, 2**31 - 1, 10**30, 0.5, float("nan"), float("inf"), None, True, ""],
    *["same", "Add", "Softmax", [], [1], [[1]], [2**20, 2**20], {}],
]


def places(value, path=()):
    """Return the paths of all entries of nested JSON values."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, entry in entries:
        found.append((*path, key))
        if isinstance(entry, (dict, list)):
            found += places(entry, (*path, key))
    return found


@given(data=st.data())
def test_damaged_specs_give_an_architecture_or_an_error_of_ours(data):
    spec = copy.deepcopy(data.draw(st.sampled_from(SPECS)))
    for _ in range(data.draw(st.integers(1, 3))):
        if not (paths := places(spec)):
            break
        *path, last = data.draw(st.sampled_from(paths))
        parent = functools.reduce(operator.getitem, path, spec)
        if data.draw(st.booleans()):
            parent[last] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
        else:
            del parent[last]
    try:
        architecture = Architecture.from_spec(spec)
    except InvalidInputError:
        return
    assert architecture == Architecture.from_spec(architecture.to_spec())


MORE_LAYERS = [
    *LAYERS,
    nn.Conv2d(2, 4, 3, padding="same", dilation=2),
    nn.Conv2d(2, 4, 3, stride=(2, 3), padding=1, padding_mode="circular"),
    nn.MaxPool2d(3, stride=2, padding=1, dilation=2, ceil_mode=True),
    nn.AvgPool2d((2, 3), stride=(1, 4)),
    nn.Flatten(),
    nn.Flatten(0),
    nn.Flatten(-2, -1),
    nn.Unflatten(-1, (-1, 3)),
]


@pytest.mark.parametrize("layer", MORE_LAYERS, ids=repr)
def test_shapes_are_told_without_a_run(layer):
    found = re.search("([12])d", type(layer).__name__)
    n_places = int(found.group(1)) if found else 0
    shape = {
        "Linear": (5, 2), "PReLU": (3, 4), "LayerNorm": (4, 2, 3), "GroupNorm": (4, 5),
        "Flatten": (2, 3, 4), "Unflatten": (6, 6), "GlobalMean": (3, 4, 5),
    }.get(type(layer).__name__)  # fmt: skip
    if shape is None:
        n_channels = getattr(layer, "in_channels", getattr(layer, "num_features", 2))
        shape = (n_channels, *[9] * n_places)
    n_inputs = 2 if isinstance(layer, Add) else 1
    output = layer.eval()(*[torch.zeros(1, *shape)] * n_inputs)
    assert output_shape(layer, [(1, *shape)] * n_inputs) == tuple(output.shape)
    n_values, _ = cost(layer, (1, *shape), tuple(output.shape))
    assert n_values >= output.numel()


def test_the_cost_of_layers():
    assert cost(nn.Linear(4, 3), (1, 5, 4), (1, 5, 3)) == (20, 20 + 5 * 3 * 4)
    image = (1, 2, 10, 10)
    wide, narrow = nn.Conv2d(32, 16, 3), nn.Conv2d(2, 5, 3)
    assert cost(narrow, image, (1, 5, 8, 8)) == (64 * 18, 200 + 4 * 64 * 5 * 18)
    assert cost(wide, (1, 32, 3, 3), (1, 16, 1, 1)) == (288, 288 + 16 * 288)
    assert cost(nn.MaxPool2d((3, 2), 1), image, (1, 2, 8, 9)) == (200, 32 * 200 + 8 * 144 * 6)
    assert cost(nn.GELU(), (1, 7), (1, 7)) == (7, 32 * 7)
