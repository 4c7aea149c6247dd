"""How an audit is executed: its seeds, cache, workers and progress bars, resolved once."""

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any
from zlib import crc32

import numpy as np

from ..._progress import shows_progress
from ..._random import draw_seed, draw_seeds, resolve_random_state
from ...exceptions import InvalidInputError
from ._cache import Cache

PARTS = ("queries", "targets", "tests", "shadows", "attacks")


@dataclass(frozen=True)
class Execution:
    """How an audit is executed.

    Parameters
    ----------
    seed : int
        From which the seeds of all parts are drawn.
    reported_seed : int or None
        The seed as it was passed, by which the audit can be repeated; None for a generator.
    cache : Cache or None
    n_jobs : int or None
    progress : bool or "auto"
    """

    seed: int
    reported_seed: int | None = None
    cache: Cache | None = None
    n_jobs: int | None = None
    progress: bool | str = "auto"

    @cached_property
    def seeds(self) -> dict[str, int]:
        """The seed of each part of an audit, which does not depend on the other parts."""
        return dict(zip(PARTS, draw_seeds(self.seed, len(PARTS)).tolist(), strict=True))

    def further_seed(self, part: str) -> int:
        """Return the seed of a part that an audit does not have."""
        return named_seed(self.seed, part)


def named_seed(seed: int, name: str) -> int:
    """Return a seed that depends on another seed and a name."""
    return int(np.random.SeedSequence([seed, crc32(name.encode())]).generate_state(1)[0] >> 1)


def resolve_execution(
    cache: Any, n_jobs: int | None, random_state: Any, progress: bool | str
) -> Execution:
    """Return how an audit is executed; a ``random_state`` of any kind becomes one int."""
    shows_progress(progress)  # raises now rather than after hours of training
    if cache is not None and random_state is None:
        raise InvalidInputError(
            f"`random_state` must be a seed when `cache` is given, as models are found again by "
            f"their seeds; got None with cache={str(cache)!r}."
        )
    is_int = isinstance(random_state, Integral)
    seed = int(random_state) if is_int else draw_seed(resolve_random_state(random_state))
    return Execution(
        seed, seed if is_int else None, None if cache is None else Cache(cache), n_jobs, progress
    )
