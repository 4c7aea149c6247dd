"""Which hidden units may change places: found by following them through a module's graph.

How rows are permuted, and in which order units are put, lives in ``_symmetry``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from ..exceptions import UnsupportedModuleError
from ._batched import DROPOUT, POINTWISE
from ._build import SelectFeatures
from ._graph import Add, GlobalMean, Step


@dataclass(frozen=True)
class PermutedAxis:
    """One axis of one parameter along which hidden units lie, ``block`` entries a unit.

    A ``statistic`` is no parameter but a running mean or variance: it moves along.
    """

    parameter: str
    axis: int
    block: int = 1
    statistic: bool = False


@dataclass(frozen=True)
class PermutationGroup:
    """Hidden units that may change places: all axes move together, or the function changes."""

    n_units: int
    axes: tuple[PermutedAxis, ...]

    @property
    def weights(self) -> tuple[PermutedAxis, ...]:
        """The axes of parameters, without those of running statistics."""
        return tuple(axis for axis in self.axes if not axis.statistic)

    @property
    def incoming(self) -> tuple[PermutedAxis, ...]:
        """The axes of the parameters that make the units' values."""
        return tuple(axis for axis in self.weights if axis.axis == 0)

    @property
    def outgoing(self) -> tuple[PermutedAxis, ...]:
        """The axes of the parameters that use the units' values."""
        return tuple(axis for axis in self.weights if axis.axis != 0)


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
    follower = _Follower()
    layouts: list[_Layout] = [None if input_shape is None else (_PLAIN,) * len(input_shape)]
    for step in steps:
        follower.check(step)
        taken = [layouts[source] for source in step.sources]
        follow = _FOLLOW.get(type(step.layer))
        if follow is None:
            raise _unknown(step)
        if follow not in (_convolution, _same) and None in taken:
            raise UnsupportedModuleError(
                f"the permutation symmetries of {_called(step)} are not known without the shape "
                "of an input; give input_shape="
            )
        layouts.append(follow(follower, step, *taken))
    follower.fix(*(layouts[-1] or ()))
    return follower.groups()


@dataclass(frozen=True)
class _Axis:
    """An axis of a value: which units lie along it, and whether each may have several places."""

    units: int = 0
    flattened: bool = False


_PLAIN = _Axis()  # no units, or such that stay where they are
_Layout = tuple[_Axis, ...] | None  # an axis each after the samples; None where not known


class _Follower:
    """Sets of units that were seen, which of them are tied, and the parameters that they lie along.

    Set 0 is that of all units that stay where they are: a set that is tied to it is fixed.
    """

    def __init__(self) -> None:
        self._tied = [0]
        self._sizes = [0]
        self._axes: dict[tuple[str, int], _Axis] = {}
        self._lengths: dict[tuple[str, int], int] = {}
        self._owners: dict[int, str] = {}

    def check(self, step: Step) -> None:
        """Raise UnsupportedModuleError for a layer that does more than its class says."""
        own = dict(step.layer.named_parameters())
        hooks = step.layer._forward_hooks or step.layer._forward_pre_hooks
        if hooks or set(own) - {"weight", "bias"}:
            raise _unknown(step, "it has hooks or parameters of its own")
        for parameter in own.values():
            owner = self._owners.setdefault(id(parameter), step.name)
            if owner != step.name:
                raise _unknown(step, f"it shares parameters with {owner!r}")

    def units(self, step: Step, n_units: int) -> _Axis:
        """Return the axis of what a layer puts out; the same each time that it is applied."""
        known = self._axes.get((_parameter(step, "weight"), 0))
        if known is not None:
            return known
        self._tied.append(len(self._tied))
        self._sizes.append(n_units)
        made = _Axis(len(self._tied) - 1)
        self.lie_along(made, step, "weight", 0)
        self.lie_along(made, step, "bias", 0)
        return made

    def lie_along(self, axis: _Axis, step: Step, name: str, dim: int) -> None:
        """Record that units lie along an axis of a layer's parameter, if it has the parameter."""
        parameter = getattr(step.layer, name, None)
        if parameter is None:
            return
        place = (_parameter(step, name), dim)
        self._lengths[place] = parameter.shape[dim]
        self.tie(self._axes.setdefault(place, axis), axis)

    def tie(self, one: _Axis, other: _Axis) -> None:
        """Let two axes move together; fix both where their units do not correspond one to one."""
        first, second = sorted((self._root(one.units), self._root(other.units)))
        if one.flattened == other.flattened and self._sizes[first] == self._sizes[second]:
            self._tied[second] = first
        else:
            self.fix(one, other)

    def fix(self, *axes: _Axis) -> None:
        """Let units stay where they are."""
        for axis in axes:
            self._tied[self._root(axis.units)] = 0

    def groups(self) -> tuple[PermutationGroup, ...]:
        """Return the groups of what was recorded."""
        found: dict[int, list[PermutedAxis]] = {}
        for (name, dim), axis in self._axes.items():
            root, length = self._root(axis.units), self._lengths[name, dim]
            if root == 0:
                continue
            if length % self._sizes[root]:
                raise UnsupportedModuleError(
                    f"{name!r} has {length} entries along axis {dim} for {self._sizes[root]} units"
                )
            statistic = name.rpartition(".")[2].startswith("running_")
            block = length // self._sizes[root]
            found.setdefault(root, []).append(PermutedAxis(name, dim, block, statistic))
        return tuple(
            PermutationGroup(self._sizes[root], tuple(axes)) for root, axes in sorted(found.items())
        )

    def _root(self, units: int) -> int:
        while self._tied[units] != units:
            units = self._tied[units]
        return units


def _parameter(step: Step, name: str) -> str:
    return f"{step.name}.{name}" if step.name else name


def _called(step: Step) -> str:
    return f"layer {step.name!r} ({type(step.layer).__name__})"


def _unknown(step: Step, reason: str = "") -> UnsupportedModuleError:
    return UnsupportedModuleError(
        f"the permutation symmetries of {_called(step)} are not known"
        + (f": {reason}" if reason else "")
        + "; wanted linear and convolutional layers, activations, pooling, normalisation, dropout, "
        "flatten and sums"
    )


# Each of the following takes the layouts of a layer's inputs to that of its output. A layer is of
# any class, so its own attributes cannot be typed.


def _same(follower: _Follower, step: Step, x: _Layout) -> _Layout:
    return x


def _linear(follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    layer: Any = step.layer
    follower.lie_along(x[-1], step, "weight", 1)
    return (*x[:-1], follower.units(step, layer.out_features))


def _convolution(follower: _Follower, step: Step, x: _Layout) -> _Layout:
    layer: Any = step.layer
    n_places = len(layer.kernel_size)
    channels, *places = x or (_PLAIN,) * (n_places + 1)
    if len(places) != n_places:
        raise _unknown(step, f"its input has {len(places) + 1} axes")
    follower.fix(*places)
    if layer.groups == 1:
        follower.lie_along(channels, step, "weight", 1)
        channels = follower.units(step, layer.out_channels)
    elif layer.groups == layer.in_channels == layer.out_channels:
        follower.lie_along(channels, step, "weight", 0)
        follower.lie_along(channels, step, "bias", 0)
    else:
        follower.fix(channels)
        channels = _PLAIN
    return (channels, *[_PLAIN] * n_places)


def _pool(n_places: int, follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    follower.fix(*x[-n_places:])
    return x


def _channel_norm(n_axes: Sequence[int], follower: _Follower, step: Step, x) -> _Layout:
    if len(x) not in n_axes:
        raise _unknown(step, f"its input has {len(x)} axes")
    for name in ("weight", "bias", "running_mean", "running_var"):
        follower.lie_along(x[0], step, name, 0)
    return x


def _layer_norm(follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    layer: Any = step.layer
    for dim, axis in enumerate(x[-len(layer.normalized_shape) :]):
        follower.lie_along(axis, step, "weight", dim)
        follower.lie_along(axis, step, "bias", dim)
    return x


def _group_norm(follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    layer: Any = step.layer
    if layer.num_groups not in (1, layer.num_channels):
        follower.fix(x[0])
    return _channel_norm(range(1, 9), follower, step, x)


def _prelu(follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    layer: Any = step.layer
    if layer.num_parameters > 1:
        follower.lie_along(x[0], step, "weight", 0)
    return x


def _flatten(follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    layer: Any = step.layer
    start, end = layer.start_dim % (len(x) + 1), layer.end_dim % (len(x) + 1)
    if start == 0:
        raise _unknown(step, "it joins the samples")
    first, *others = x[start - 1 : end]
    follower.fix(*others)
    joined = _Axis(first.units, first.flattened or len(others) > 0)
    return (*x[: start - 1], joined, *x[end:])


def _unflatten(follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    layer: Any = step.layer
    place = layer.dim % (len(x) + 1) - 1
    follower.fix(x[place])
    return (*x[:place], *[_PLAIN] * len(layer.unflattened_size), *x[place + 1 :])


def _select(follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    follower.fix(x[-1])
    return (*x[:-1], _PLAIN)


def _global_mean(follower: _Follower, step: Step, x: tuple[_Axis, ...]) -> _Layout:
    layer: Any = step.layer
    if len(x) != 1 + layer.n_places:
        raise _unknown(step, f"its input has {len(x)} axes")
    return x[:1]


def _add(follower: _Follower, step: Step, x, y) -> _Layout:
    if len(x) != len(y):
        raise _unknown(step, f"it adds values of {len(x)} and {len(y)} axes")
    for one, other in zip(x, y, strict=True):
        follower.tie(one, other)
    return x


_FOLLOW: dict[type[nn.Module], Callable[..., _Layout]] = {
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
