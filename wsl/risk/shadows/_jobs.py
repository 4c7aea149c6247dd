"""How single models and attacks are fitted: copies with seeds of their own, torch's seed."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..._random import draw_seed, resolve_random_state, scoped_torch_seed


def seeded(estimator: Any, seed: int) -> Any:
    """Return an unfitted copy of an estimator, every ``random_state`` in it drawn from ``seed``."""
    if not hasattr(estimator, "get_params"):
        return copy.deepcopy(estimator)
    estimator_copy = clone(estimator)
    rng = resolve_random_state(seed)
    names = sorted(estimator_copy.get_params(deep=True))
    states = [n for n in names if n == "random_state" or n.endswith("__random_state")]
    return estimator_copy.set_params(**{name: draw_seed(rng) for name in states})


@contextmanager
def torch_seeded(model: Any, seed: int) -> Iterator[None]:
    """Seed torch's global generator while a skorch model is fitted, and restore it afterwards."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if not hasattr(last, "module"):
        yield
        return
    with scoped_torch_seed(resolve_random_state(seed)):
        yield
