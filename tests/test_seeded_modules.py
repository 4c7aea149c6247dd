"""Layers from a generator: torch's own initial weights, the global generator untouched."""

import copy
import pickle

import pytest
import torch
from torch import nn

from wsl._seeded_modules import SeededDropout, seeded_module
from wsl.exceptions import UnsupportedModuleError

MAKERS = {
    "linear": lambda: nn.Linear(5, 3),
    "no bias": lambda: nn.Linear(5, 3, bias=False),
    "embedding": lambda: nn.Embedding(4, 6),
    "norm": lambda: nn.BatchNorm1d(4),
    "transformer": lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
    "sequence": lambda: nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2)),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_gives_the_weights_that_torch_gives(name):
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(3)
        expected = MAKERS[name]().state_dict()
    state = torch.get_rng_state()
    module = seeded_module(MAKERS[name], torch.Generator().manual_seed(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert list(module.state_dict()) == list(expected)
    for key, value in module.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_dropout_has_the_masks_that_torch_has():
    values = torch.randn(50, 7, requires_grad=True)
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(3)
        expected = [nn.functional.dropout(values, 0.3) for _ in range(2)]
    state = torch.get_rng_state()
    dropout = SeededDropout(0.3, torch.Generator().manual_seed(3))
    dropped = [dropout(values) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    for ours, theirs in zip(dropped, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert not torch.equal(*dropped)
    gradients = [torch.autograd.grad(d.sum(), values)[0] for d in (dropped[0], expected[0])]
    torch.testing.assert_close(*gradients, rtol=0, atol=0)
    assert dropout.eval()(values) is values


def test_copies_draw_on_their_own():
    dropout, values = SeededDropout(0.5, torch.Generator().manual_seed(0)), torch.ones(100)
    copies = copy.deepcopy(dropout), pickle.loads(pickle.dumps(dropout))
    first = dropout(values)
    for other in copies:
        assert torch.equal(other(values), first)


def test_layers_without_a_rule_are_refused():
    with pytest.raises(UnsupportedModuleError, match="initial weights of a Conv1d"):
        seeded_module(lambda: nn.Conv1d(2, 3, 3), torch.Generator())
