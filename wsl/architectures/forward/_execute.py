"""The pass of many models at once: layer by layer, each one batched product over all models.

What a layer computes lives in ``_operations``, chunking in ``_forward``; a module with a layer that
has no operation there runs under ``vmap``.
"""

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
    module: nn.Module,
    steps: Sequence[Step] | None,
    parameters: Parameters,
    inputs: Tensor,
    training: Training | None = None,
    memory: Memory | None = None,
    before: Callable[[Step, list[Tensor]], None] | None = None,
) -> Tensor:
    """Run every model on its inputs.

    Parameters
    ----------
    module : nn.Module
        The template; its own parameters are not used.
    steps : sequence of Step, or None
        What ``plan_steps`` made of it.
    parameters : dict of Tensor ``(n_models, *shape)``
    inputs : Tensor ``(n_models, n_inputs, *input_shape)``, or ``(1, ...)`` if all share them
    training : Training, optional
        By default models run in evaluation mode.
    memory : Memory, optional
        Where values go, if no gradient is wanted. By default into memory of their own.
    before : callable, optional
        Called before each layer is run with its step and what it takes, ``(n_models or 1, *shape,
        n_inputs)`` each. It may put the layer's own parameters into ``parameters``.

    Returns
    -------
    Tensor ``(n_models, n_inputs, *output_shape)``, with ``memory`` a view into it
    """
    if steps is None:
        if training is not None:
            _refuse_state(module)
        return _forward_vmap(module, parameters, inputs)
    values: list[Any] = [inputs.movedim(1, -1).contiguous()]
    run = Run(parameters, training, memory)
    last_use = {source: place for place, step in enumerate(steps) for source in step.sources}
    for place, step in enumerate(steps):
        taken = [values[source] for source in step.sources]
        if before is not None:
            before(step, taken)
        done = [source for source in step.sources if last_use[source] == place]
        if isinstance(step.layer, nn.ReLU) and done and _is_scratch(steps, step.sources[0]):
            values.append(torch.relu_(taken[0]))
        else:
            run.place = place
            values.append(OPERATIONS[type(step.layer)](step, taken, run))
        for source in done:
            values[source] = None
    outputs = values[-1]
    n_models = next(iter(parameters.values())).shape[0]
    return outputs.movedim(-1, 1).expand(n_models, *[-1] * (outputs.ndim - 1))


def _is_scratch(steps: Sequence[Step], source: int) -> bool:
    """Tell whether a value is memory that nobody else sees, and may be overwritten."""
    fresh = (nn.Linear, nn.MaxPool2d, Add, *CONVOLUTION, *BATCH_NORM)
    made_here = source > 0 and isinstance(steps[source - 1].layer, fresh)
    return made_here and not torch.is_grad_enabled()


def _refuse_state(module: nn.Module) -> None:
    for name, layer in module.named_modules():
        if isinstance(layer, nn.modules.batchnorm._NormBase) or getattr(layer, "p", 0) > 0:
            raise UnsupportedModuleError(
                f"layer {name!r} ({type(layer).__name__}) differs between training and evaluation, "
                f"and {type(module).__name__} cannot be run layer by layer for many models; wanted "
                "a module that torch.fx can trace, of standard layers"
            )


def run_each(module: nn.Module, parameters: Parameters, inputs: Tensor) -> Tensor:
    """Run one model after another on the same inputs ``(1, n_inputs, *input_shape)``."""
    models = range(len(next(iter(parameters.values()))))
    return torch.stack(
        [
            functional_call(module, {name: p[model] for name, p in parameters.items()}, inputs[0])
            for model in models
        ]
    )


def _forward_vmap(module: nn.Module, parameters: Parameters, inputs: Tensor) -> Tensor:
    def one_model(own: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(module, own, (x,))

    if inputs.shape[0] == 1:
        return vmap(one_model, in_dims=(0, None))(dict(parameters), inputs[0])
    return vmap(one_model)(dict(parameters), inputs)


def plan_steps(steps: Sequence[Step], names: Sequence[str]) -> tuple[Step, ...] | None:
    """Return the steps in the order in which they are run; None if one has no batched form.

    Parameters
    ----------
    steps : sequence of Step
    names : names of the parameters; a layer whose own are not among them shares them with another

    Notes
    -----
    An increasing activation before max-pooling goes behind it: the same function on fewer numbers.
    """
    known = set(names)
    for step in steps:
        own = {f"{prefix(step)}{name}" for name, _ in step.layer.named_parameters()}
        if not own <= known or not has_operation(step.layer):
            return None
    planned = list(steps)
    for place in range(1, len(steps)):
        before, step = planned[place - 1], planned[place]
        uses = sum(source == place for other in steps for source in other.sources)
        pools = isinstance(step.layer, nn.MaxPool2d) and step.sources == (place,)
        if pools and isinstance(before.layer, INCREASING) and uses == 1:
            planned[place - 1] = Step(step.name, step.layer, before.sources)
            planned[place] = Step(before.name, before.layer, (place,))
    return tuple(planned)
