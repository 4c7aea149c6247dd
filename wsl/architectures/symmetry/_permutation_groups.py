"""Which hidden units may change places: what each kind of layer does to the order of units.

How rows are permuted, and in which order units are put, lives in ``_symmetry``.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import nn

from ...exceptions import UnsupportedModuleError
from .._builders import SelectFeatures
from ..forward._operations import DROPOUT, POINTWISE
from ..tracing._trace import Add, GlobalMean, Step
from ._unit_tracking import PLAIN, Axis, Follower, Layout, PermutationGroup, called, unknown


def find_groups(
    steps: Sequence[Step], input_shape: Sequence[int] | None = None
) -> tuple[PermutationGroup, ...]:
    """Return the groups of interchangeable hidden units of a feed-forward network.

    Parameters
    ----------
    steps : sequence of Step
        The network's graph, as ``trace`` finds it.
    input_shape : sequence of int, optional
        Shape of one input; a convolution as first layer tells enough of it.

    Returns
    -------
    tuple of PermutationGroup, in the order in which their first layer is applied

    Raises
    ------
    UnsupportedModuleError
        If it is not known what a layer does to the order of units; the layer is named.

    Notes
    -----
    A unit is an output of a Linear or a channel of a convolution. A sum ties the units of its two
    terms, and layers that are applied twice tie those of both places. Units stay where they are,
    and are in no group, if they are the network's outputs, are added to its inputs, or lie along
    an axis whose order matters: under a convolution, a pooling window, a convolution or
    normalisation in several groups (unless each channel is one), or inside of what a flatten joins.
    """
    follower = Follower()
    layouts: list[Layout] = [None if input_shape is None else (PLAIN,) * len(input_shape)]
    for step in steps:
        follower.check(step)
        taken = [layouts[source] for source in step.sources]
        follow = _FOLLOW.get(type(step.layer))
        if follow is None:
            raise unknown(step)
        if follow not in (_convolution, _same) and None in taken:
            raise UnsupportedModuleError(
                f"the permutation symmetries of {called(step)} are not known without the shape "
                "of an input; give input_shape="
            )
        layouts.append(follow(follower, step, *taken))
    follower.fix(*(layouts[-1] or ()))
    return follower.groups()


# Each of the following takes the layouts of a layer's inputs to that of its output. A layer is of
# any class, so its own attributes cannot be typed.


def _same(follower: Follower, step: Step, x: Layout) -> Layout:
    return x


def _linear(follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    layer: Any = step.layer
    follower.lie_along(x[-1], step, "weight", 1)
    return (*x[:-1], follower.units(step, layer.out_features))


def _convolution(follower: Follower, step: Step, x: Layout) -> Layout:
    layer: Any = step.layer
    n_places = len(layer.kernel_size)
    channels, *places = x or (PLAIN,) * (n_places + 1)
    if len(places) != n_places:
        raise unknown(step, f"its input has {len(places) + 1} axes")
    follower.fix(*places)
    if layer.groups == 1:
        follower.lie_along(channels, step, "weight", 1)
        channels = follower.units(step, layer.out_channels)
    elif layer.groups == layer.in_channels == layer.out_channels:
        follower.lie_along(channels, step, "weight", 0)
        follower.lie_along(channels, step, "bias", 0)
    else:
        follower.fix(channels)
        channels = PLAIN
    return (channels, *[PLAIN] * n_places)


def _pool(n_places: int, follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    follower.fix(*x[-n_places:])
    return x


def _channel_norm(n_axes: Sequence[int], follower: Follower, step: Step, x) -> Layout:
    if len(x) not in n_axes:
        raise unknown(step, f"its input has {len(x)} axes")
    for name in ("weight", "bias", "running_mean", "running_var"):
        follower.lie_along(x[0], step, name, 0)
    return x


def _layer_norm(follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    layer: Any = step.layer
    for dim, axis in enumerate(x[-len(layer.normalized_shape) :]):
        follower.lie_along(axis, step, "weight", dim)
        follower.lie_along(axis, step, "bias", dim)
    return x


def _group_norm(follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    layer: Any = step.layer
    if layer.num_groups not in (1, layer.num_channels):
        follower.fix(x[0])
    return _channel_norm(range(1, 9), follower, step, x)


def _prelu(follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    layer: Any = step.layer
    if layer.num_parameters > 1:
        follower.lie_along(x[0], step, "weight", 0)
    return x


def _flatten(follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    layer: Any = step.layer
    start, end = layer.start_dim % (len(x) + 1), layer.end_dim % (len(x) + 1)
    if start == 0:
        raise unknown(step, "it joins the samples")
    first, *others = x[start - 1 : end]
    follower.fix(*others)
    joined = Axis(first.units, first.flattened or len(others) > 0)
    return (*x[: start - 1], joined, *x[end:])


def _unflatten(follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    layer: Any = step.layer
    place = layer.dim % (len(x) + 1) - 1
    follower.fix(x[place])
    return (*x[:place], *[PLAIN] * len(layer.unflattened_size), *x[place + 1 :])


def _select(follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    follower.fix(x[-1])
    return (*x[:-1], PLAIN)


def _global_mean(follower: Follower, step: Step, x: tuple[Axis, ...]) -> Layout:
    layer: Any = step.layer
    if len(x) != 1 + layer.n_places:
        raise unknown(step, f"its input has {len(x)} axes")
    return x[:1]


def _add(follower: Follower, step: Step, x, y) -> Layout:
    if len(x) != len(y):
        raise unknown(step, f"it adds values of {len(x)} and {len(y)} axes")
    for one, other in zip(x, y, strict=True):
        follower.tie(one, other)
    return x


_FOLLOW: dict[type[nn.Module], Callable[..., Layout]] = {
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
