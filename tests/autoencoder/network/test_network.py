"""The network: it starts at the linear code, attends within a model, orders its latents."""

import numpy as np
import pytest
import torch

from wsl import Architecture
from wsl.autoencoder.codes._linear import fit_linear_code, second_moments
from wsl.autoencoder.network._network import NetworkSize, TokenAutoencoder
from wsl.autoencoder.tokens._tokens import architecture_layout, plain_layout

ARCHITECTURE = Architecture.mlp(4, [6], 3)


def trained_looking(network):
    """Give the parts that start at zero some weight, as training would."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


@pytest.fixture
def layout():
    return architecture_layout(ARCHITECTURE)


@pytest.fixture
def tokens(layout):
    rows = torch.randn(50, layout.n_columns, generator=torch.Generator().manual_seed(0))
    return layout.to_tokens(rows)


def moments(tokens, layout):
    return second_moments([layout.to_rows(tokens)], layout)


def build(layout, tokens, n_latents):
    code = fit_linear_code(moments(tokens, layout), layout, n_latents)
    return TokenAutoencoder(layout, code, NetworkSize(16, 2, 4), torch.Generator().manual_seed(0))


def test_with_as_many_latents_as_weights_the_start_is_exact(layout, tokens):
    network = build(layout, tokens, layout.n_columns)
    assert network.n_latents == layout.n_columns
    torch.testing.assert_close(network(tokens), tokens, rtol=1e-4, atol=1e-4)


def test_the_start_is_principal_components_by_layer():
    layout = plain_layout(8)
    deviation = torch.linspace(3.0, 0.1, 8)
    tokens = layout.to_tokens(torch.randn(200, 8) * deviation)
    network = build(layout, tokens, 3)
    flat = tokens.flatten(1).numpy().astype(float)
    axes = np.linalg.svd(flat, full_matrices=False)[2][:3]
    np.testing.assert_allclose(
        network(tokens).detach().flatten(1).numpy(), flat @ axes.T @ axes, atol=1e-4
    )


def test_the_start_beats_every_other_code_under_its_metric():
    layout = plain_layout(6)
    generator = torch.Generator().manual_seed(0)
    tokens = layout.to_tokens(torch.randn(300, 6, generator=generator))
    gradients = layout.to_tokens(
        torch.randn(300, 6, generator=generator) * torch.tensor([0.1, 0.1, 0.1, 1.0, 2.0, 4.0])
    )

    def cost(code):
        with torch.no_grad():
            error = code.decode(code.encode(tokens)) - tokens
        moment = gradients.flatten(0, 1).T @ gradients.flatten(0, 1) / len(gradients)
        metric = 0.1 * torch.eye(6) + 0.9 * moment / (moment.trace() / 6)
        return torch.einsum("mti,ij,mtj->", error, metric, error)

    own = moments(tokens, layout)
    best = fit_linear_code(own, layout, 3, moments(gradients, layout), beta=0.1)
    assert cost(best) < 0.7 * cost(fit_linear_code(own, layout, 3))


def test_latents_are_allocated_to_layers_within_the_budget(layout, tokens):
    code = fit_linear_code(moments(tokens, layout), layout, 30)
    used = sum(code.sizes)
    assert 30 - max(layout.group_counts) < used <= 30


def test_an_embedding_does_not_depend_on_the_other_rows(layout, tokens):
    network = trained_looking(build(layout, tokens, 20))
    with torch.no_grad():
        together = network.encode(tokens)
        alone = torch.cat([network.encode(t[None]) for t in tokens])
        moved = network.encode(tokens.flip(0)).flip(0)
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(moved, together, rtol=1e-4, atol=1e-5)


def test_the_tokens_of_a_model_see_each_other(layout, tokens):
    network = trained_looking(build(layout, tokens, 20))
    changed = tokens.clone()
    changed[:, -1] += 1.0
    first = network.latent_blocks[0]
    with torch.no_grad():
        difference = network.encode(changed)[:, first] - network.encode(tokens)[:, first]
    assert difference.abs().max() > 1e-4


def test_latent_blocks_and_pooling_agree_with_a_loop(layout, tokens):
    network = trained_looking(build(layout, tokens, 24))
    blocks = network.latent_blocks
    assert np.sort(np.concatenate(blocks)).tolist() == list(range(network.n_latents))
    with torch.no_grad():
        latents = network.encode(tokens)
        pooled = network.pool(latents)
    by_token = [latents[:, block] for block in blocks]
    by_group = [torch.stack(by_token[:6]), torch.stack(by_token[6:])]
    expected = torch.cat([group.mean(0) for group in by_group], dim=1)
    torch.testing.assert_close(pooled, expected)
