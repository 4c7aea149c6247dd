"""Sets of queries: from each, every step draws its share afresh.

Which losses look at the answers lives in ``_objective``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEAST, MOST, SIZE = 64, 256, 2**18


class QuerySets(nn.Module):
    """Inputs in one or several sets, such as data, noise and other data.

    Parameters
    ----------
    sets : sequence of Tensor ``(n_set, ...)``
        Each holds at least one query, all of one shape.
    """

    def __init__(self, sets: Sequence[Tensor]):
        super().__init__()
        self.inputs: Tensor
        self.register_buffer("inputs", torch.cat(list(sets)))
        self.sizes = [len(one) for one in sets]

    def __len__(self) -> int:
        return len(self.inputs)

    def draw(self, n_queries: int, generator: torch.Generator) -> Tensor:
        """Return at most ``n_queries`` different queries at random, as many of each set."""
        drawn = [
            start + torch.randperm(size, generator=generator)[:share]
            for start, size, share in self._shares(n_queries)
        ]
        return self.inputs[torch.cat(drawn).to(self.inputs.device)]

    def pick(self, n_queries: int, step: int) -> Tensor:
        """Return at most ``n_queries`` that are far apart in each set, others at the next step."""
        picked = []
        for start, size, share in self._shares(n_queries):
            stride = size // share
            picked.append(self.inputs[start : start + size][step % stride :: stride][:share])
        return torch.cat(picked)

    def first(self, n_queries: int) -> Tensor:
        """Return the first queries of each set, ``n_queries`` at most."""
        shares = self._shares(n_queries)
        return torch.cat([self.inputs[start : start + share] for start, _, share in shares])

    def few(self, activation_size: int, step: int | None = None) -> Tensor:
        """Return what closed forms look at: the first ``few_queries``, or those of a step."""
        n_queries = few_queries(activation_size)
        return self.first(n_queries) if step is None else self.pick(n_queries, step)

    def _shares(self, n_queries: int) -> list[tuple[int, int, int]]:
        """Return where each set starts, its size, and how many of it are wanted, 1 at least."""
        shares, start = [], 0
        for index, size in enumerate(self.sizes):
            wanted = (n_queries + index) // len(self.sizes)  # they add up to n_queries
            shares.append((start, size, max(1, min(size, wanted))))
            start += size
        return shares


def few_queries(activation_size: int) -> int:
    """Return how many queries will do, 64 to 256.

    The fewer, the more numbers a network makes of each: of a large image it sees many windows.
    """
    return min(MOST, max(LEAST, SIZE // activation_size))
