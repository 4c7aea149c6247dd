import numpy as np
import pytest
import torch

from wsl._device import resolve_device
from wsl._random import draw_seeds, resolve_random_state, scoped_torch_seed, torch_generator
from wsl.exceptions import InvalidInputError


@pytest.mark.parametrize(
    "make", [lambda: 3, lambda: np.random.RandomState(3), lambda: np.random.SeedSequence(3)]
)
def test_equal_states_give_equal_draws(make):
    first, second = (resolve_random_state(make()).normal(size=5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_generator_is_passed_through():
    rng = np.random.default_rng(0)
    assert resolve_random_state(rng) is rng


def test_none_is_fresh_and_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draws = {resolve_random_state(None).integers(2**62) for _ in range(3)}
    assert len(draws) == 3
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_first_seeds_do_not_depend_on_how_many_are_drawn():
    np.testing.assert_array_equal(draw_seeds(0, 100)[:10], draw_seeds(0, 10))


def test_a_scoped_seed_gives_torch_its_state_back():
    torch.rand(3)
    before = torch.get_rng_state()
    with scoped_torch_seed(np.random.default_rng(0)):
        first = torch.rand(4)
    assert torch.equal(torch.get_rng_state(), before)
    with scoped_torch_seed(np.random.default_rng(0)):
        assert torch.equal(torch.rand(4), first)


def test_torch_generators_follow_the_numpy_one():
    draws = [torch.rand(3, generator=torch_generator(np.random.default_rng(s))) for s in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_devices():
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(InvalidInputError, match=r"`device` must .* got 'toaster'"):
        resolve_device("toaster")
