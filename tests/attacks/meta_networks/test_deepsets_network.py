import numpy as np
import pytest
import torch
from torch import nn

from wsl import Architecture
from wsl._random import torch_generator
from wsl.attacks.meta_networks._deepsets_network import DeepSets
from wsl.attacks.meta_networks._meta_training import RowBatches, recompute_norm_statistics
from wsl.attacks.meta_networks._unit_sets import cut_layers, row_as_element, standardization

ARCHITECTURES = {
    "linear": Architecture(nn.Linear(5, 3)),
    "mlp": Architecture.mlp(4, [6], 1),
    "deep mlp": Architecture.mlp(4, [6, 5, 4], 3),
    "cnn": Architecture.cnn((1, 8, 8), [3, 4], [5], 3, pool=1),
    "no bias": Architecture(nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Linear(6, 2))),
}


def rows_of(architecture, n_models=12):
    return np.random.default_rng(0).normal(1.0, 2.0, (n_models, architecture.n_weights))


def network_of(architecture, rows):
    layers = cut_layers(architecture)
    shift, scale = (torch.as_tensor(part) for part in standardization(rows, layers))
    network = DeepSets(
        layers, 2, shift, scale, latent_dim=3, hidden_layer_sizes=(7,), dropout=0.5,
        generator=torch.Generator().manual_seed(0),
    ).double()  # fmt: skip
    recompute_norm_statistics(network, network.prepare(torch.as_tensor(rows)))
    return network


def read(network, rows):
    with torch.no_grad():
        return network(network.prepare(torch.as_tensor(rows)))


@pytest.mark.parametrize("name", ["mlp", "deep mlp", "cnn", "no bias"])
def test_blind_to_the_order_of_hidden_units(name):
    architecture = ARCHITECTURES[name]
    rows = rows_of(architecture)
    network = network_of(architecture, rows)
    moved = architecture.permute(torch.as_tensor(rows), torch_generator(np.random.default_rng(1)))
    assert (moved.numpy() != rows).any(axis=1).all()
    torch.testing.assert_close(read(network, moved), read(network, rows))


@pytest.mark.parametrize("name", ["linear", "deep mlp", "cnn"])
def test_not_blind_to_the_order_of_outputs_or_inputs(name):
    architecture = ARCHITECTURES[name]
    rows = rows_of(architecture)
    network = network_of(architecture, rows)
    parameters = architecture.layout.parameters(torch.as_tensor(rows))
    first, last = architecture.parameter_names[0], architecture.parameter_names[-1]
    for parameter in (first, last):
        changed = dict(parameters)
        changed[parameter] = changed[parameter].flip(-1)
        difference = read(network, architecture.layout.rows(changed)) - read(network, rows)
        assert difference.abs().max() > 1e-3


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_cover_every_weight_once(name):
    architecture = ARCHITECTURES[name]
    seen = np.zeros(architecture.n_weights, dtype=int)
    for layer in cut_layers(architecture):
        assert layer.weight.stop - layer.weight.start == (
            layer.n_units * layer.n_sources * layer.block
        )
        for part in (layer.weight, *layer.extras):
            seen[part] += 1
    assert (seen == 1).all()


def test_layers_of_a_cnn():
    layers = cut_layers(ARCHITECTURES["cnn"])
    assert [(x.n_units, x.n_sources, x.block) for x in layers] == [
        (3, 1, 9), (4, 3, 9), (5, 4, 16), (3, 5, 1),
    ]  # fmt: skip
    assert [layer.mixes for layer in layers] == [False, True, True, True]
    assert [layer.ordered for layer in layers] == [False, False, False, True]


def test_gains_of_a_norm_belong_to_the_layer_before_and_stray_vectors_to_themselves():
    module = nn.Sequential(
        nn.LayerNorm(4), nn.Linear(4, 6), nn.LayerNorm(6), nn.PReLU(), nn.Linear(6, 2)
    )
    layers = cut_layers(Architecture(module, input_shape=(4,)))
    assert [(x.n_units, len(x.extras), x.mixes, x.carries) for x in layers] == [
        (1, 0, False, False), (1, 0, False, False), (6, 3, False, True),
        (1, 0, False, False), (2, 1, True, True),
    ]  # fmt: skip


def test_inputs_that_are_not_the_units_before_are_read_in_their_order():
    module = nn.Sequential(nn.Linear(4, 6), nn.GLU(), nn.Linear(3, 2))
    layers = cut_layers(Architecture(module))
    assert [layer.mixes for layer in layers] == [False, False]


@pytest.mark.parametrize("name", ["deep mlp", "cnn"])
def test_standardization_is_shared_by_columns_that_may_change_places(name):
    architecture = ARCHITECTURES[name]
    rows = rows_of(architecture)
    layers = cut_layers(architecture)
    moved = architecture.permute(torch.as_tensor(rows), torch_generator(np.random.default_rng(1)))
    for ours, theirs in zip(
        standardization(rows, layers), standardization(moved.numpy(), layers), strict=True
    ):
        np.testing.assert_allclose(ours, theirs)


def test_standardization_of_a_row_of_which_nothing_is_known_is_by_column():
    rows = np.random.default_rng(0).normal(size=(9, 4)) * [1, 10, 1e-4, 1] + [0, 5, 1, 7]
    rows[:, 3] = 7.0
    shift, scale = standardization(rows, row_as_element(4))
    np.testing.assert_allclose(shift, rows.mean(0))
    np.testing.assert_allclose(scale[:3], 1 / rows[:, :3].std(0))
    assert scale[3] == 1.0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_the_network_computes_unit_by_unit(name):
    architecture = ARCHITECTURES[name]
    rows = rows_of(architecture, 5)
    network = network_of(architecture, rows)
    layers = cut_layers(architecture)
    shift, scale = standardization(rows, layers)
    standard = torch.as_tensor((rows - shift) * scale)
    slow = torch.stack([_slow_forward(network, layers, row) for row in standard])
    torch.testing.assert_close(read(network, rows), slow)


@torch.no_grad()
def _slow_forward(network, layers, row):
    """One model, one unit at a time: N_i = phi(sum_j w_ij N_j, b_i), then the sums."""
    latents, pooled = None, []
    for layer, encoder in zip(layers, network.units, strict=True):
        weight = row[layer.weight].view(layer.n_units, layer.n_sources, layer.block)
        units = []
        for i in range(layer.n_units):
            read = weight[i, 0]
            if layer.mixes:
                read = sum(torch.outer(weight[i, j], latents[j]) for j in range(layer.n_sources))
            read = torch.cat([read.flatten(), *(row[extra][i : i + 1] for extra in layer.extras)])
            place = i if layer.ordered and layer.n_units > 1 else 0
            if layer.mixes:
                chosen = slice(place * len(read), (place + 1) * len(read))
                mean, var = encoder.norm.running_mean[chosen], encoder.norm.running_var[chosen]
                read = (read - mean) / (var + encoder.norm.eps).sqrt()
            units.append(
                (read @ encoder.to_hidden + encoder.bias[place]).relu() @ encoder.to_latent
            )
        pooled.append(sum(units))
        if layer.carries:
            latents = units
    norm, total = network.norm, torch.cat(pooled)
    return network.output((total - norm.running_mean) / (norm.running_var + norm.eps).sqrt())


class _Pairs:
    def __init__(self, n_rows):
        self.X = torch.arange(n_rows)[:, None]
        self.y = torch.arange(n_rows) * 10

    def __len__(self):
        return len(self.X)


@pytest.mark.parametrize(("n_rows", "batch_size"), [(65, 32), (3, 2), (2, 32), (1, 32), (100, 7)])
def test_batches_hold_every_row_once_and_never_one_alone(n_rows, batch_size):
    dataset = _Pairs(n_rows)
    batches = RowBatches(dataset, batch_size, torch.Generator().manual_seed(0))
    epoch = list(batches)
    assert len(epoch) == len(batches)
    assert all(len(rows) > 1 for rows, _ in epoch) or n_rows == 1
    assert sorted(torch.cat([rows for rows, _ in epoch]).flatten().tolist()) == list(range(n_rows))
    for rows, targets in epoch:
        torch.testing.assert_close(rows.flatten() * 10, targets)


def test_settled_norms_are_those_of_all_rows():
    rows = torch.randn(3000, 4, generator=torch.Generator().manual_seed(0)) * 3 + 5
    norm = nn.Sequential(nn.BatchNorm1d(4))
    norm.prepare, norm.model_bytes = torch.clone, 16
    recompute_norm_statistics(norm, rows)
    torch.testing.assert_close(norm[0].running_mean, rows.mean(0), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(norm[0].running_var, rows.var(0), rtol=1e-2, atol=1e-2)
    assert not norm.training
