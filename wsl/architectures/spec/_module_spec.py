"""Modules as JSON values and back; no code is stored or run.

Nested Sequentials are stored as lists of layers, any other module that can be traced as its layers
and the steps in which they are applied.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from ..._random import isolated_torch_rng
from ...exceptions import InvalidInputError, UnsupportedModuleError
from .._input_shape import find_input_shape
from .._parameter_layout import ParameterLayout
from ..tracing._step_network import UNNAMED, StepNetwork
from ..tracing._trace import Add, Step, trace
from ._layer_spec import abbreviated, is_layer_spec, is_standard, layer_from_spec, layer_to_spec
from ._size_limits import check_cost, check_n_weights

MAX_LAYERS = 4096
MAX_DEPTH = 32

_NAME = re.compile(r"[A-Za-z0-9_]+")


def read_spec(spec: Any) -> tuple[nn.Module, Sequence[int] | None]:
    """Return the module and the shape of one input of the spec of an architecture, all checked."""
    if not isinstance(spec, dict) or set(spec) != {"module", "input_shape"}:
        raise InvalidInputError(
            "the spec of an architecture must be an object of module and input_shape; got "
            f"{abbreviated(spec)}."
        )
    shape = spec["input_shape"]
    is_shape = isinstance(shape, (list, tuple)) and all(type(n) is int and n > 0 for n in shape)
    if shape is not None and not is_shape:
        raise InvalidInputError(
            f"input_shape in a spec must be sizes or null; got {abbreviated(shape)}."
        )
    return module_from_spec(spec["module"], shape), shape


def module_to_spec(module: nn.Module) -> list[Any] | dict[str, Any]:
    """Return a module as JSON values.

    Nested Sequentials with torch's default names become nested lists of ``[kind, arguments]``. Any
    other module becomes ``{"layers": [[name, kind, arguments], ...], "steps": [[layer, sources],
    ...]}``, where a layer in a step is its name, or ``[kind, arguments]`` if it has no weights.

    Raises UnsupportedModuleError for a layer that is not standard, or if it cannot be traced.
    """
    if _is_plain_nest(module):
        return _nest_to_spec(module)
    layers = [
        [name, *layer_to_spec(layer)]
        for name, layer in module.named_modules()
        if _holds_weights(layer)
    ]
    for name, *_ in layers:
        _check_name(name, UnsupportedModuleError)
    steps = [
        [
            step.name if _holds_weights(step.layer) else layer_to_spec(step.layer),
            list(step.sources),
        ]
        for step in trace(module)
    ]
    return {"layers": layers, "steps": steps}


def _is_plain_nest(module: nn.Module) -> bool:
    leaves = [m for m in _applied(module) if type(m) is not nn.Sequential]
    names = [list(dict(m.named_children())) for m in _applied(module) if type(m) is nn.Sequential]
    return (
        all(is_standard(leaf) for leaf in leaves)
        and len({id(leaf) for leaf in leaves}) == len(leaves)
        and all(children == [str(i) for i in range(len(children))] for children in names)
    )


def _applied(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module and its parts, repeatedly where a part is applied repeatedly."""
    yield module
    if type(module) is nn.Sequential:
        for child in module:
            yield from _applied(child)


def _nest_to_spec(module: nn.Module) -> list[Any]:
    if type(module) is nn.Sequential:
        return [_nest_to_spec(child) for child in module]
    return layer_to_spec(module)


def _holds_weights(layer: nn.Module) -> bool:
    return bool(layer._parameters or layer._buffers)


def module_from_spec(spec: Any, input_shape: Sequence[int] | None = None) -> nn.Module:
    """Return the module that ``module_to_spec`` described.

    Raises
    ------
    InvalidInputError
        If ``spec`` is not what ``module_to_spec`` returns, if its layers do not fit together or do
        not take inputs of ``input_shape``, or if they exceed the limits on memory and time.
    """
    empty = _build_empty(spec)
    shape = find_input_shape(empty, input_shape).exact
    if shape is not None:
        check_cost(empty, shape)
    with isolated_torch_rng():  # torch draws weights that are not used
        module = _build(spec).eval()
    if shape is not None:
        _check_fit(module, shape)
    return module


def count_weights(spec: dict[str, Any]) -> int:
    """Return the number of weights in a row of an architecture, without any memory for them."""
    layout = ParameterLayout.of(_build_empty(spec.get("module")))
    return layout.n_weights if layout.names else 0


def _build_empty(spec: Any) -> nn.Module:
    with torch.device("meta"):  # tensors with a shape and without memory
        empty = _build(spec)
    check_n_weights(sum(p.numel() for p in (*empty.parameters(), *empty.buffers())))
    return empty


def _build(spec: Any) -> nn.Module:
    if isinstance(spec, dict):
        return _build_steps(spec)
    if not isinstance(spec, list):
        raise InvalidInputError(
            f"the module in a spec must be a list of layers; got {abbreviated(spec)}."
        )
    _check_count(sum(1 for _ in _leaves(spec)))
    return _build_nest(spec)


def _build_nest(spec: Any) -> nn.Module:
    if is_layer_spec(spec) or not isinstance(spec, list):
        return layer_from_spec(spec)
    return nn.Sequential(*(_build_nest(child) for child in spec))


def _leaves(spec: Any, depth: int = 0) -> Iterator[Any]:
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"a spec must be at most {MAX_DEPTH} lists deep; got more.")
    yield spec
    if isinstance(spec, list) and not is_layer_spec(spec):
        for child in spec:
            yield from _leaves(child, depth + 1)


def _build_steps(spec: dict[str, Any]) -> nn.Module:
    layers, steps = spec.get("layers"), spec.get("steps")
    if set(spec) != {"layers", "steps"} or not isinstance(layers, list) or not steps:
        raise InvalidInputError(
            f"the module in a spec must be an object of layers and steps; got {abbreviated(spec)}."
        )
    if not isinstance(steps, list):
        raise InvalidInputError(f"`steps` in a spec must be a list; got {abbreviated(steps)}.")
    _check_count(len(layers) + len(steps))
    named: dict[str, nn.Module] = {}
    for layer in layers:
        if not isinstance(layer, list) or len(layer) != 3 or not isinstance(layer[0], str):
            raise InvalidInputError(
                f"a layer in a spec must be [name, kind, arguments]; got {abbreviated(layer)}."
            )
        _check_name(layer[0], InvalidInputError)
        named[layer[0]] = layer_from_spec(layer[1:])
    if len(named) < len(layers) or any(_inside(name, named) for name in named):
        raise InvalidInputError("the names of layers in a spec must differ; got one twice.")
    applied = [_step_from_spec(step, index, named) for index, step in enumerate(steps)]
    return StepNetwork(list(named.items()), applied)


def _inside(name: str, named: dict[str, nn.Module]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:stop]) in named for stop in range(1, len(parts)))


def _step_from_spec(
    step: Any, index: int, named: dict[str, nn.Module]
) -> tuple[str | nn.Module, list[int]]:
    if not isinstance(step, list) or len(step) != 2 or not isinstance(step[1], list):
        raise InvalidInputError(
            f"step {index} in a spec must be [layer, sources]; got {abbreviated(step)}."
        )
    layer, sources = step
    if isinstance(layer, str) and layer not in named:
        raise InvalidInputError(
            f"step {index} in a spec must apply one of its layers; got {abbreviated(layer)}."
        )
    applied = named[layer] if isinstance(layer, str) else layer_from_spec(layer)
    n_sources = 2 if isinstance(applied, Add) else 1
    exist = all(type(source) is int and 0 <= source <= index for source in sources)
    if len(sources) != n_sources or not exist:
        raise InvalidInputError(
            f"step {index} in a spec must have {n_sources} sources from 0 to {index}; got "
            f"{abbreviated(sources)}."
        )
    return (layer if isinstance(layer, str) else applied), sources


def _check_name(name: str, error: type[Exception]) -> None:
    parts = name.split(".")
    reserved = [part for part in parts if part == UNNAMED or hasattr(nn.Module(), part)]
    if reserved or len(parts) > MAX_DEPTH or not all(_NAME.fullmatch(part) for part in parts):
        raise error(
            "the name of a layer in a spec must consist of letters and digits, and must not be an "
            f"attribute of nn.Module; got {abbreviated(name)}."
        )


def _check_count(n_layers: int) -> None:
    if n_layers > MAX_LAYERS:
        raise InvalidInputError(f"a spec must hold at most {MAX_LAYERS} layers; got {n_layers}.")


def _check_fit(module: nn.Module, input_shape: Sequence[int]) -> None:
    """Run a module on one input."""
    try:
        with torch.no_grad():
            module(torch.zeros(1, *input_shape))
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            "the layers in a spec must fit together and take inputs of shape "
            f"{abbreviated(input_shape)}: {error}"
        ) from error


def step_identity(steps: Sequence[Step]) -> tuple[Any, ...]:
    """Return a hashable value that is equal for networks with equal steps."""
    return tuple(
        (
            step.name if _holds_weights(step.layer) else "",
            json.dumps(layer_to_spec(step.layer)) if is_standard(step.layer) else repr(step.layer),
            step.sources,
        )
        for step in steps
    )
