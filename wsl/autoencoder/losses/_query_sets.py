"""Sets of queries, of which each training step draws some."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..._queries import set_sizes

LEAST, MOST, SIZE = 64, 256, 2**18


class QuerySets(nn.Module):
    """Queries in one or several sets, such as data, noise and other data.

    Parameters
    ----------
    sets : sequence of Tensor ``(n_set, n_inputs)``
        Each holds at least one query.
    """

    def __init__(self, sets: Sequence[Tensor]):
        super().__init__()
        self.inputs: Tensor
        self.register_buffer("inputs", torch.cat(list(sets)))
        self.sizes = [len(one) for one in sets]

    def __len__(self) -> int:
        return len(self.inputs)

    def draw(self, n_queries: int, generator: torch.Generator) -> Tensor:
        """Return at most ``n_queries`` different queries at random, evenly from each set."""
        drawn = [
            start + torch.randperm(size, generator=generator)[:part]
            for start, size, part in self._parts(n_queries)
        ]
        return self.inputs[torch.cat(drawn).to(self.inputs.device)]

    def pick(self, n_queries: int, step: int) -> Tensor:
        """Return at most ``n_queries`` spread over each set; those of the next step differ."""
        picked = []
        for start, size, part in self._parts(n_queries):
            stride = size // part
            picked.append(self.inputs[start : start + size][step % stride :: stride][:part])
        return torch.cat(picked)

    def first(self, n_queries: int) -> Tensor:
        """Return the first queries of each set, ``n_queries`` at most."""
        parts = self._parts(n_queries)
        return torch.cat([self.inputs[start : start + part] for start, _, part in parts])

    def few(self, activation_size: int, step: int | None = None) -> Tensor:
        """Return the queries of a closed form: the first ``few_queries``, or those of a step."""
        n_queries = few_queries(activation_size)
        return self.first(n_queries) if step is None else self.pick(n_queries, step)

    def _parts(self, n_queries: int) -> list[tuple[int, int, int]]:
        """Return where each set starts, its size, and how many of its queries are taken."""
        parts, start = [], 0
        for size, part in zip(self.sizes, set_sizes(self.sizes, n_queries), strict=True):
            parts.append((start, size, part))
            start += size
        return parts


def few_queries(activation_size: int) -> int:
    """Return how many queries a closed form needs, 64 to 256.

    Fewer where a layer holds many values per query: a convolution sees many windows of an image.
    """
    return min(MOST, max(LEAST, SIZE // activation_size))
