"""The order of units by importance, against a loop over units that are taken out."""

import numpy as np
import pytest
import torch
from torch import nn

from wsl import Architecture
from wsl.autoencoder.tokens._unit_order import Alignment, Ranking, reorder

ARCHITECTURES = {
    "perceptron": lambda: Architecture.mlp(4, [7, 5], 3),
    "images": lambda: Architecture.cnn((1, 8, 8), (3, 4), (5,), 2, kernel_size=3, pool=[2, 1]),
}


@pytest.fixture(params=ARCHITECTURES)
def parts(request):
    architecture = ARCHITECTURES[request.param]()
    generator = torch.Generator().manual_seed(0)
    rows = 0.7 * torch.randn(6, architecture.n_weights, generator=generator)
    inputs = torch.randn(30, architecture.n_inputs, generator=generator)
    return architecture, rows, inputs


def test_units_are_ordered_by_what_the_next_layer_gets_from_them():
    architecture = ARCHITECTURES["perceptron"]()
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(6, architecture.n_weights, generator=generator)
    inputs = torch.randn(30, 4, generator=generator)
    orders = Ranking(architecture, inputs).orders(rows)
    for model, row in enumerate(rows):
        module = architecture.module(row)
        linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
        hidden = torch.relu(linear[0](inputs)).detach()
        for group, (layer, values) in enumerate(
            ((linear[1], hidden), (linear[2], torch.relu(linear[1](hidden)).detach()))
        ):
            got = []
            for unit in range(values.shape[1]):
                only = torch.zeros_like(values)
                only[:, unit] = values[:, unit]
                got.append(float((only @ layer.weight.T.detach()).square().sum()))
            assert orders[group][model].tolist() == np.argsort(got)[::-1].tolist()


def test_the_importance_of_a_channel_is_that_of_all_its_places():
    network = nn.Sequential(
        nn.Unflatten(1, (1, 3, 3)), nn.Conv2d(1, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(20, 2)
    )
    architecture = Architecture(network, input_shape=(9,))
    generator = torch.Generator().manual_seed(0)
    row = torch.randn(1, architecture.n_weights, generator=generator)
    inputs = torch.randn(40, 9, generator=generator)
    module = architecture.module(row[0])
    values = module[:4](inputs).square().mean(0).detach()
    got = (values * module[4].weight.square().sum(0)).view(5, 4).sum(1)
    order = Ranking(architecture, inputs).orders(row)[0][0]
    assert order.tolist() == got.argsort(descending=True).tolist()


def test_it_does_not_depend_on_the_order_of_units(parts):
    architecture, rows, inputs = parts
    rows[:, architecture.slices[architecture.parameter_names[1]]][:, :2] = -50.0  # never on
    ranking = Ranking(architecture, inputs)
    copies = architecture.permute(rows, random_state=0)
    assert not torch.equal(copies, rows)
    found, wanted = (reorder(architecture, r, ranking.orders(r)) for r in (copies, rows))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(
        architecture.forward(wanted, inputs), architecture.forward(rows, inputs)
    )


def test_a_rescaled_relu_unit_keeps_its_place():
    architecture = ARCHITECTURES["perceptron"]()
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4, architecture.n_weights, generator=generator)
    inputs = torch.randn(30, 4, generator=generator)
    scaled = {name: own.clone() for name, own in architecture.layout.parameters(rows).items()}
    first, second = architecture.parameter_names[0], architecture.parameter_names[2]
    scaled[first][:, 3] *= 20.0
    scaled[architecture.parameter_names[1]][:, 3] *= 20.0
    scaled[second][:, :, 3] /= 20.0
    ranking = Ranking(architecture, inputs)
    for found, wanted in zip(
        ranking.orders(architecture.layout.rows(scaled)), ranking.orders(rows), strict=True
    ):
        assert torch.equal(found, wanted)
    alignment = Alignment(architecture, rows[0])
    assert all(order.shape[0] == 4 for order in alignment.orders(rows))
