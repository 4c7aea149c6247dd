"""How many threads numerical libraries use, decided in one place."""

import sys
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread() -> Any:
    """Return a context in which numpy, scikit-learn and torch use one thread each.

    Small products lose more to waiting threads than they gain from them; ``n_jobs`` uses further
    cores.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.get_num_threads()  # torch resets the limit of a thread at its first call in it
    return _thread_pools(len(sys.modules)).limit(limits=1)


@lru_cache(maxsize=1)
def _thread_pools(n_modules: int) -> ThreadpoolController:
    """Return the thread pools of the loaded libraries, searched anew after further imports."""
    return ThreadpoolController()
