"""Rows to tokens and back: exact, one token a unit, padding where it belongs."""

import numpy as np
import pytest
import torch
from torch import nn

from wsl import Architecture
from wsl.autoencoder.tokens._tokens import architecture_layout, plain_layout

ARCHITECTURES = {
    "mlp": Architecture.mlp(3, [5, 4], 2),
    "cnn": Architecture.cnn((1, 8, 8), (3, 4), (6,), 10),
    "no hidden layer": Architecture.mlp(7, [], 1),
    "no bias": Architecture(nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2))),
    "layer norm": Architecture(
        nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
    ),
}


@pytest.mark.parametrize("token_size", [None, 1, 4, 1000])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_round_trip_is_exact(name, token_size):
    layout = architecture_layout(ARCHITECTURES[name], token_size)
    rows = torch.randn(6, layout.n_columns)
    tokens = layout.to_tokens(rows)
    assert tokens.shape == (6, layout.n_tokens, layout.token_size)
    assert torch.equal(layout.to_rows(tokens), rows)
    assert (tokens[:, ~torch.from_numpy(layout.mask)] == 0).all()
    used = np.sort(layout.columns[layout.mask])
    np.testing.assert_array_equal(used, np.arange(layout.n_columns))


@pytest.mark.parametrize(("n_columns", "token_size"), [(1, None), (10, 3), (200, None), (9, 9)])
def test_plain_round_trip_is_exact(n_columns, token_size):
    layout = plain_layout(n_columns, token_size)
    rows = torch.randn(4, n_columns)
    assert torch.equal(layout.to_rows(layout.to_tokens(rows)), rows)
    assert layout.token_size <= n_columns


def test_a_token_is_a_unit_with_its_bias():
    architecture = Architecture.cnn((2, 6, 6), (3,), (), 4)
    row = torch.randn(1, architecture.n_weights)
    layout = architecture_layout(architecture)
    parameters = architecture.layout.parameters(row)
    names = list(parameters)
    tokens = layout.to_tokens(row)[0]
    assert layout.n_tokens == 3 + 4
    for (layer, unit, part), token in zip(layout.positions, tokens, strict=True):
        weight, bias = parameters[names[2 * layer]][0], parameters[names[2 * layer + 1]][0]
        expected = torch.cat([weight[unit].flatten(), bias[unit, None]])
        assert part == 0
        assert torch.equal(token[: len(expected)], expected)


def test_long_units_are_split_into_parts_that_follow_each_other():
    layout = architecture_layout(Architecture.mlp(5, [3], 2), token_size=4)  # units of 6 and of 4
    assert layout.positions.tolist() == [
        [0, 0, 0], [0, 1, 0], [0, 2, 0], [0, 0, 1], [0, 1, 1], [0, 2, 1], [1, 0, 0], [1, 1, 0],
    ]  # fmt: skip
    assert layout.group_of_token.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert layout.group_counts == [3, 3, 2]
    assert layout.group_lengths == [4, 2, 4]


def test_layers_of_columns_follow_the_modules():
    architecture = Architecture.mlp(2, [3], 1)
    expected = [0] * 9 + [1] * 4
    assert architecture_layout(architecture).layer_of_column.tolist() == expected
