"""Latents go where they are worth most: against all ways to share few, and what outputs lose."""

from itertools import product

import pytest
import torch

from wsl import Architecture
from wsl.autoencoder.codes._latent_budget import latent_gains, share_latents
from wsl.autoencoder.codes._layerwise_forward import LayerwiseForward
from wsl.autoencoder.codes._linear import second_moments
from wsl.autoencoder.codes._response import ResponseCode, mean_moments
from wsl.autoencoder.tokens._tokens import architecture_layout


def left_after(gains, sizes):
    """Return what is lost if a unit of so many latents loses the worth of all others."""
    units = [unit for own in gains for unit in own]
    return float(sum(u[s:].sum() for u, s in zip(units, sizes, strict=True)))


def test_what_is_worth_most_is_kept():
    generator = torch.Generator().manual_seed(0)
    gains = [torch.rand(2, 3, generator=generator), torch.rand(1, 4, generator=generator)]
    gains = [own.sort(1, descending=True).values for own in gains]
    for budget in range(2, 11):
        found = share_latents(gains, budget, lambda sizes: left_after(gains, sizes))
        options = [s for s in product(range(4), range(4), range(5)) if sum(s) == budget]
        best = min(left_after(gains, s) for s in options)
        assert sum(found) == budget
        assert left_after(gains, found) == pytest.approx(best, abs=1e-6)


def test_a_latent_that_is_worth_little_comes_along_with_better_ones_behind_it():
    gains = [torch.tensor([[0.1, 3.0, 0.0], [1.0, 0.5, 0.0]])]
    assert share_latents(gains, 2, lambda sizes: left_after(gains, sizes)) == (2, 0)


def test_a_trial_moves_latents_between_layers():
    gains = [torch.ones(4, 20), torch.ones(4, 20)]

    def lost(sizes):
        assert sum(sizes) == 80
        return abs(sum(sizes[:4]) - 21) + 0.1

    found = share_latents(gains, 80, lost)
    assert sum(found[:4]) == pytest.approx(21, abs=1)


def test_no_more_latents_than_there_is_room_for():
    gains = [torch.ones(2, 3), torch.ones(1, 4)]
    assert share_latents(gains, 100, lambda sizes: 0.0) == (3, 3, 4)


def test_gains_are_what_outputs_lose():
    """One affine layer: without a latent its output loses what the latent says, no more."""
    architecture = Architecture.mlp(3, [], 2)
    layout = architecture_layout(architecture)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(30, architecture.n_weights, generator=generator)
    inputs = torch.randn(50, 3, generator=generator)
    zero, one = torch.zeros(rows.shape[1]), torch.ones(rows.shape[1])
    walk = LayerwiseForward(layout, architecture, zero, one, inputs)
    tokens = layout.to_tokens(rows)
    moments = mean_moments(walk, [tokens])
    code = ResponseCode(walk, second_moments([rows], layout), moments, [3, 3])

    def gradients(points, to_rows):
        drawn = []
        for _ in range(2000):
            own = points.clone().requires_grad_(True)
            outputs = architecture.forward(to_rows(own), inputs)
            signs = torch.randn(outputs.shape, generator=generator)
            drawn.append(torch.autograd.grad((outputs * signs).sum(), own)[0])
        return torch.cat(drawn)

    found = latent_gains(code, rows[:4], gradients)
    latents = code.encode(tokens[:4])
    outputs = architecture.forward(layout.to_rows(code.decode(latents)), inputs)
    for token, place in product(range(2), range(3)):
        without = latents.clone()
        without[:, token, place] = 0.0
        others = architecture.forward(layout.to_rows(code.decode(without)), inputs)
        lost = (outputs - others).square().sum((1, 2))
        assert float(found[token, place]) == pytest.approx(float(lost.sqrt().mean() ** 2), rel=0.1)
