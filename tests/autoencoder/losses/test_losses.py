"""Each loss against a slow plain computation, its gradient against finite differences."""

import math

import numpy as np
import pytest
import torch

from wsl import Architecture
from wsl.autoencoder.codes._linear import fit_linear_code, second_moments
from wsl.autoencoder.losses import _losses as losses
from wsl.autoencoder.losses._behavioral_loss import BehavioralLoss, output_gradients
from wsl.autoencoder.losses._query_sets import QuerySets
from wsl.autoencoder.network._autoencoder_objective import AutoencoderObjective, LossWeights
from wsl.autoencoder.network._network import NetworkSize, TokenAutoencoder
from wsl.autoencoder.tokens._normalization import Normalization, Scaling
from wsl.autoencoder.tokens._tokens import architecture_layout


def softmax(values, temperature=1.0):
    powers = [math.exp(v / temperature) for v in values]
    return [p / sum(powers) for p in powers]


def one_l2(rebuilt, original):
    return sum((a - b) ** 2 for a, b in zip(softmax(rebuilt), softmax(original), strict=True))


def one_cross_entropy(rebuilt, original):
    pairs = zip(softmax(rebuilt), softmax(original), strict=True)
    return -sum(b * math.log(a) for a, b in pairs)


def one_distillation(rebuilt, original):
    pairs = zip(softmax(rebuilt, 2.0), softmax(original, 2.0), strict=True)
    return 4.0 * sum(b * math.log(b / a) for a, b in pairs)


SLOW = {"l2": one_l2, "cross_entropy": one_cross_entropy, "distillation": one_distillation}


@pytest.mark.parametrize("name", SLOW)
def test_behavioral_losses_match_a_loop(name):
    rebuilt, original = torch.randn(2, 4, 5, 3, dtype=torch.float64)
    slow = [
        SLOW[name](rebuilt[m, q].tolist(), original[m, q].tolist())
        for m in range(4)
        for q in range(5)
    ]
    fast = losses.BEHAVIORAL_LOSSES[name](rebuilt, original)
    assert fast.item() == pytest.approx(np.mean(slow))


def test_regression_compares_raw_outputs():
    rebuilt, original = torch.randn(2, 4, 5, 3, dtype=torch.float64)
    pairs = zip(rebuilt.flatten(0, 1).tolist(), original.flatten(0, 1).tolist(), strict=True)
    slow = [sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) for pair in pairs]
    assert losses.squared_error_loss(rebuilt, original).item() == pytest.approx(np.mean(slow))


@pytest.mark.parametrize("name", ["cross_entropy", "distillation"])
def test_one_output_is_a_binary_logit_for_the_entropies(name):
    rebuilt, original = torch.randn(2, 3, 4, 1, dtype=torch.float64)
    two = [torch.cat([torch.zeros_like(x), x], dim=-1) for x in (rebuilt, original)]
    loss = losses.BEHAVIORAL_LOSSES[name]
    assert loss(rebuilt, original).item() == pytest.approx(loss(*two).item())


def test_a_single_output_is_compared_without_a_softmax_by_l2():
    rebuilt, original = torch.randn(2, 3, 4, 1)
    expected = (rebuilt - original).square().mean()
    assert torch.allclose(losses.l2_loss(rebuilt, original), expected)


def test_structural_loss_leaves_padding_out():
    rebuilt, tokens = torch.randn(2, 3, 4, 5)
    mask = torch.rand(4, 5) < 0.6
    slow = [
        (rebuilt[m, t, p] - tokens[m, t, p]).item() ** 2
        for m in range(3)
        for t in range(4)
        for p in range(5)
        if mask[t, p]
    ]
    assert losses.structural_loss(rebuilt, tokens, mask).item() == pytest.approx(np.mean(slow))


def test_contrastive_loss_matches_a_loop():
    view, other = torch.randn(2, 5, 7, dtype=torch.float64).numpy()
    features = np.concatenate([view, other])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    slow = 0.0
    for i in range(10):
        powers = [math.exp(features[i] @ features[k] / 0.3) for k in range(10)]
        slow -= math.log(powers[(i + 5) % 10] / (sum(powers) - powers[i])) / 10
    fast = losses.contrastive_loss(torch.tensor(view), torch.tensor(other), 0.3)
    assert fast.item() == pytest.approx(slow)


@pytest.mark.parametrize("name", losses.BEHAVIORAL_LOSSES)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_gradient_through_the_network_matches_finite_differences(name, n_outputs):
    architecture = Architecture.mlp(2, [3], n_outputs, activation="tanh")
    rows = torch.randn(2, architecture.n_weights, dtype=torch.float64)
    queries = torch.randn(4, 2, dtype=torch.float64)
    original = architecture.forward(torch.randn_like(rows), queries)
    loss = losses.BEHAVIORAL_LOSSES[name]

    def cost(weights):
        return loss(architecture.forward(weights, queries), original)

    assert torch.autograd.gradcheck(cost, rows.requires_grad_(True))


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["l2", "squared_error"])
def test_output_gradients_estimate_the_second_moment_of_the_jacobian(loss):
    compared = losses.compared_outputs(loss)
    architecture = Architecture.mlp(2, [3], 2, activation="tanh")
    row = torch.randn(1, architecture.n_weights)
    queries = torch.randn(3, 2)

    def outputs(weights):
        return compared(architecture.forward(weights[None], queries)).flatten()

    jacobian = torch.autograd.functional.jacobian(outputs, row[0])
    generator = torch.Generator().manual_seed(0)

    def drawn_outputs(rows):
        return compared(architecture.forward(rows, queries))

    drawn = output_gradients(drawn_outputs, row, generator, chunk_models=1, n_draws=1500)
    expected = jacobian.T @ jacobian
    error = (drawn.T @ drawn / len(drawn) - expected).norm() / expected.norm()
    assert error < 0.15


@pytest.fixture
def objective():
    return make_objective(gamma=0.2, beta=0.3)


def make_objective(gamma, beta, permuted=True, ordered=False):
    architecture = Architecture.mlp(3, [4], 2)
    layout = architecture_layout(architecture)
    generator = torch.Generator().manual_seed(0)
    mean, scale = torch.randn(2, architecture.n_weights, generator=generator)
    scaling = Scaling(Normalization(mean, scale.abs() + 0.1))
    queries = QuerySets([torch.randn(20, 3, generator=generator)])
    behavior = BehavioralLoss(architecture, scaling, queries, "l2", 8, generator)
    return AutoencoderObjective(
        layout, scaling, LossWeights(gamma, beta), architecture, behavior, permuted, ordered,
        generator,
    )  # fmt: skip


def make_network(objective, rows, n_latents=12):
    layout = objective.layout
    code = fit_linear_code(second_moments([rows], layout), layout, n_latents)
    return TokenAutoencoder(layout, code, NetworkSize(8, 1, 2), torch.Generator().manual_seed(0))


def test_total_is_the_papers_formula_over_the_scales(objective):
    rows = torch.randn(6, objective.layout.n_columns)
    objective.fit_scales([rows], batch_size=4)
    scales = objective.scales
    assert scales["contrastive"] == pytest.approx(math.log(7))
    given = objective(make_network(objective, rows), rows)
    c, s, b = (given[n] / scales[n] for n in ("contrastive", "structural", "behavioral"))
    expected = 0.2 * c + 0.8 * (0.3 * s + 0.7 * b)
    assert given["total"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_scales_are_the_losses_of_the_mean_row(objective):
    rows = torch.randn(6, objective.layout.n_columns)
    objective.fit_scales([rows], batch_size=4)
    scales = objective.scales
    queries = objective.behavior.queries.inputs
    original = objective.architecture.forward(objective.scaling.inverse_transform(rows), queries)
    mean = objective.architecture.forward(objective.scaling.mean[None], queries).expand_as(original)
    assert scales["behavioral"] == pytest.approx(losses.l2_loss(mean, original).item(), rel=1e-5)
    assert scales["structural"] == pytest.approx(rows.square().mean().item(), rel=1e-5)


def test_terms_of_no_weight_are_not_computed():
    objective = make_objective(gamma=0.0, beta=0.5)
    rows = torch.randn(6, objective.layout.n_columns)
    assert "contrastive" not in objective(make_network(objective, rows), rows)
    objective = make_objective(gamma=0.5, beta=0.5, permuted=False)
    assert "contrastive" not in objective(make_network(objective, rows), rows)


def test_views_are_the_same_functions(objective):
    rows = torch.randn(6, objective.layout.n_columns)
    view, other = objective._views(rows, training=True)
    assert other is not None
    assert not torch.allclose(view, other)
    outputs = [
        objective.architecture.forward(
            objective.scaling.inverse_transform(v), objective.behavior.queries.inputs
        )
        for v in (view, other)
    ]
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)


def test_where_units_have_codes_of_their_own_only_the_other_view_is_permuted():
    objective = make_objective(gamma=0.5, beta=0.5, ordered=True)
    rows = 100 * torch.randn(6, objective.layout.n_columns)
    view, other = objective._views(rows, training=True)
    assert (view - rows).abs().max() < 3  # noise alone
    assert (other - rows).abs().max() > 10
    mixed, _ = make_objective(gamma=0.5, beta=0.5)._views(rows, training=True)
    assert (mixed - rows).abs().max() > 10
    assert make_objective(gamma=0.0, beta=0.5, ordered=True)._views(rows, True)[1] is None
