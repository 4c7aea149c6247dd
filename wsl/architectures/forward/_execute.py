"""One forward pass of many models: layer by layer, or the whole module under ``vmap``."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ...exceptions import UnsupportedModuleError
from ..tracing._trace import Add, Step
from ._context import Memory, Parameters, Run, Training, prefix
from ._operations import BATCH_NORM, CONVOLUTION, INCREASING, OPERATIONS, has_operation


def forward_models(
    steps: Sequence[Step],
    parameters: Parameters,
    inputs: Tensor,
    training: Training | None = None,
    memory: Memory | None = None,
    before: Callable[[Step, list[Tensor]], None] | None = None,
) -> Tensor:
    """Run every model on its own or on shared inputs.

    Parameters
    ----------
    steps : sequence of Step
        What ``plan_steps`` returned.
    parameters : dict of Tensor of shape (n_models, *shape)
    inputs : Tensor of shape (n_models, n_inputs, *input_shape), or (1, ...) if models share them
    training : Training, optional
        By default models run in evaluation mode.
    memory : Memory, optional
        Where values are written if no gradient is needed. By default to newly allocated memory.
    before : callable, optional
        Called before each layer with its step and its inputs, ``(n_models or 1, *shape,
        n_inputs)`` each. It may put the layer's parameters into ``parameters``.

    Returns
    -------
    Tensor of shape (n_models, n_inputs, *output_shape)
        With ``memory``, a view into it.
    """
    values: list[Any] = [inputs.movedim(1, -1).contiguous()]
    run = Run(parameters, training, memory)
    last_use = {source: index for index, step in enumerate(steps) for source in step.sources}
    for index, step in enumerate(steps):
        layer_inputs = [values[source] for source in step.sources]
        if before is not None:
            before(step, layer_inputs)
        done = [source for source in step.sources if last_use[source] == index]
        if isinstance(step.layer, nn.ReLU) and done and _is_scratch(steps, step.sources[0]):
            values.append(torch.relu_(layer_inputs[0]))
        else:
            run.index = index
            values.append(OPERATIONS[type(step.layer)](step, layer_inputs, run))
        for source in done:
            values[source] = None
    outputs = values[-1]
    n_models = next(iter(parameters.values())).shape[0]
    return outputs.movedim(-1, 1).expand(n_models, *[-1] * (outputs.ndim - 1))


def _is_scratch(steps: Sequence[Step], source: int) -> bool:
    """Return True if a value lies in memory that nothing else refers to, to be overwritten."""
    allocating = (nn.Linear, nn.MaxPool2d, Add, *CONVOLUTION, *BATCH_NORM)
    made_here = source > 0 and isinstance(steps[source - 1].layer, allocating)
    return made_here and not torch.is_grad_enabled()


def refuse_state(module: nn.Module) -> None:
    """Raise UnsupportedModuleError for layers that differ between training and evaluation."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.modules.batchnorm._NormBase) or getattr(layer, "p", 0) > 0:
            raise UnsupportedModuleError(
                f"layer {name!r} ({type(layer).__name__}) differs between training and evaluation, "
                f"which needs a module that torch.fx can trace, of standard layers; got a "
                f"{type(module).__name__}."
            )


def forward_each_model(module: nn.Module, parameters: Parameters, inputs: Tensor) -> Tensor:
    """Run one model after another; shapes as in ``forward_models``."""
    n_models = len(next(iter(parameters.values())))
    inputs = inputs.expand(n_models, *inputs.shape[1:])
    return torch.stack(
        [
            _call(module, {name: p[model] for name, p in parameters.items()}, X)
            for model, X in enumerate(inputs)
        ]
    )


def forward_vmap(module: nn.Module, parameters: Parameters, inputs: Tensor) -> Tensor:
    """Run all models under ``vmap``; shapes as in ``forward_models``."""

    def one_model(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return _call(module, parameters, x)

    if inputs.shape[0] == 1:
        return vmap(one_model, in_dims=(0, None))(dict(parameters), inputs[0])
    return vmap(one_model)(dict(parameters), inputs)


def _call(module: nn.Module, parameters: Parameters, inputs: Tensor) -> Tensor:
    """Run a module with other parameters, its constants on the device of the inputs."""
    constants = {name: buffer.to(inputs.device) for name, buffer in module.named_buffers()}
    return functional_call(module, {**constants, **parameters}, (inputs,))


def plan_steps(steps: Sequence[Step], names: Sequence[str]) -> tuple[Step, ...] | None:
    """Return the steps in the order in which they are run; None if one has no batched form.

    An increasing activation before max-pooling is applied after it: the same function of fewer
    values. A layer whose parameters are not among ``names`` shares them with another layer.
    """
    for step in steps:
        parameters = {f"{prefix(step)}{name}" for name, _ in step.layer.named_parameters()}
        if not parameters <= set(names) or not has_operation(step.layer):
            return None
    planned = list(steps)
    for index in range(1, len(steps)):
        before, step = planned[index - 1], planned[index]
        uses = sum(source == index for other in steps for source in other.sources)
        pools = isinstance(step.layer, nn.MaxPool2d) and step.sources == (index,)
        if pools and isinstance(before.layer, INCREASING) and uses == 1:
            planned[index - 1] = Step(step.name, step.layer, before.sources)
            planned[index] = Step(before.name, before.layer, (index,))
    return tuple(planned)
