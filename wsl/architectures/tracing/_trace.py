"""The graph of a module: which layer is applied to the output of which, found with torch.fx."""

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from ...exceptions import UnsupportedModuleError
from .._builders import SelectFeatures

ONE_AT_A_TIME = Lock()  # while it traces, torch.fx replaces nn.Module.__call__ for all threads


class Add(nn.Module):
    """The sum of two layers' outputs, as in a residual connection."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left + right``."""
        return left + right


class GlobalMean(nn.Module):
    """The mean over all positions: ``(n_samples, n_channels, ...)`` to ``(n_samples, n_channels)``.

    ``n_axes`` is the number of axes of positions: 1 for sequences, 2 for images.
    """

    def __init__(self, n_axes: int = 2):
        super().__init__()
        self.n_axes = n_axes

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean of each channel."""
        return inputs.mean(tuple(range(2, 2 + self.n_axes)))

    def extra_repr(self) -> str:
        """Show what distinguishes two such layers."""
        return str(self.n_axes)


@dataclass(frozen=True)
class Step:
    """One layer, the prefix of its parameters' names, and the sources of its inputs.

    Source 0 is the module's input, source k the output of the k-th step.
    """

    name: str
    layer: Any  # an nn.Module; its attributes depend on its class
    sources: tuple[int, ...]


class _Tracer(fx.Tracer):
    """Traces its own thread only; torch.fx replaces methods of nn.Module in all threads."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = get_ident()

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return True for layers that are steps of their own."""
        is_ours = isinstance(m, (SelectFeatures, Add, GlobalMean))
        return is_ours or super().is_leaf_module(m, module_qualified_name)


def trace(module: nn.Module) -> tuple[Step, ...]:
    """Return the steps of a feed-forward module, the last of which gives its output.

    Function calls are represented by the layers that do the same: ``F.relu(x)`` by ``nn.ReLU``.

    Raises
    ------
    UnsupportedModuleError
        If the module cannot be traced, has several inputs or outputs, or calls something that is
        not a layer; the message says which.
    """
    tracer = _Tracer()
    if tracer.is_leaf_module(module, "") and not isinstance(module, nn.Sequential):
        return (Step("", module, (0,)),)
    try:
        with ONE_AT_A_TIME:
            graph = fx.GraphModule(module, tracer.trace(module)).graph
        graph.eliminate_dead_code()
    except Exception as error:  # tracing runs the module's own code on a proxy: anything may fail
        raise UnsupportedModuleError(
            f"{type(module).__name__} cannot be traced with torch.fx: {error}"
        ) from error
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise UnsupportedModuleError(
            f"{type(module).__name__} must take one input to be traced; got {len(inputs)}."
        )
    sources: dict[Any, int] = {inputs[0]: 0}  # of the value of each node
    steps: list[Step] = []
    for node in graph.nodes:
        if node.op in ("call_module", "call_function", "call_method") and not _is_size(node):
            steps.append(_step(module, node, sources))
            sources[node] = len(steps)
    (result,) = next(iter(reversed(graph.nodes))).args
    if not steps or not isinstance(result, fx.Node) or sources.get(result) != len(steps):
        raise UnsupportedModuleError(
            f"{type(module).__name__} must return the output of its last layer to be traced; got "
            f"{result}."
        )
    return tuple(steps)


def _step(module: nn.Module, node: fx.Node, sources: dict[Any, int]) -> Step:
    try:
        if node.op == "call_module":
            inputs: tuple[Any, ...] = (*node.args, *node.kwargs.values())
            layer = module.get_submodule(str(node.target))
            return Step(str(node.target), layer, tuple(sources[value] for value in inputs))
        layer = _FORMS[node.target](*node.args[1:], **_meaningful(node.kwargs))
        inputs = node.args if isinstance(layer, Add) else node.args[:1]
        return Step("", layer, tuple(sources[value] for value in inputs))
    except (KeyError, TypeError) as error:  # an unknown function, or other arguments
        raise UnsupportedModuleError(
            f"{type(module).__name__} must only call layers, activations, pooling, flatten and "
            f"sums of two layers' outputs to be traced; got {node.format_node()}."
        ) from error


def _meaningful(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Drop the arguments that affect how a value is computed, not the value."""
    how = ("inplace", "training", "return_indices", "_stacklevel", "dtype")
    return {name: value for name, value in kwargs.items() if name not in how}


def _is_size(node: fx.Node) -> bool:
    """Return True if a node is ``x.size(0)``, ``x.shape`` or ``x.shape[0]``."""
    if node.target is operator.getitem:
        return isinstance(node.args[0], fx.Node) and _is_size(node.args[0])
    return node.target == "size" or (node.target is getattr and node.args[1] == "shape")


def _flatten(start_dim: int = 0, end_dim: int = -1) -> nn.Module:
    if (start_dim, end_dim) != (1, -1):
        raise TypeError("flatten that joins samples")
    return nn.Flatten()


def _view(*shape: Any) -> nn.Module:
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    keeps_samples = len(sizes) == 2 and (isinstance(sizes[0], fx.Node) or sizes[0] == -1)
    if not keeps_samples or isinstance(sizes[1], fx.Node):
        raise TypeError("view that may join samples")
    return nn.Flatten()


def _mean(dim: int | Iterable[int], keepdim: bool = False) -> nn.Module:
    axes = sorted([dim] if isinstance(dim, int) else dim)
    if keepdim or axes not in ([2], [-1], [2, 3], [-2, -1]):
        raise TypeError("mean that is not over all positions of a channel")
    return GlobalMean(len(axes))


def _add(other: Any) -> nn.Module:
    if not isinstance(other, fx.Node):
        raise TypeError("sum with a constant")
    return Add()


def _dropout(p: float = 0.5) -> nn.Module:
    return nn.Dropout(p)


# function or method -> the layer that does the same, built from the arguments after the first
_FORMS: dict[Any, Callable[..., nn.Module]] = {
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add", "add_"), _add),
    **dict.fromkeys((torch.flatten, "flatten"), _flatten),
    **dict.fromkeys(("view", "reshape", torch.reshape), _view),
    **dict.fromkeys(("mean", torch.mean), _mean),
    **dict.fromkeys((torch.relu, F.relu, "relu", "relu_"), nn.ReLU),
    **dict.fromkeys((torch.tanh, F.tanh, "tanh"), nn.Tanh),
    **dict.fromkeys((torch.sigmoid, F.sigmoid, "sigmoid"), nn.Sigmoid),
    **dict.fromkeys((F.softmax, torch.softmax, "softmax"), nn.Softmax),
    **dict.fromkeys((F.log_softmax, torch.log_softmax, "log_softmax"), nn.LogSoftmax),
    F.leaky_relu: nn.LeakyReLU,
    F.gelu: nn.GELU,
    F.silu: nn.SiLU,
    F.elu: nn.ELU,
    F.selu: nn.SELU,
    F.softplus: nn.Softplus,
    F.hardtanh: nn.Hardtanh,
    F.relu6: nn.ReLU6,
    F.hardswish: nn.Hardswish,
    F.mish: nn.Mish,
    F.dropout: _dropout,
    F.max_pool1d: nn.MaxPool1d,
    F.max_pool2d: nn.MaxPool2d,
    F.avg_pool1d: nn.AvgPool1d,
    F.avg_pool2d: nn.AvgPool2d,
    F.adaptive_avg_pool1d: nn.AdaptiveAvgPool1d,
    F.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    F.adaptive_max_pool2d: nn.AdaptiveMaxPool2d,
}
