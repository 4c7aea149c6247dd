"""Trial runs of a module on random models and inputs: whether it is a function of one input."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..._random import isolated_torch_rng
from ...exceptions import UnsupportedModuleError
from ..forward._operations import is_chain, only_layers
from ..spec._size_limits import is_affordable

N_MODELS, N_INPUTS = 3, 3

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Trial:
    """What a trial run showed.

    ``samples_are_independent`` is False where the outputs of an input depend on the other inputs.
    """

    n_outputs: int
    samples_are_independent: bool


def takes_inputs(module: nn.Module, input_shape: Sequence[int]) -> bool:
    """Return True if a module runs on inputs of a shape.

    Layers that a file may describe are only run if they take little memory and time.
    """
    if only_layers(module) and not is_affordable(module, input_shape):
        return False
    with torch.no_grad(), isolated_torch_rng():
        try:
            module(random_inputs(input_shape))
        except Exception:  # a module's code may raise anything
            return False
    return True


def try_module(module: nn.Module, shapes: Shapes, input_shape: Sequence[int]) -> Trial:
    """Run a random model of a module.

    Raises
    ------
    UnsupportedModuleError
        If the module does not map each input to one tensor that its parameters determine.
    """
    kind, inputs = type(module).__name__, random_inputs(input_shape)
    if is_chain(module):
        with torch.no_grad():
            return Trial(math.prod(_run(module, inputs, kind).shape[1:]), True)
    parameters = {name: values[0] for name, values in random_parameters(shapes, 1).items()}
    model = copy.deepcopy(module)
    model.load_state_dict(parameters, strict=False)
    with torch.no_grad(), isolated_torch_rng():
        outputs = _run(model, inputs, kind)
        if not torch.equal(outputs.nan_to_num(), _run(model, inputs, kind).nan_to_num()):
            raise UnsupportedModuleError(
                "`module` must return the same outputs for the same inputs in evaluation mode; got "
                f"a {kind} that does not (a dropout without training=self.training?)."
            )
        if not _close(functional_call(module, parameters, (inputs,)), outputs):
            raise UnsupportedModuleError(
                f"`module` must only use its parameters by their names; got a {kind} that keeps "
                "references to them, as recurrent layers of torch do."
            )
        independent = _is_independent(model, inputs, outputs)
    return Trial(math.prod(outputs.shape[1:]), independent)


def random_inputs(input_shape: Sequence[int]) -> Tensor:
    """Draw inputs ``(N_INPUTS, *input_shape)``, always the same ones."""
    generator, shape = torch.Generator().manual_seed(0), (N_INPUTS, *input_shape)
    return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")


def random_parameters(shapes: Shapes, n_models: int = N_MODELS) -> dict[str, Tensor]:
    """Draw parameters ``(n_models, *shape)`` by name, always the same ones.

    Their scale lets outputs of layers neither vanish nor explode.
    """
    generator = torch.Generator().manual_seed(1)
    parameters = {}
    for name, shape in shapes.items():
        values = torch.randn(
            (n_models, *shape), generator=generator, dtype=torch.float32, device="cpu"
        )
        is_variance = name.rpartition(".")[2] == "running_var"
        scale = (2 / math.prod(shape[1:])) ** 0.5
        parameters[name] = values.abs() + 0.5 if is_variance else values * scale
    return parameters


def _run(model: nn.Module, inputs: Tensor, kind: str) -> Tensor:
    """Return the outputs of a model; UnsupportedModuleError unless they are one tensor."""
    try:
        outputs: Any = model(inputs)
    except Exception as error:  # a module's code may raise anything
        reason = (str(error).splitlines() or [""])[0]
        raise UnsupportedModuleError(
            f"`module` must take one input of shape {('n_samples', *inputs.shape[1:])}; got a "
            f"{kind} that raises {type(error).__name__}: {reason}"
        ) from error
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        got = f"a tensor of {outputs.dtype}" if isinstance(outputs, Tensor) else _described(outputs)
        raise UnsupportedModuleError(
            f"`module` must return one tensor of real numbers; got a {kind} that returns {got}: "
            "wrap it in a module that returns the output to study."
        )
    if outputs.ndim == 0 or len(outputs) != len(inputs):
        raise UnsupportedModuleError(
            f"`module` must return one output per input; got a {kind} that returns shape "
            f"{tuple(outputs.shape)} for {len(inputs)} inputs."
        )
    return outputs


def _is_independent(model: nn.Module, inputs: Tensor, outputs: Tensor) -> bool:
    try:
        alone = torch.cat([model(sample).reshape(1, -1) for sample in inputs.split(1)])
    except Exception:  # such as batch statistics of one sample
        return False
    together = outputs.reshape(len(inputs), -1)
    return alone.shape == together.shape and _close(alone, together)


def _described(value: Any) -> str:
    kind = type(value).__name__
    return f"a {kind} of {len(value)} values" if hasattr(value, "__len__") else f"a {kind}"


def _close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, 1e-4, 1e-4, equal_nan=True)
