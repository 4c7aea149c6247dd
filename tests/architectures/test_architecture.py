import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

from wsl import Architecture
from wsl.exceptions import InvalidInputError, UnsupportedModuleError


class TwoHeads(nn.Module):
    """A module that is no Sequential, so that it runs under vmap."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(3, 2), nn.Linear(3, 2)
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return self.left(x).tanh() * self.scale + self.right(x)


CASES = {
    "linear": Architecture.mlp(5, [], 3),
    "mlp": Architecture.mlp(4, [32], 1),
    "deep mlp": Architecture.mlp(6, [8, 7, 5], 3, "tanh"),
    "selecting mlp": Architecture.mlp(6, [8], 2, features=[1, 4]),
    "cnn": Architecture.cnn((1, 8, 8), [6, 8], [16], 10),
    "cnn without hidden layer": Architecture.cnn((3, 12, 12), [4, 5], [], 10, activation="gelu"),
    "strided, padded, dilated": Architecture(
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=(1, 2), stride=2, dilation=(1, 2)),
            nn.ReLU(inplace=True),
            nn.AvgPool2d(2),
            nn.Conv2d(4, 3, (2, 1), bias=False),
            nn.Flatten(),
            nn.Linear(18, 2),
        ),
        input_shape=(2, 11, 13),
    ),
    "grouped convolution": Architecture(
        nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Flatten(), nn.Linear(36, 2)),
        input_shape=(2, 5, 5),
    ),
    "layer norm": Architecture(nn.Sequential(nn.Linear(3, 6), nn.LayerNorm(6), nn.Linear(6, 2))),
    "no sequential": Architecture(TwoHeads(), input_shape=(3,)),
}
WITH_SYMMETRIES = [name for name in CASES if name != "no sequential"]


def rows_of(architecture, n_models=6, seed=0):
    scale = 1 / np.sqrt(10)
    shape = (n_models, architecture.n_weights)
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def inputs_of(architecture, n_inputs=9, seed=1):
    return np.random.default_rng(seed).normal(size=(n_inputs, architecture.n_inputs)).astype("f")


def loop(architecture, rows, X):
    X = torch.tensor(X).unflatten(1, architecture.input_shape)
    with torch.no_grad():
        return np.stack([architecture.module(row)(X).flatten(1).numpy() for row in rows])


@pytest.mark.parametrize("name", CASES)
def test_forward_agrees_with_looping_modules(name):
    architecture = CASES[name]
    rows, X = rows_of(architecture), inputs_of(architecture)
    expected = loop(architecture, rows, X)
    np.testing.assert_allclose(architecture.forward(rows, X), expected, atol=1e-5)
    np.testing.assert_allclose(architecture.forward(rows, X, batch_size=4), expected, atol=1e-5)
    assert expected.shape == (6, 9, architecture.n_outputs)


@pytest.mark.parametrize("name", CASES)
def test_gradient_agrees_with_looping_modules(name):
    architecture = CASES[name]
    rows, X = rows_of(architecture, 3), inputs_of(architecture)
    weights = torch.tensor(rows, requires_grad=True)
    outputs = architecture.forward(weights, torch.tensor(X))
    slope = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0))
    (outputs * slope).sum().backward()
    for row, own_slope, gradient in zip(rows, slope, weights.grad, strict=True):
        module = architecture.module(row)
        own = module(torch.tensor(X).unflatten(1, architecture.input_shape)).flatten(1)
        (own * own_slope).sum().backward()
        expected = torch.cat([p.grad.flatten() for p in module.parameters()])
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_each_model_on_inputs_of_its_own(name):
    architecture = CASES[name]
    rows = rows_of(architecture, 3)
    X = np.stack([inputs_of(architecture, seed=i) for i in range(3)])
    outputs = architecture.forward_pass.forward_each(torch.tensor(rows), torch.tensor(X)).numpy()
    expected = np.stack([loop(architecture, r[None], x)[0] for r, x in zip(rows, X, strict=True)])
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_round_trips_are_exact(name):
    architecture = CASES[name]
    rows = rows_of(architecture)
    assert (architecture.flatten([architecture.module(row) for row in rows]) == rows).all()
    assert (architecture.flatten([architecture.state_dict(row) for row in rows]) == rows).all()
    assert (architecture.flatten(architecture.module(rows[0])) == rows[:1]).all()
    tensors = architecture.layout.parameters(torch.tensor(rows))
    assert (architecture.layout.rows(tensors).numpy() == rows).all()


@pytest.mark.parametrize("name", CASES)
def test_copies_are_equal(name):
    architecture = CASES[name]
    for twin in (copy.deepcopy(architecture), pickle.loads(pickle.dumps(architecture))):
        assert twin == architecture
        assert hash(twin) == hash(architecture)
        assert repr(twin) == repr(architecture)
    assert architecture != Architecture.mlp(4, [33], 1)
    assert repr(architecture).startswith("Architecture(")


@pytest.mark.parametrize("name", [n for n in CASES if n != "no sequential"])
def test_a_spec_gives_the_same_architecture(name):
    architecture = CASES[name]
    assert Architecture.from_spec(architecture.to_spec()) == architecture


def test_a_spec_holds_standard_layers_only():
    with pytest.raises(UnsupportedModuleError, match="TwoHeads"):
        CASES["no sequential"].to_spec()
    for broken in (["Linear", {"in_features": 1}], ["System", {}], "Linear", [["Linear", {}]]):
        with pytest.raises(InvalidInputError, match="in a spec must"):
            Architecture.from_spec({"module": broken, "input_shape": [1]})


@pytest.mark.parametrize("name", WITH_SYMMETRIES)
def test_permute_changes_the_weights_and_not_the_function(name):
    architecture = CASES[name]
    rows, X = rows_of(architecture), inputs_of(architecture)
    permuted = architecture.permute(rows, random_state=0)
    np.testing.assert_allclose(
        architecture.forward(permuted, X), architecture.forward(rows, X), atol=1e-5
    )
    np.testing.assert_array_equal(np.sort(permuted, axis=1), np.sort(rows, axis=1))
    if architecture.permutation_groups:
        assert (permuted != rows).any(axis=1).all()
        first = np.tile(rows[:1], (20, 1))
        assert len(np.unique(architecture.permute(first, random_state=0), axis=0)) > 1
    np.testing.assert_array_equal(permuted, architecture.permute(rows, random_state=0))


@pytest.mark.parametrize("name", WITH_SYMMETRIES)
def test_canonical_forms_do_not_depend_on_the_order(name):
    architecture = CASES[name]
    rows = rows_of(architecture)
    permuted = architecture.permute(rows, random_state=0)
    canonical = architecture.canonicalize(rows)
    np.testing.assert_array_equal(architecture.canonicalize(permuted), canonical)
    np.testing.assert_allclose(
        architecture.forward(canonical, inputs_of(architecture)),
        architecture.forward(rows, inputs_of(architecture)),
        atol=1e-5,
    )


@pytest.mark.parametrize("name", WITH_SYMMETRIES)
def test_matching_finds_the_reference_again(name):
    architecture = CASES[name]
    rows = rows_of(architecture)
    permuted = architecture.permute(np.tile(rows[0], (5, 1)), random_state=0)
    noisy = permuted + np.random.default_rng(0).normal(0, 1e-3, permuted.shape).astype("f")
    matched = architecture.canonicalize(noisy, reference=rows[0])
    assert np.abs(matched - rows[0]).max() < 0.01


def test_tensors_in_tensors_out():
    architecture = CASES["cnn"]
    rows = torch.tensor(rows_of(architecture))
    generator = torch.Generator().manual_seed(0)
    assert isinstance(architecture.permute(rows, generator), torch.Tensor)
    assert isinstance(architecture.canonicalize(rows), torch.Tensor)
    double = architecture.forward(rows.double(), torch.zeros(2, 64))
    assert double.dtype == torch.float64


@settings(max_examples=40, deadline=None)
@given(
    n_inputs=st.integers(1, 6),
    hidden=st.lists(st.integers(1, 7), max_size=3),
    n_outputs=st.integers(1, 4),
    activation=st.sampled_from(["relu", "tanh", "gelu", "leaky_relu"]),
    seed=st.integers(0, 10**6),
)
def test_any_mlp(n_inputs, hidden, n_outputs, activation, seed):
    architecture = Architecture.mlp(n_inputs, hidden, n_outputs, activation)
    rows, X = rows_of(architecture, 3, seed), inputs_of(architecture, 4, seed + 1)
    outputs = architecture.forward(rows, X)
    np.testing.assert_allclose(outputs, loop(architecture, rows, X), atol=1e-5)
    permuted = architecture.permute(rows, seed)
    np.testing.assert_allclose(architecture.forward(permuted, X), outputs, atol=1e-5)
    assert (architecture.flatten([architecture.module(r) for r in rows]) == rows).all()


@settings(max_examples=15, deadline=None)
@given(
    side=st.integers(8, 11),
    channels=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    hidden=st.lists(st.integers(1, 5), max_size=1),
    pool=st.integers(1, 2),
    seed=st.integers(0, 10**6),
)
def test_any_cnn(side, channels, hidden, pool, seed):
    architecture = Architecture.cnn((2, side, side), channels, hidden, 3, pool=pool)
    rows, X = rows_of(architecture, 3, seed), inputs_of(architecture, 4, seed + 1)
    outputs = architecture.forward(rows, X)
    np.testing.assert_allclose(outputs, loop(architecture, rows, X), atol=1e-5)
    permuted = architecture.permute(rows, seed)
    np.testing.assert_allclose(architecture.forward(permuted, X), outputs, atol=1e-5)


@pytest.mark.parametrize(
    "kind", [MLPClassifier, MLPRegressor, LinearRegression, LogisticRegression]
)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fitted_sklearn_models_flatten(kind, n_classes):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.integers(n_classes, size=60)
    small = {"hidden_layer_sizes": (5,), "max_iter": 5, "activation": "logistic"}
    model = kind(**small if kind in (MLPClassifier, MLPRegressor) else {}).fit(X, y)
    architecture = Architecture.from_sklearn(model)
    outputs = architecture.forward(architecture.flatten(model), X)[0]
    if hasattr(model, "predict_proba"):
        odds = np.log(model.predict_proba(X))
        if outputs.shape[1] == 1:
            np.testing.assert_allclose(outputs[:, 0], odds[:, 1] - odds[:, 0], atol=1e-4)
        else:
            logits = outputs - outputs.mean(1, keepdims=True)
            np.testing.assert_allclose(logits, odds - odds.mean(1, keepdims=True), atol=1e-4)
    else:
        np.testing.assert_allclose(outputs[:, 0], model.predict(X), atol=1e-4)


def test_modules_that_are_refused():
    with pytest.raises(UnsupportedModuleError, match=r"`momentum` of layer '1' .* got None"):
        Architecture(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, momentum=None)))
    with pytest.raises(UnsupportedModuleError, match="`module` must have parameters; got a ReLU"):
        Architecture(nn.ReLU())
    with pytest.raises(UnsupportedModuleError, match="lazy"):
        Architecture(nn.LazyLinear(3))
    with pytest.raises(UnsupportedModuleError, match=r"`module` must be an nn.Module; got a int"):
        Architecture(3)
    with pytest.raises(UnsupportedModuleError, match="input_shape"):
        Architecture(nn.Conv2d(1, 2, 3)).n_inputs  # noqa: B018


def test_errors_name_what_came_and_what_was_wanted():
    architecture = CASES["mlp"]
    rows = rows_of(architecture)
    with pytest.raises(InvalidInputError, match=r"`weights` must have 193 columns, .*; got 10"):
        architecture.forward(rows[:, :10], np.zeros((2, 4)))
    with pytest.raises(InvalidInputError, match=r"`inputs` must have 4 columns, .* got 3"):
        architecture.forward(rows, np.zeros((2, 3)))
    with pytest.raises(InvalidInputError, match="NaN"):
        architecture.forward(rows * np.nan, np.zeros((2, 4)))
    with pytest.raises(InvalidInputError, match="`batch_size` must be at least 1, or None; got 0"):
        architecture.forward(rows, np.zeros((2, 4)), batch_size=0)
    with pytest.raises(
        InvalidInputError, match=r"models\[1\]: '0.weight' must have shape \(32, 4\)"
    ):
        architecture.flatten(
            [
                architecture.module(rows[0]),
                nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1)),
            ]
        )
    with pytest.raises(InvalidInputError, match=r"got none called \['0.bias'"):
        architecture.flatten({"0.weight": np.zeros((32, 4))})
    with pytest.raises(UnsupportedModuleError, match="str"):
        architecture.flatten(["a model"])
    with pytest.raises(InvalidInputError, match=r"`activation` must .* got 'sine'"):
        Architecture.mlp(1, [], 1, "sine")
    with pytest.raises(InvalidInputError, match=r"`channels` must .* kernel_size=3"):
        Architecture.cnn((1, 4, 4), [1, 1, 1], [], 2, pool=1)
    with pytest.raises(InvalidInputError, match="`features` must"):
        Architecture.mlp(3, [], 1, features=[3])


def test_another_activation_keeps_the_rows_and_changes_the_function():
    relu = CASES["cnn"]
    tanh = relu.with_activation("tanh")
    assert tanh == Architecture.cnn((1, 8, 8), [6, 8], [16], 10, activation="tanh")
    assert tanh.with_activation("relu") == relu
    assert tanh.slices == relu.slices
    rows, X = rows_of(relu), inputs_of(relu)
    np.testing.assert_allclose(tanh.forward(rows, X), loop(tanh, rows, X), atol=1e-5)
    with pytest.raises(InvalidInputError, match=r"`activation` must .* got 'step'"):
        relu.with_activation("step")
    with pytest.raises(UnsupportedModuleError, match="got a Linear without any"):
        Architecture(nn.Linear(2, 1)).with_activation("relu")


def test_what_a_cnn_is_built_of():
    def kinds(**options):
        architecture = Architecture.cnn((1, 12, 12), [3, 2], [4], 2, **options)
        return [repr(layer) for layer in architecture.template[1:]]

    assert kinds(kernel_size=[5, 2], pool=[1, 2], dropout=0.25) == [
        "Conv2d(1, 3, kernel_size=(5, 5), stride=(1, 1))",
        "ReLU()",
        "Conv2d(3, 2, kernel_size=(2, 2), stride=(1, 1))",
        "ReLU()",
        "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
        "Flatten(start_dim=1, end_dim=-1)",
        "Linear(in_features=18, out_features=4, bias=True)",
        "ReLU()",
        "Dropout(p=0.25, inplace=False)",
        "Linear(in_features=4, out_features=2, bias=True)",
    ]
    with pytest.raises(InvalidInputError, match=r"`kernel_size` must .* or 2 of them.* got \[3\]"):
        kinds(kernel_size=[3])
    with pytest.raises(InvalidInputError, match=r"`dropout` must be .* got 1\.5"):
        kinds(dropout=1.5)


def test_hidden_layer_sizes_are_those_of_scikit_learn():
    assert Architecture.mlp(4, 8, 3) == Architecture.mlp(4, (8,), 3)
    assert Architecture.mlp(4, np.array([8, 5]), 3) == Architecture.mlp(4, (8, 5), 3)
    assert Architecture.mlp(4, (), 3) == Architecture(nn.Sequential(nn.Linear(4, 3)))
    assert Architecture.cnn((1, 6, 6), [2], 5, 3) == Architecture.cnn((1, 6, 6), [2], [5], 3)
    for wrong in (0, -1, 2.5, (4, 0), "8"):
        with pytest.raises(InvalidInputError, match="`hidden_layer_sizes` must be an int or"):
            Architecture.mlp(4, wrong, 3)
