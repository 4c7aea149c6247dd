"""Latent budgets against all allocations of few latents; importances against what outputs lose."""

from itertools import product

import pytest
import torch

from wsl import Architecture
from wsl.autoencoder.codes._activation_aware import ActivationAwareCode, mean_moments
from wsl.autoencoder.codes._latent_budget import allocate_budget, latent_importance
from wsl.autoencoder.codes._layerwise_forward import LayerwiseForward
from wsl.autoencoder.codes._linear import second_moments
from wsl.autoencoder.tokens._normalization import Normalization, Scaling
from wsl.autoencoder.tokens._tokens import architecture_layout


def left_after(importances, sizes):
    """Return what is lost if units of ``sizes`` latents lose the importance of all others."""
    units = [unit for group in importances for unit in group]
    return float(sum(u[s:].sum() for u, s in zip(units, sizes, strict=True)))


def test_the_most_important_latents_are_kept():
    generator = torch.Generator().manual_seed(0)
    importances = [torch.rand(2, 3, generator=generator), torch.rand(1, 4, generator=generator)]
    importances = [own.sort(1, descending=True).values for own in importances]
    for budget in range(2, 11):
        found = allocate_budget(importances, budget, lambda sizes: left_after(importances, sizes))
        options = [s for s in product(range(4), range(4), range(5)) if sum(s) == budget]
        best = min(left_after(importances, s) for s in options)
        assert sum(found) == budget
        assert left_after(importances, found) == pytest.approx(best, abs=1e-6)


def test_an_unimportant_latent_counts_with_more_important_ones_behind_it():
    importances = [torch.tensor([[0.1, 3.0, 0.0], [1.0, 0.5, 0.0]])]
    assert allocate_budget(importances, 2, lambda sizes: left_after(importances, sizes)) == (2, 0)


def test_a_trial_moves_latents_between_layers():
    importances = [torch.ones(4, 20), torch.ones(4, 20)]

    def lost(sizes):
        assert sum(sizes) == 80
        return abs(sum(sizes[:4]) - 21) + 0.1

    found = allocate_budget(importances, 80, lost)
    assert sum(found[:4]) == pytest.approx(21, abs=1)


def test_no_more_latents_than_there_is_room_for():
    importances = [torch.ones(2, 3), torch.ones(1, 4)]
    assert allocate_budget(importances, 100, lambda sizes: 0.0) == (3, 3, 4)


@pytest.mark.slow
def test_importances_are_what_outputs_lose():
    """One affine layer: without a latent its output loses the contribution of that latent."""
    architecture = Architecture.mlp(3, [], 2)
    layout = architecture_layout(architecture)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(30, architecture.n_weights, generator=generator)
    inputs = torch.randn(50, 3, generator=generator)
    zero, one = torch.zeros(rows.shape[1]), torch.ones(rows.shape[1])
    scaling = Scaling(Normalization(zero, one))
    layers = LayerwiseForward(layout, architecture, scaling, inputs)
    tokens = layout.to_tokens(rows)
    moments = mean_moments(layers, [tokens])
    code = ActivationAwareCode(layers, second_moments([rows], layout), moments, [3, 3])

    def gradients(points, to_rows):
        drawn = []
        for _ in range(2000):
            own = points.clone().requires_grad_(True)
            outputs = architecture.forward(to_rows(own), inputs)
            signs = torch.randn(outputs.shape, generator=generator)
            drawn.append(torch.autograd.grad((outputs * signs).sum(), own)[0])
        return torch.cat(drawn)

    found = latent_importance(code, rows[:4], gradients)
    latents = code.encode(tokens[:4])
    outputs = architecture.forward(layout.to_rows(code.decode(latents)), inputs)
    for token, place in product(range(2), range(3)):
        without = latents.clone()
        without[:, token, place] = 0.0
        others = architecture.forward(layout.to_rows(code.decode(without)), inputs)
        lost = (outputs - others).square().sum((1, 2))
        assert float(found[token, place]) == pytest.approx(float(lost.sqrt().mean() ** 2), rel=0.1)
