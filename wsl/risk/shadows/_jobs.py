"""How models and attacks are fitted: seeds and threads.

What is fitted, and to what, is for ``_shadows`` and ``_trials``.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..._random import draw_seed, resolve_random_state, scoped_torch_seed


def seeded(learner: Any, seed: int) -> Any:
    """Return an unfitted copy of a learner, every ``random_state`` in it drawn from ``seed``."""
    if not hasattr(learner, "get_params"):
        return copy.deepcopy(learner)
    model = clone(learner)
    rng = resolve_random_state(seed)
    names = sorted(model.get_params(deep=True))
    states = [n for n in names if n == "random_state" or n.endswith("__random_state")]
    return model.set_params(**{name: draw_seed(rng) for name in states})


@contextmanager
def torch_seeded(model: Any, seed: int) -> Iterator[None]:
    """Seed what a torch learner draws from torch's own generator, which is put back after it."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if not hasattr(last, "module"):
        yield
        return
    with scoped_torch_seed(resolve_random_state(seed)):
        yield
