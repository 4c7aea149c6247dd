"""``StepNetwork``: a module made of the steps that ``trace`` returns, as files store them."""

from collections.abc import Sequence

from torch import Tensor, nn

UNNAMED = "_unnamed"  # the part that holds layers without weights


class StepNetwork(nn.Module):
    """A network that was read from a file: layers by their names, and the order of their use.

    Parameters
    ----------
    layers : sequence of (str, nn.Module)
        Layers that hold weights, in the order of a row, by their dotted names.
    steps : sequence of (str or nn.Module, sequence of int)
        The layer that is applied, by name or itself, and the indices of its inputs: 0 is the input,
        k the output of the k-th step. The last step computes the output.
    """

    def __init__(
        self,
        layers: Sequence[tuple[str, nn.Module]],
        steps: Sequence[tuple[str | nn.Module, Sequence[int]]],
    ):
        super().__init__()
        for name, layer in layers:
            *path, last = name.split(".")
            parent: nn.Module = self
            for part in path:
                if part not in dict(parent.named_children()):
                    parent.add_module(part, nn.Module())
                parent = parent.get_submodule(part)
            parent.add_module(last, layer)
        unnamed = [layer for layer, _ in steps if isinstance(layer, nn.Module)]
        names = iter([f"{UNNAMED}.{place}" for place in range(len(unnamed))])
        self.add_module(UNNAMED, nn.ModuleList(unnamed))
        self._plan = [
            (layer if isinstance(layer, str) else next(names), tuple(sources))
            for layer, sources in steps
        ]
        self._last_use = {
            source: index for index, (_, sources) in enumerate(self._plan) for source in sources
        }
        self._last_use[len(self._plan)] = len(self._plan)  # what is returned

    def steps(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        """Return each layer that is applied, and the indices of its inputs."""
        return [(self.get_submodule(name), sources) for name, sources in self._plan]

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the steps; a value is freed after its last use."""
        values = {0: inputs}
        for index, (name, sources) in enumerate(self._plan):
            output = self.get_submodule(name)(*[values[source] for source in sources])
            for source in set(sources):
                if self._last_use[source] == index:
                    del values[source]
            if index + 1 in self._last_use:
                values[index + 1] = output
        return values[len(self._plan)]
