"""Random generators from a ``random_state``; the global state of numpy and torch is unchanged."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.utils import check_random_state

MAX_SEED = 2**31 - 1
_TORCH_RNG = threading.RLock()


def resolve_random_state(random_state) -> np.random.Generator:
    """Return a numpy Generator for an int, None, a RandomState, a SeedSequence or a Generator.

    None is fresh entropy, not numpy's global generator, whose state does not change.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None or isinstance(random_state, np.random.SeedSequence):
        return np.random.default_rng(random_state)
    return np.random.default_rng(draw_seed(check_random_state(random_state)))


def draw_seed(rng: np.random.Generator | np.random.RandomState) -> int:
    """Draw an int below 2**31 - 1, a seed that scikit-learn and torch both take."""
    draw = rng.integers if isinstance(rng, np.random.Generator) else rng.randint
    return int(draw(MAX_SEED))


def draw_seeds(random_state, n_seeds: int) -> np.ndarray:
    """Draw one seed per model, ``(n_seeds,)`` int64; the first k do not depend on ``n_seeds``."""
    return resolve_random_state(random_state).integers(MAX_SEED, size=n_seeds)


def torch_generator(rng: np.random.Generator, device="cpu"):
    """Return a ``torch.Generator`` on ``device``, seeded by a draw from ``rng``."""
    import torch

    return torch.Generator(device=device).manual_seed(draw_seed(rng))


@contextmanager
def isolated_torch_rng(device="cpu") -> Iterator[None]:
    """Restore torch's global generators after the block, in which one thread is at a time.

    Threads share these generators: without the lock each would draw from, and restore, the state
    that another has set.
    """
    import torch

    device = torch.device(device)
    forked = [device.index or 0] if device.type == "cuda" else []
    with _TORCH_RNG, torch.random.fork_rng(devices=forked):
        yield


@contextmanager
def scoped_torch_seed(rng: np.random.Generator, device="cpu") -> Iterator[None]:
    """Seed torch's global generators inside the block and restore their state after it.

    Module initialization and dropout only draw from torch's global generators.
    """
    import torch

    with isolated_torch_rng(device):
        torch.manual_seed(draw_seed(rng))
        yield
