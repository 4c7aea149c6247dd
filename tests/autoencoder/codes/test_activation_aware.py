"""The activation-aware code against explicit products, numpy and finite differences."""

import numpy as np
import pytest
import torch
from torch import nn

from wsl import Architecture, WeightSpaceAutoencoder, metrics, train_zoo
from wsl.architectures.forward._layer_inputs import layer_input_columns
from wsl.autoencoder.codes import _activation_aware
from wsl.autoencoder.codes._activation_aware import ActivationAwareCode, mean_moments
from wsl.autoencoder.codes._layerwise_forward import LayerwiseForward
from wsl.autoencoder.codes._linear import second_moments
from wsl.autoencoder.tokens._normalization import Normalization, Scaling
from wsl.autoencoder.tokens._tokens import architecture_layout
from wsl.exceptions import InvalidInputError


class Residual(nn.Module):
    """A sum of two paths, with normalisation and a layer without a bias."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 6, bias=False)
        self.norm, self.last = nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x):
        h = torch.relu(self.first(x))
        return self.last(self.norm(h + torch.relu(self.second(h))))


def image_network():
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)),
        nn.Conv2d(1, 3, 3, stride=2, padding=(1, 0), dilation=(1, 2)),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(9, 4),
    )


ARCHITECTURES = {
    "perceptron": lambda: Architecture.mlp(4, [7, 5], 3),
    "residual": lambda: Architecture(Residual(), input_shape=(4,)),
    "images": lambda: Architecture(image_network(), input_shape=(36,)),
}


def make_layers(architecture, n_models=12, n_inputs=40, seed=0):
    """Return layers on random inputs, and rows of random models."""
    generator = torch.Generator().manual_seed(seed)
    layout = architecture_layout(architecture)
    rows = torch.randn(n_models, architecture.n_weights, generator=generator)
    mean = 0.3 * torch.randn(architecture.n_weights, generator=generator)
    scale = 0.5 + torch.from_numpy(layout.layer_of_column).float() / 4
    for name in architecture.parameter_names:
        if name.endswith("running_var"):
            rows[:, architecture.slices[name]] = 0.0
            mean[architecture.slices[name]] = 1.0
    inputs = torch.randn(n_inputs, architecture.n_inputs, generator=generator)
    scaling = Scaling(Normalization(mean, scale))
    return LayerwiseForward(layout, architecture, scaling, inputs), rows


def make_code(architecture, size, **settings):
    layers, rows = make_layers(architecture, **settings)
    tokens = layers.layout.to_tokens(rows)
    priors, moments = second_moments([rows], layers.layout), mean_moments(layers, [tokens])
    return ActivationAwareCode(layers, priors, moments, by_token(layers.layout, size)), tokens


def by_token(layout, sizes):
    """Return latents of each token, at most as many as it has weights."""
    return np.minimum(
        np.repeat(np.broadcast_to(sizes, len(layout.group_counts)), layout.group_counts),
        layout.mask.sum(axis=1),
    ).tolist()


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return ARCHITECTURES[request.param]()


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(5, 3),
        nn.Linear(5, 3, bias=False),
        nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(2, 1), dilation=(1, 2)),
        nn.Conv1d(2, 3, 3, stride=2, padding=1),
    ],
)
def test_a_layer_is_the_product_of_its_weights_with_its_inputs(layer):
    shape = {nn.Linear: (5,), nn.Conv2d: (2, 6, 7), nn.Conv1d: (2, 9)}[type(layer)]
    inputs = torch.randn(8, *shape, generator=torch.Generator().manual_seed(0))
    architecture = Architecture(nn.Sequential(layer, nn.Flatten()), input_shape=shape)
    columns = layer_input_columns(architecture.forward_pass.plan[0], inputs.movedim(0, -1)[None])
    weights = layer.weight.flatten(1)
    if layer.bias is not None:
        weights = torch.cat([weights, layer.bias[:, None]], dim=1)
    responses = layer(inputs).movedim(0, -1).flatten(1)
    torch.testing.assert_close((weights @ columns)[0], responses, rtol=1e-5, atol=1e-5)
    if not isinstance(layer, nn.Linear):
        some = layer_input_columns(
            architecture.forward_pass.plan[0], inputs.movedim(0, -1)[None], max_positions=3
        )
        places = (weights @ some)[0].unflatten(1, (3, 8)).unbind(1)
        blocks = responses.unflatten(1, (-1, 8)).unbind(1)
        for place in places:
            assert any(torch.allclose(place, block, atol=1e-5) for block in blocks)


def test_with_as_many_latents_as_weights_it_is_exact(architecture):
    code, tokens = make_code(architecture, size=1000)
    torch.testing.assert_close(code.decode(code.encode(tokens)), tokens, rtol=1e-3, atol=1e-3)


def test_latents_of_a_rebuilt_model_are_those_it_was_rebuilt_from(architecture):
    code, tokens = make_code(architecture, size=3)
    latents = code.encode(tokens)
    torch.testing.assert_close(code.encode(code.decode(latents)), latents, rtol=1e-3, atol=2e-3)


def test_a_model_is_coded_by_itself(architecture):
    code, tokens = make_code(architecture, size=3)
    together = code.encode(tokens)
    torch.testing.assert_close(code.encode(tokens[4:5]), together[4:5], rtol=1e-4, atol=1e-4)
    decoded = code.decode(together)
    torch.testing.assert_close(code.decode(together[4:5]), decoded[4:5], rtol=1e-4, atol=1e-4)


def test_the_first_layer_loses_what_the_best_subspace_must():
    code, tokens = make_code(ARCHITECTURES["perceptron"](), size=2)
    layers = code.layers
    X = np.c_[layers.inputs.numpy(), np.ones(40)].astype(float)
    M = X.T @ X / 40
    given = tokens[:, :7, :5].double().numpy()
    S = np.einsum("mui,muj->ij", given, given) / (12 * 7)
    values = np.sort(np.linalg.eigvals(S @ M).real)
    error = given - code.decode(code.encode(tokens))[:, :7, :5].double().numpy()
    lost = np.einsum("mui,ij,muj->", error, M, error) / (12 * 7)
    assert lost == pytest.approx(values[:3].sum(), rel=0.01)


def test_later_layers_make_up_for_the_errors_of_earlier_ones():
    code, tokens = make_code(ARCHITECTURES["perceptron"](), size=3, n_inputs=300)
    layers, counts = code.layers, code.layers.layout.group_counts

    def responses_of(given):
        seen = {}

        def provide(group, columns):
            own = given.split(counts, dim=1)[group][..., : layers.layout.group_lengths[group]]
            seen[group] = layers.weights(group, own) @ columns
            return own

        layers(provide)
        return seen[1]

    rebuilt = code.decode(code.encode(tokens))
    originals, responses = responses_of(tokens), responses_of(rebuilt)
    mixed = rebuilt.clone()
    basis, moment = None, None

    def provide(group, columns):  # the second layer as if the first had no errors
        nonlocal basis, moment
        own = rebuilt.split(counts, dim=1)[group][..., : layers.layout.group_lengths[group]]
        if group == 1:
            basis, moment = code._basis(1, columns)
        return own

    layers(provide)
    second = tokens.split(counts, dim=1)[1][..., : layers.layout.group_lengths[1]]
    mixed[:, 7:12, :8] = (second @ moment @ basis) @ basis.mT
    without = (responses_of(mixed) - originals).square().mean()
    assert (responses - originals).square().mean() < 0.9 * without


def test_its_gradient_is_that_of_finite_differences():
    code, tokens = make_code(ARCHITECTURES["perceptron"](), size=3)
    latents = code.encode(tokens).detach()
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(tokens.shape, generator=generator)
    direction = torch.randn(latents.shape, generator=generator) * (latents != 0)

    def total(given):
        return (code.decode(given) * weights).sum()

    latents.requires_grad_(True)
    slope = float((torch.autograd.grad(total(latents), latents)[0] * direction).sum())
    step = 1e-3
    with torch.no_grad():
        measured = (total(latents + step * direction) - total(latents - step * direction)) / 2
    assert slope == pytest.approx(float(measured) / step, rel=0.02)


def test_deviations_scale_latents_to_unit_variance():
    code, tokens = make_code(ARCHITECTURES["perceptron"](), size=3)
    code.fit_deviations([tokens[:5], tokens[5:]])
    parts = code.encode(tokens).split(code.layers.layout.group_counts, dim=1)
    for part, length in zip(parts, code.layers.layout.group_lengths, strict=True):
        squares = part[..., :length].square().mean((0, 1))
        torch.testing.assert_close(squares, torch.ones(3), rtol=1e-3, atol=1e-3)


def test_inactive_layers_and_token_groups_without_latents_are_coded():
    architecture = ARCHITECTURES["perceptron"]()
    layers, rows = make_layers(architecture)
    tokens = layers.layout.to_tokens(rows)
    tokens[:, 7:12] = 0.0  # the second layer is alike in all models
    layers.scaling.mean[architecture.slices["0.bias"]] = -100.0  # the first is never active
    priors = second_moments([layers.layout.to_rows(tokens)], layers.layout)
    moments = mean_moments(layers, [tokens])
    code = ActivationAwareCode(layers, priors, moments, by_token(layers.layout, [2, 2, 0]))
    code.fit_deviations([tokens])
    rebuilt = code.decode(code.encode(tokens))
    assert torch.isfinite(rebuilt).all()
    assert (rebuilt[:, 12:] == 0).all()


def test_units_of_a_layer_may_have_different_latent_dimensions():
    layers, rows = make_layers(ARCHITECTURES["perceptron"]())
    tokens = layers.layout.to_tokens(rows)
    parts = second_moments([rows], layers.layout), mean_moments(layers, [tokens])
    mixed = [4, 3, 3, 1, 1, 0, 2, *(8, 2, 2, 0, 1), 3, 6, 2]
    code = ActivationAwareCode(layers, *parts, mixed)
    code.fit_deviations([tokens])
    latents = code.encode(tokens)
    used = torch.arange(latents.shape[2]) < torch.tensor(mixed)[:, None]
    assert (latents[:, ~used] == 0).all()
    assert (latents[:, used] != 0).all()
    for first, last in ((0, 7), (7, 12), (12, 15)):
        own = used[first:last]
        means = latents[:, first:last].square().mean(0).sum(0) / own.sum(0)
        torch.testing.assert_close(means[own.any(0)], torch.ones(int(own.any(0).sum())))
    even = ActivationAwareCode(layers, *parts, by_token(layers.layout, 4)).encode(tokens)
    scaled = latents[..., :4] * code.get_buffer("deviation_0")
    torch.testing.assert_close(scaled[:, 0], even[:, 0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(scaled[:, 3, 0], even[:, 3, 0], rtol=1e-3, atol=1e-3)
    # a unit with as many latents as weights responds as it did, though those before it do not
    rebuilt = code.decode(latents)
    wide = ActivationAwareCode(layers, *parts, [5] * 7 + mixed[7:])
    torch.testing.assert_close(
        wide.decode(wide.encode(tokens))[:, 7, :8], tokens[:, 7, :8], rtol=1e-2, atol=1e-2
    )
    assert (rebuilt[:, 7, :8] - tokens[:, 7, :8]).abs().max() > 0.1


def trained_rows(n_models=40):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
    architecture = Architecture.mlp(6, [12, 8], 2)
    zoo = train_zoo(
        architecture, (X, y), n_models=n_models, epochs=20, learning_rate=1e-2, random_state=0,
        device="cpu",
    )  # fmt: skip
    return architecture, zoo.weights, X, rng.normal(size=(300, 6)).astype(np.float32)


def test_it_rebuilds_behavior_far_better_than_the_linear_code():
    architecture, rows, queries, fresh = trained_rows()
    scores = {}
    for code in ("linear", "responses"):
        autoencoder = WeightSpaceAutoencoder(
            architecture, queries=queries, code=code, latent_dim=5, d_model=8, n_layers=1,
            n_heads=2, epochs=0, random_state=0,
        ).fit(rows)  # fmt: skip
        rebuilt = autoencoder.reconstruct(rows)
        outputs = (architecture.forward(weights, fresh) for weights in (rows, rebuilt))
        scores[code] = metrics.behavioral_r2(*outputs)
    assert scores["responses"] > scores["linear"] + 0.2


def test_auto_uses_responses_wherever_possible():
    architecture, rows, queries, _ = trained_rows(8)
    small = {"latent_dim": 2, "d_model": 8, "n_layers": 1, "n_heads": 2, "epochs": 0}
    for settings, activation_aware in (
        ({"queries": queries}, True),
        ({"queries": queries, "code": "linear"}, False),
        ({"queries": queries, "beta": 1.0}, False),
        ({"queries": queries, "token_size": 4}, False),
    ):
        own = WeightSpaceAutoencoder(architecture, **small, **settings, random_state=0).fit(rows)
        assert (
            isinstance(own.codec_.network.code, _activation_aware.ActivationAwareCode)
            is activation_aware
        )


@pytest.mark.parametrize(
    ("settings", "lacking"),
    [({"beta": 1.0}, "beta below 1"), ({"token_size": 4}, "token_size=4")],
)
def test_responses_that_are_not_possible_are_refused(settings, lacking):
    architecture, rows, queries, _ = trained_rows(8)
    autoencoder = WeightSpaceAutoencoder(
        architecture, queries=queries, code="responses", epochs=0, **settings
    )
    with pytest.raises(InvalidInputError, match=lacking):
        autoencoder.fit(rows)
