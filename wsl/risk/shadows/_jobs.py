"""How single models and attacks are fitted: copies with seeds of their own, torch's seed."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sklearn import config_context, get_config
from sklearn.base import clone

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


class Configured:
    """A function that runs in any worker with scikit-learn's configuration of its creator."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.config = get_config()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with config_context(**self.config):
            return self.function(*args, **kwargs)


@contextmanager
def torch_seeded(model: Any, seed: int) -> Iterator[None]:
    """Seed torch's global generator while a skorch model is fitted, and restore it afterwards.

    Modules of users draw from no other generator, so that threads fit them one after the other. A
    skorch model may also be a part of the model, at any depth.
    """
    parts = model.get_params(deep=True).values() if hasattr(model, "get_params") else ()
    if not any(hasattr(part, "module") and hasattr(part, "fit") for part in (model, *parts)):
        yield
        return
    with scoped_torch_seed(resolve_random_state(seed)):
        yield
