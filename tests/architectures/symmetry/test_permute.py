import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from wsl import Architecture
from wsl.architectures.symmetry._weight_matching import sorted_orders
from wsl.exceptions import UnsupportedModuleError


def test_the_groups_of_units_are_those_counted_by_hand(network):
    architecture = network.architecture
    assert [group.n_units for group in architecture.permutation_groups] == network.groups
    if network.n_weights is not None:
        assert architecture.n_weights == network.n_weights


def test_permute_changes_the_weights_and_not_the_function(network):
    architecture, rows, X = network.architecture, network.rows(), network.inputs()
    permuted = architecture.permute(rows, random_state=0)
    np.testing.assert_allclose(network.outputs(permuted, X), network.outputs(rows, X), atol=1e-4)
    np.testing.assert_array_equal(np.sort(permuted, axis=1), np.sort(rows, axis=1))
    assert permuted.dtype == rows.dtype
    for group in architecture.permutation_groups:
        for axis in group.axes:
            columns = architecture.slices[axis.parameter]
            assert (permuted[:, columns] != rows[:, columns]).any(), axis


def test_canonical_forms_do_not_depend_on_the_order_of_units(network):
    architecture, rows, X = network.architecture, network.rows(), network.inputs()
    permuted = architecture.permute(rows, random_state=0)
    canonical = architecture.canonicalize(rows)
    np.testing.assert_array_equal(architecture.canonicalize(permuted), canonical)
    np.testing.assert_allclose(network.outputs(canonical, X), network.outputs(rows, X), atol=1e-4)


def test_aligned_forms_do_not_depend_on_the_order_of_units(network):
    architecture, rows, X = network.architecture, network.rows(), network.inputs()
    reference = network.rows(1, seed=5)[0]
    permuted = architecture.permute(rows, random_state=0)
    aligned = architecture.canonicalize(rows, reference=reference)
    np.testing.assert_array_equal(architecture.canonicalize(permuted, reference=reference), aligned)
    np.testing.assert_allclose(network.outputs(aligned, X), network.outputs(rows, X), atol=1e-4)
    trained = slice(0, architecture.n_trainable)
    before, after = ((r - reference)[:, trained] ** 2 for r in (rows, aligned))
    assert (after.sum(1) < before.sum(1)).all()


def test_alignment_finds_a_permuted_and_disturbed_model_again(network):
    architecture, rows = network.architecture, network.rows(1)
    permuted = architecture.permute(np.tile(rows, (4, 1)), random_state=0)
    noisy = permuted + np.random.default_rng(0).normal(0, 1e-3, permuted.shape).astype("f")
    aligned = architecture.canonicalize(noisy, reference=rows[0])
    assert np.abs(aligned - rows[0]).max() < 0.01


def test_a_reference_aligned_to_itself_stays(network):
    rows = network.rows(1)
    aligned = network.architecture.canonicalize(rows, reference=rows[0])
    np.testing.assert_array_equal(aligned, rows)


def reordered(architecture, row, group, order):
    """Permute one group's units of one row, axis by axis, in numpy."""
    moved = row.copy()
    for axis in group.axes:
        columns = architecture.slices[axis.parameter]
        shape = architecture.parameter_shapes[architecture.parameter_names.index(axis.parameter)]
        places = np.arange(group.n_units * axis.block).reshape(group.n_units, axis.block)
        values = moved[columns].reshape(shape)
        moved[columns] = values.take(places[list(order)].ravel(), axis=axis.axis).ravel()
    return moved


@pytest.mark.parametrize("hidden", [[5], [4, 3]])
def test_no_permutation_of_one_layer_brings_an_aligned_model_closer(hidden):
    architecture = Architecture.mlp(3, hidden, 2)
    rng = np.random.default_rng(0)
    reference, *rows = rng.normal(size=(9, architecture.n_weights)).astype("f")
    aligned = architecture.canonicalize(rows, reference=reference)
    for row in aligned:
        found = np.square(row - reference).sum()
        for group in architecture.permutation_groups:
            for order in itertools.permutations(range(group.n_units)):
                other = reordered(architecture, row, group, order)
                assert np.square(other - reference).sum() >= found - 1e-4


def test_running_statistics_move_along_and_do_not_count():
    module = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
    architecture = Architecture(module)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2, architecture.n_weights)).astype("f")
    rows[1, : architecture.n_trainable] = rows[0, : architecture.n_trainable]
    rows[:, architecture.slices["1.running_mean"]] *= 1000
    for reference in (None, rows[1]):
        same = architecture.canonicalize(rows, reference=reference)
        trained = same[:, : architecture.n_trainable]
        np.testing.assert_array_equal(trained[0], trained[1])
        mean, weight = (architecture.slices[f"1.{name}"] for name in ("running_mean", "weight"))
        order = same[0, weight].argsort()
        was = rows[0, weight].argsort()
        np.testing.assert_array_equal(same[0, mean][order], rows[0, mean][was])


def test_units_of_equal_norm_are_told_apart_by_sums_and_by_what_they_lead_to():
    architecture = Architecture.mlp(2, [4], 1)
    row = np.zeros(architecture.n_weights, np.float32)
    row[architecture.slices["0.weight"]] = np.ravel([[3, 4], [-4, 3], [4, 3], [4, 3]])
    row[architecture.slices["2.weight"]] = [1, 2, -3, 3]
    forms = {
        architecture.canonicalize(reordered(architecture, row, group, order)[None]).tobytes()
        for group in architecture.permutation_groups
        for order in itertools.permutations(range(4))
    }
    # units 0, 2 and 3 have equal norms and sums on their way in; 2 and 3 differ by a sign going out
    assert len(forms) == 1


def test_many_rows_are_reordered_a_few_at_a_time(monkeypatch):
    architecture = Architecture.mlp(3, [6, 5], 2)
    rows = np.random.default_rng(0).normal(size=(11, architecture.n_weights)).astype("f")

    def all_forms():
        return [
            architecture.permute(rows, random_state=0),
            architecture.canonicalize(rows),
            architecture.canonicalize(rows, reference=rows[3]),
        ]

    together = all_forms()
    monkeypatch.setattr("wsl.architectures.symmetry._permute.PERMUTE_BYTES", 8 * 3 * rows.shape[1])
    for one, other in zip(together, all_forms(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_permuted_tensors_keep_their_gradient():
    architecture = Architecture.mlp(3, [6], 2)
    rows = torch.randn(4, architecture.n_weights, requires_grad=True)
    slope = torch.randn(4, architecture.n_weights)
    reference = torch.randn(architecture.n_weights)
    for moved in (architecture.canonicalize(rows), architecture.canonicalize(rows, reference)):
        (gradient,) = torch.autograd.grad((moved * slope).sum(), rows)
        torch.testing.assert_close((gradient * rows).sum(), (moved * slope).sum())
        assert not torch.equal(gradient, slope)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(3, 2), nn.Parameter(torch.ones(2))

    def forward(self, x):
        return self.layer(x) * self.scale


def sharing():
    """Units on both sides of a shared matrix are the same units, and those of its biases too."""
    wide = nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5)
    module = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), *wide, nn.Linear(5, 2))
    module[4].weight = module[2].weight
    return module


def hooked():
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    module[1].register_forward_hook(lambda layer, inputs, output: output.cumsum(1))
    return module


@pytest.mark.parametrize(
    ("make", "groups"),
    [
        (sharing, [5]),
        (lambda: nn.Sequential(weight_norm(nn.Linear(3, 4)), nn.Tanh(), nn.Linear(4, 2)), [4]),
    ],
)
def test_units_of_shared_and_computed_weights_are_permuted(make, groups):
    architecture = Architecture(make())
    assert [group.n_units for group in architecture.permutation_groups] == groups
    rows = np.random.default_rng(0).normal(size=(4, architecture.n_weights)).astype("f")
    X = np.random.default_rng(1).normal(size=(5, 3)).astype("f")
    permuted = architecture.permute(rows, random_state=0)
    assert (permuted != rows).any()
    np.testing.assert_allclose(
        architecture.forward(permuted, X), architecture.forward(rows, X), atol=1e-4
    )
    np.testing.assert_array_equal(
        architecture.canonicalize(permuted), architecture.canonicalize(rows)
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Scaled, "Scaled"),
        (hooked, "layer '1' .ReLU.*hooks"),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.GLU(), nn.Linear(2, 1)), "layer '1' .GLU"),
        (lambda: nn.Sequential(nn.AvgPool1d(2), nn.Linear(3, 2)), "pass input_shape="),
    ],
)
def test_what_is_not_known_is_said(make, message):
    architecture = Architecture(make())
    with pytest.raises(UnsupportedModuleError, match=message):
        architecture.permute(np.zeros((2, architecture.n_weights)))
    assert architecture.flatten(architecture.template).shape == (1, architecture.n_weights)


def test_sums_with_the_input_or_between_other_layouts_fix_units():
    class WithInput(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.back = nn.Linear(4, 6), nn.Linear(6, 4)
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            return self.last(x + self.back(torch.relu(self.inner(x))))

    class Flattened(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other = nn.Conv1d(1, 3, 2), nn.Linear(4, 9)
            self.last = nn.Linear(9, 5)
            self.end = nn.Linear(5, 1)

        def forward(self, x):
            both = self.conv(x).flatten(1) + self.other(x.flatten(1))
            return self.end(torch.tanh(self.last(both)))

    assert [g.n_units for g in Architecture(WithInput(), input_shape=(4,)).permutation_groups] == [
        6
    ]
    groups = Architecture(Flattened(), input_shape=(1, 4)).permutation_groups
    assert [g.n_units for g in groups] == [5]


ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.GELU, nn.LeakyReLU, nn.Softplus)


class AnyMLP(nn.Module):
    def __init__(self, n_inputs, widths, depth, n_outputs, bias, activation, norm, residual):
        super().__init__()
        self.first = nn.Linear(n_inputs, widths[0], bias=bias)
        self.norms = nn.ModuleList(norm(widths[0]) for _ in range(depth))
        self.inner = nn.ModuleList(nn.Linear(widths[0], widths[1], bias) for _ in range(depth))
        self.outer = nn.ModuleList(nn.Linear(widths[1], widths[0]) for _ in range(depth))
        self.last = nn.Linear(widths[0], n_outputs, bias=bias)
        self.activation, self.residual = activation(), residual

    def forward(self, x):
        x = self.first(x)
        for norm, inner, outer in zip(self.norms, self.inner, self.outer, strict=True):
            y = outer(self.activation(inner(norm(x))))
            x = x + y if self.residual else self.activation(y)
        return self.last(x)


class AnyCNN(nn.Module):
    def __init__(self, n_inputs, widths, depth, n_outputs, bias, activation, norm, residual):
        super().__init__()
        norm = {nn.BatchNorm1d: nn.BatchNorm2d, nn.LayerNorm: lambda n: nn.GroupNorm(1, n)}.get(
            norm, norm
        )
        self.first = nn.Conv2d(n_inputs, widths[0], 3, bias=bias)
        self.norms = nn.ModuleList(norm(widths[0]) for _ in range(depth))
        self.inner = nn.ModuleList(
            nn.Conv2d(widths[0], widths[0], 3, padding=1, bias=bias) for _ in range(depth)
        )
        self.pool, self.activation, self.residual = nn.MaxPool2d(2), activation(), residual
        self.hidden = nn.Linear(4 * widths[0], widths[1], bias=bias)
        self.last = nn.Linear(widths[1], n_outputs)

    def forward(self, x):
        x = self.first(x)
        for norm, inner in zip(self.norms, self.inner, strict=True):
            y = self.activation(norm(inner(x)))
            x = x + y if self.residual else y
        return self.last(self.activation(self.hidden(self.pool(x).flatten(1))))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from([AnyMLP, AnyCNN]),
    n_inputs=st.integers(1, 4),
    widths=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    depth=st.integers(0, 3),
    n_outputs=st.integers(1, 3),
    bias=st.booleans(),
    activation=st.sampled_from(ACTIVATIONS),
    norm=st.sampled_from([lambda n: nn.Identity(), nn.BatchNorm1d, nn.LayerNorm]),
    residual=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_any_network(make_network, kind, seed, **arguments):
    shape = (arguments["n_inputs"],) if kind is AnyMLP else (arguments["n_inputs"], 6, 6)
    network = make_network(kind(**arguments), shape)
    architecture, rows, X = network.architecture, network.rows(2, seed), network.inputs(3, seed)
    outputs = network.outputs(rows, X)
    permuted = architecture.permute(rows, random_state=seed)
    scale = 1e-4 * max(1.0, np.abs(outputs).max())
    np.testing.assert_allclose(network.outputs(permuted, X), outputs, atol=scale)
    for reference in (None, network.rows(1, seed + 1)[0]):
        one, other = (architecture.canonicalize(r, reference) for r in (rows, permuted))
        np.testing.assert_array_equal(one, other)
    assert (architecture.flatten([architecture.module(row) for row in rows]) == rows).all()
    assert (architecture.flatten([architecture.state_dict(row) for row in rows]) == rows).all()
    twin = Architecture.from_spec(architecture.to_spec())
    assert twin == architecture
    np.testing.assert_allclose(
        twin.forward(rows, X), outputs.reshape(2, 3, -1), atol=scale, rtol=1e-4
    )


def test_sorting_by_norm_is_as_it_was():
    architecture = Architecture.mlp(3, [7], 2)
    rows = torch.randn(5, architecture.n_weights)
    parameters = architecture.layout.parameters(rows)
    (order,) = sorted_orders(parameters, architecture.permutation_groups)
    norms = parameters["0.weight"].square().sum(2) + parameters["0.bias"].square()
    assert torch.equal(order, norms.argsort(dim=1, descending=True))
