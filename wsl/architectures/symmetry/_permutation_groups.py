"""Which hidden units are interchangeable: how each kind of layer treats the order of units."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from .._builders import SelectFeatures
from ..forward._operations import DROPOUT, POINTWISE
from ..tracing._trace import Add, GlobalMean, Step
from ._unit_tracking import FIXED, Axes, Axis, PermutationGroup, UnitTracker, unknown_symmetry


def find_groups(
    steps: Sequence[Step], input_shape: Sequence[int] | None, names: Mapping[int, str]
) -> tuple[PermutationGroup, ...]:
    """Return the groups of interchangeable hidden units of a feed-forward network.

    Parameters
    ----------
    steps : sequence of Step
        The network's graph, as ``trace`` returns it.
    input_shape : sequence of int or None
        Shape of one input. Not needed where the first layer is a convolution.
    names : mapping of int to str
        The names of parameters by their ids.

    Returns
    -------
    tuple of PermutationGroup
        In the order in which their first layer is applied.

    Raises
    ------
    UnsupportedModuleError
        If it is not known how a layer treats the order of units; the layer is named.

    Notes
    -----
    A unit is an output of a Linear or a channel of a convolution. A sum ties the units of its two
    terms, and a layer that is applied twice ties those of both applications. Units are in no group
    if they are the network's outputs, are added to its inputs, or lie along an axis whose order
    matters: under a convolution, a pooling window, a convolution or normalization in several groups
    (unless each channel is one), or inside an axis that a flatten joins.
    """
    tracker = UnitTracker(names)
    axes: list[Axes] = [None if input_shape is None else (FIXED,) * len(input_shape)]
    for step in steps:
        tracker.check(step)
        input_axes = [axes[source] for source in step.sources]
        rule = _RULES.get(type(step.layer))
        if rule is None:
            raise unknown_symmetry(step)
        if rule not in (_convolution, _same) and None in input_axes:
            raise unknown_symmetry(step, "the shape of an input is missing, pass input_shape=")
        axes.append(rule(tracker, step, *input_axes))
    tracker.fix(*(axes[-1] or ()))
    return tracker.groups()


# Each of the following maps the axes of a layer's inputs to those of its output. A layer may be of
# any class, so its attributes cannot be typed.


def _same(tracker: UnitTracker, step: Step, x: Axes) -> Axes:
    return x


def _linear(tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    layer: Any = step.layer
    tracker.lie_along(x[-1], step, "weight", 1)
    return (*x[:-1], tracker.units(step, layer.out_features))


def _convolution(tracker: UnitTracker, step: Step, x: Axes) -> Axes:
    layer: Any = step.layer
    n_axes = len(layer.kernel_size)
    channels, *positions = x or (FIXED,) * (n_axes + 1)
    if len(positions) != n_axes:
        raise unknown_symmetry(step, f"its input has {len(positions) + 1} axes")
    tracker.fix(*positions)
    if layer.groups == 1:
        tracker.lie_along(channels, step, "weight", 1)
        channels = tracker.units(step, layer.out_channels)
    elif layer.groups == layer.in_channels == layer.out_channels:
        tracker.lie_along(channels, step, "weight", 0)
        tracker.lie_along(channels, step, "bias", 0)
    else:
        tracker.fix(channels)
        channels = FIXED
    return (channels, *[FIXED] * n_axes)


def _pool(n_axes: int, tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    tracker.fix(*x[-n_axes:])
    return x


def _channel_norm(n_axes: Sequence[int], tracker: UnitTracker, step: Step, x) -> Axes:
    if len(x) not in n_axes:
        raise unknown_symmetry(step, f"its input has {len(x)} axes")
    for name in ("weight", "bias", "running_mean", "running_var"):
        tracker.lie_along(x[0], step, name, 0)
    return x


def _layer_norm(tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    layer: Any = step.layer
    for dim, axis in enumerate(x[-len(layer.normalized_shape) :]):
        tracker.lie_along(axis, step, "weight", dim)
        tracker.lie_along(axis, step, "bias", dim)
    return x


def _group_norm(tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    layer: Any = step.layer
    if layer.num_groups not in (1, layer.num_channels):
        tracker.fix(x[0])
    return _channel_norm(range(1, 9), tracker, step, x)


def _prelu(tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    layer: Any = step.layer
    if layer.num_parameters > 1:
        tracker.lie_along(x[0], step, "weight", 0)
    return x


def _flatten(tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    layer: Any = step.layer
    start, end = layer.start_dim % (len(x) + 1), layer.end_dim % (len(x) + 1)
    if start == 0:
        raise unknown_symmetry(step, "it joins the samples")
    first, *others = x[start - 1 : end]
    tracker.fix(*others)
    joined = Axis(first.units, first.flattened or len(others) > 0)
    return (*x[: start - 1], joined, *x[end:])


def _unflatten(tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    layer: Any = step.layer
    split = layer.dim % (len(x) + 1) - 1
    tracker.fix(x[split])
    return (*x[:split], *[FIXED] * len(layer.unflattened_size), *x[split + 1 :])


def _select(tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    tracker.fix(x[-1])
    return (*x[:-1], FIXED)


def _global_mean(tracker: UnitTracker, step: Step, x: tuple[Axis, ...]) -> Axes:
    layer: Any = step.layer
    if len(x) != 1 + layer.n_axes:
        raise unknown_symmetry(step, f"its input has {len(x)} axes")
    return x[:1]


def _add(tracker: UnitTracker, step: Step, x, y) -> Axes:
    if len(x) != len(y):
        raise unknown_symmetry(step, f"it adds values of {len(x)} and {len(y)} axes")
    for one, other in zip(x, y, strict=True):
        tracker.tie(one, other)
    return x


_RULES: dict[type[nn.Module], Callable[..., Axes]] = {
    **dict.fromkeys((*POINTWISE, *DROPOUT), _same),
    **dict.fromkeys((nn.LogSigmoid, nn.Hardsigmoid, nn.Tanhshrink, nn.Softshrink), _same),
    **dict.fromkeys((nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d), _same),
    nn.Linear: _linear,
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), _convolution),
    **dict.fromkeys(
        (nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d), partial(_pool, 1)
    ),
    **dict.fromkeys(
        (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d), partial(_pool, 2)
    ),
    nn.BatchNorm1d: partial(_channel_norm, (1, 2)),
    nn.BatchNorm2d: partial(_channel_norm, (3,)),
    nn.BatchNorm3d: partial(_channel_norm, (4,)),
    nn.InstanceNorm1d: partial(_channel_norm, (2,)),
    nn.InstanceNorm2d: partial(_channel_norm, (3,)),
    nn.InstanceNorm3d: partial(_channel_norm, (4,)),
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    nn.PReLU: _prelu,
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    SelectFeatures: _select,
    GlobalMean: _global_mean,
    Add: _add,
}
