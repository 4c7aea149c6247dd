"""How many threads numerical libraries use, decided in one place."""

import sys
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread() -> Any:
    """Return a context in which numpy, scikit-learn and torch use one thread each.

    Products as small as those of a zoo lose more to waiting threads than they gain from them; more
    cores are for ``n_jobs``.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.get_num_threads()  # torch resets the limit of a thread at its first call in it
    return _thread_pools(len(sys.modules)).limit(limits=1)


@lru_cache(maxsize=1)
def _thread_pools(n_modules: int) -> ThreadpoolController:
    """Return the pools of the loaded libraries, searched again once further modules are loaded."""
    return ThreadpoolController()
