import numpy as np
import pytest
import torch
from torch import nn

from wsl import Architecture, train_zoo
from wsl.zoo.training._dropout import Dropout

CPU = torch.device("cpu")
SHAPE = torch.Size([3, 40, 50])


def dropout(seeds=(1, 2, 3), rate=None):
    return Dropout(np.array(seeds), None if rate is None else torch.tensor(rate), CPU)


def test_units_are_dropped_with_their_probability_and_the_mean_is_kept():
    mask = dropout(rate=[0.0, 0.3, 0.9]).mask(SHAPE, 0.5, layer_index=0)
    assert (mask[0] == 1).all()
    for own, rate in zip(mask[1:], (0.3, 0.9), strict=True):
        values = torch.unique(own)
        torch.testing.assert_close(values, torch.tensor([0, 1 / (1 - rate)]))
        n = own.numel()
        dropped = (own == 0).float().mean().item()
        assert abs(dropped - rate) < 4 * (rate * (1 - rate) / n) ** 0.5


def test_everything_can_be_dropped():
    assert (dropout(rate=[1.0, 1.0, 1.0]).mask(SHAPE, 0.5, layer_index=0) == 0).all()


def test_masks_of_models_steps_layers_and_units_are_independent():
    """Pairs of masks agree on as many units as chance has it: half, within four deviations."""
    source = dropout()
    masks = []
    for step in range(3):
        source.step = step
        masks += [m for place in (0, 4) for m in source.mask(SHAPE, 0.5, place)]
    kept = torch.stack(masks).flatten(1) > 0
    kept = torch.cat([kept, kept[:, torch.arange(kept.shape[1]).roll(1)]])  # neighbouring units
    agreement = (kept[:, None] == kept[None]).float().mean(-1)
    others = agreement[~torch.eye(len(kept), dtype=bool)]
    assert (others - 0.5).abs().max() < 5 * 0.5 / kept.shape[1] ** 0.5


def test_a_model_s_mask_does_not_depend_on_the_others():
    together, alone = dropout((7, 8, 9)), dropout((8,))
    together.step = alone.step = 5
    own = alone.mask(torch.Size([1, 40, 50]), 0.5, 2)[0]
    assert torch.equal(together.mask(SHAPE, 0.5, 2)[1], own)
    together.select(torch.tensor([1]))
    assert torch.equal(together.mask(torch.Size([1, 40, 50]), 0.5, 2)[0], own)


@pytest.mark.parametrize("normalised", [False, True], ids=["layers", "autograd"])
def test_training_with_dropout_is_torch_s_with_the_same_masks(normalised):
    """A plain loop, its dropout layers fed with the masks, gives the same model."""
    norm = [nn.LayerNorm(6)] if normalised else []
    layers = [nn.Linear(4, 6), *norm, nn.Tanh(), nn.Dropout(0.4), nn.Linear(6, 1)]
    architecture = Architecture(nn.Sequential(*layers))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 4)).astype("f")
    y = X[:, 0].astype("f")
    options = {"n_models": 3, "batch_size": None, "optimizer": "sgd", "random_state": 0}
    zoo = train_zoo(architecture, (X, y), epochs=4, learning_rate=0.1, **options)
    start = train_zoo(architecture, (X, y), epochs=0, **options)
    place = next(
        i for i, s in enumerate(architecture.forward_pass.plan) if isinstance(s.layer, nn.Dropout)
    )
    for i in range(3):
        module = architecture.module(start.weights[i])
        masks = Dropout(zoo.metadata["seed"].to_numpy()[[i]], None, CPU)
        steps = torch.optim.SGD(module.parameters(), lr=0.1)
        for step in range(4):
            masks.step = step
            mask = masks.mask(torch.Size([1, 6, 20]), 0.4, place)[0].T
            hidden = module[:-2](torch.tensor(X)) * mask
            loss = (module[-1](hidden)[:, 0] - torch.tensor(y)).square().mean()
            steps.zero_grad()
            loss.backward()
            steps.step()
        np.testing.assert_allclose(zoo.weights[i], architecture.flatten(module)[0], atol=1e-5)
