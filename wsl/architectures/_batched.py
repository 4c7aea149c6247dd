"""Many models forward at once: plain torch, each layer one batched product over all models.

Values are ``(n_models, *features, n_inputs)``, or ``(1, ...)`` while all models share them. With
the inputs last, windows and places of images are long runs of memory, however small the image.
Training and chunking live elsewhere; what has no batched form here runs under ``vmap``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ..exceptions import UnsupportedModuleError
from ._build import SelectFeatures
from ._convolution import convolve
from ._graph import Add, GlobalMean, Step
from ._pooling import pool

Parameters = Mapping[str, Tensor]

INCREASING = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity, nn.ELU, nn.SELU, nn.CELU, nn.Softplus, nn.Softsign,
    nn.Hardtanh, nn.ReLU6,
)  # fmt: skip
POINTWISE = (*INCREASING, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Hardswish, nn.Mish)
CONVOLUTION = (nn.Conv1d, nn.Conv2d)
POOLING_1D = (nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d)
POOLING_2D = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
POOLING = (*POOLING_1D, *POOLING_2D)
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d)
DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass
class Training:
    """What a pass does in training and not else: it drops units and takes the batch's statistics.

    ``dropout(x, p, place)`` returns ``x``, ``(n_models, *features, n_inputs)``, with units dropped;
    ``place`` tells the layers of a module apart. ``statistics`` collects, by the names of running
    statistics, what the pass makes of them, ``(n_models, n_channels)``.
    """

    dropout: Callable[[Tensor, float, int], Tensor]
    statistics: dict[str, Tensor] = field(default_factory=dict)


class Memory:
    """Memory for the values of layers, the same for every pass: fresh memory costs page faults.

    What a pass returns lies in it, and is gone with the next.
    """

    def __init__(self) -> None:
        self._blocks: dict[Any, Tensor] = {}

    def take(self, key: Any, shape: Sequence[int], like: Tensor) -> Tensor:
        """Return a tensor of a shape, its contents left over; the same memory for the same key."""
        n = math.prod(shape)
        if key not in self._blocks or self._blocks[key].numel() < n:
            self._blocks[key] = like.new_empty(n)
        return self._blocks[key][:n].view(shape)


@dataclass
class Run:
    """What the layers of one pass share; ``place`` is the layer's own among the steps."""

    parameters: Parameters
    training: Training | None
    memory: Memory | None
    place: int = 0

    def parameter(self, step: Step, name: str) -> Tensor:
        """Return a layer's own parameter, ``(n_models, *shape)``."""
        return self.parameters[f"{_prefix(step)}{name}"]

    def optional(self, step: Step, name: str) -> Tensor | None:
        """Return a parameter that a layer may lack."""
        return None if getattr(step.layer, name) is None else self.parameter(step, name)

    def out(self, shape: Sequence[int], like: Tensor, part: int = 0) -> Tensor | None:
        """Return where a layer's values go; None, as torch takes it, for memory of their own."""
        return None if self.memory is None else self.memory.take((self.place, part), shape, like)


def forward_models(
    module: nn.Module,
    steps: Sequence[Step] | None,
    parameters: Parameters,
    inputs: Tensor,
    training: Training | None = None,
    memory: Memory | None = None,
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
        done = [source for source in step.sources if last_use[source] == place]
        if isinstance(step.layer, nn.ReLU) and done and _is_scratch(steps, step.sources[0]):
            values.append(torch.relu_(taken[0]))
        else:
            run.place = place
            values.append(_BATCHED[type(step.layer)](step, taken, run))
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
        own = {f"{_prefix(step)}{name}" for name, _ in step.layer.named_parameters()}
        if not own <= known or not _has_batched_form(step.layer):
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


def _has_batched_form(layer: nn.Module) -> bool:
    if isinstance(layer, CONVOLUTION):
        return type(layer) in CONVOLUTION and is_plain_convolution(layer)
    if isinstance(layer, (nn.Flatten, nn.Unflatten)):
        return getattr(layer, "start_dim", getattr(layer, "dim", 0)) not in (0, "N")
    return type(layer) in _BATCHED


def is_plain_convolution(layer: nn.Module) -> bool:
    """Tell whether a convolution is one group with zero padding given as numbers."""
    return (
        isinstance(layer, CONVOLUTION)
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


def _prefix(step: Step) -> str:
    return f"{step.name}." if step.name else ""


def _linear(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    weight, bias = run.parameter(step, "weight"), run.optional(step, "bias")
    if x.ndim > 3:  # features before the last are places, to which the layer is applied alike
        x = x.movedim(-2, 1)
    flat = x.flatten(2)
    shape = (max(len(weight), len(flat)), weight.shape[1], flat.shape[2])
    out = product(weight, flat, run.out(shape, flat))
    if bias is not None:
        out = out + bias[:, :, None] if torch.is_grad_enabled() else out.add_(bias[:, :, None])
    return out.unflatten(2, x.shape[2:]).movedim(1, -2) if x.ndim > 3 else out


def product(matrices: Tensor, x: Tensor, out: Tensor | None = None) -> Tensor:
    """Return ``matrices @ x`` for each model.

    Where all share ``x``, matrices of few rows fill one large product better than many small ones;
    that copies them, which does not pay where they are larger than what they are applied to.
    """
    if len(x) == 1 and len(matrices) > 1 and x.shape[2] > x.shape[1]:
        together = None if out is None else out.flatten(0, 1)
        joined = torch.mm(matrices.reshape(-1, matrices.shape[2]), x[0], out=together)
        return joined.unflatten(0, matrices.shape[:2])
    n_models = max(len(matrices), len(x))
    return torch.bmm(matrices.expand(n_models, -1, -1), x.expand(n_models, -1, -1), out=out)


def _convolution(step: Step, values, run: Run) -> Tensor:
    weight, bias = run.parameter(step, "weight"), run.optional(step, "bias")
    layer, (x,) = step.layer, values
    if isinstance(layer, nn.Conv1d):
        return convolve(
            x.unsqueeze(2), weight.unsqueeze(3), bias, (1, *layer.stride), (0, *layer.padding),
            (1, *layer.dilation), run.out,
        ).squeeze(2)  # fmt: skip
    return convolve(x, weight, bias, layer.stride, layer.padding, layer.dilation, run.out)


def _pooling(step: Step, values, run: Run) -> Tensor:
    return pool(step.layer, values[0])


def _batch_norm(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    layer = step.layer
    shape = (-1, x.shape[1], *[1] * (x.ndim - 2))
    names = [f"{_prefix(step)}running_{name}" for name in ("mean", "var")]
    training = run.training
    if training is None and layer.running_mean is not None:
        mean, var = (run.parameters[name] for name in names)
    else:
        axes = list(range(2, x.ndim))
        var, mean = torch.var_mean(x, dim=axes, correction=0)
        if training is not None and layer.running_mean is not None:
            _observe(training, layer, names, run.parameters, mean, var, x[0, 0].numel())
    scale = (var + layer.eps).rsqrt()
    if layer.affine:
        scale = scale * run.parameter(step, "weight")
        shift = run.parameter(step, "bias") - mean * scale
    else:
        shift = -mean * scale
    return torch.addcmul(shift.reshape(shape), x, scale.reshape(shape))


def _observe(training: Training, layer, names, parameters, mean, var, n: int) -> None:
    """Note what the running statistics become; the variance is the unbiased one, as in torch."""
    for name, value in zip(names, (mean, var * (n / max(1, n - 1))), strict=True):
        old = training.statistics.get(name, parameters[name])
        new = value.detach().expand_as(old)
        training.statistics[name] = torch.lerp(old.detach(), new, layer.momentum)


def _layer_norm(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    layer = step.layer
    axes = list(range(-1 - len(layer.normalized_shape), -1))
    var, mean = torch.var_mean(x, dim=axes, correction=0, keepdim=True)
    out = (x - mean) * (var + layer.eps).rsqrt()
    if not layer.elementwise_affine:
        return out
    free = [1] * (x.ndim - 2 - len(layer.normalized_shape))
    shape = (-1, *free, *layer.normalized_shape, 1)
    out = out * run.parameter(step, "weight").reshape(shape)
    bias = run.optional(step, "bias")
    return out if bias is None else out + bias.reshape(shape)


def _flatten(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    start, end = (d if d >= 0 else d - 1 for d in (step.layer.start_dim, step.layer.end_dim))
    return x.flatten(start, end)


def _unflatten(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    dim = step.layer.dim
    return x.unflatten(dim if dim >= 0 else dim - 1, step.layer.unflattened_size)


def _select(step: Step, values, run: Run) -> Tensor:
    return values[0][..., step.layer.columns, :]


def _global_mean(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    return x.mean(dim=list(range(2, x.ndim - 1)))


def _add(step: Step, values, run: Run) -> Tensor:
    left, right = values
    return left + right


def _drop(step: Step, values, run: Run) -> Tensor:
    (x,) = values
    if run.training is None:
        return x
    if not isinstance(step.layer, nn.Dropout):
        raise UnsupportedModuleError(
            f"layer {step.name!r} ({type(step.layer).__name__}) is not trained; wanted nn.Dropout"
        )
    x = x.expand(next(iter(run.parameters.values())).shape[0], *x.shape[1:])
    return run.training.dropout(x, step.layer.p, run.place)


def _pointwise(step: Step, values, run: Run) -> Tensor:
    return step.layer(values[0])


_BATCHED: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Linear: _linear,
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    nn.LayerNorm: _layer_norm,
    SelectFeatures: _select,
    GlobalMean: _global_mean,
    Add: _add,
    **dict.fromkeys(CONVOLUTION, _convolution),
    **dict.fromkeys(BATCH_NORM, _batch_norm),
    **dict.fromkeys(POINTWISE, _pointwise),
    **dict.fromkeys(DROPOUT, _drop),
    **dict.fromkeys(POOLING, _pooling),
}
