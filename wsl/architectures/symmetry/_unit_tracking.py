"""Hidden units tracked through a network: which are tied, and along which weights they lie."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...exceptions import UnsupportedModuleError
from ..tracing._trace import Step


@dataclass(frozen=True)
class PermutedAxis:
    """One axis of one parameter along which hidden units lie, ``block`` entries per unit.

    ``statistic`` is True for a running mean or variance, which moves along but is not a parameter.
    """

    parameter: str
    axis: int
    block: int = 1
    statistic: bool = False


@dataclass(frozen=True)
class PermutationGroup:
    """Interchangeable hidden units: permuting all axes together keeps the function."""

    n_units: int
    axes: tuple[PermutedAxis, ...]

    @property
    def weights(self) -> tuple[PermutedAxis, ...]:
        """The axes of parameters, without those of running statistics."""
        return tuple(axis for axis in self.axes if not axis.statistic)

    @property
    def incoming(self) -> tuple[PermutedAxis, ...]:
        """The axes of the parameters that compute the units' values."""
        return tuple(axis for axis in self.weights if axis.axis == 0)

    @property
    def outgoing(self) -> tuple[PermutedAxis, ...]:
        """The axes of the parameters that use the units' values."""
        return tuple(axis for axis in self.weights if axis.axis != 0)


@dataclass(frozen=True)
class Axis:
    """An axis of a value: the set of units along it, and whether each may have several entries."""

    units: int = 0
    flattened: bool = False


FIXED = Axis()  # no units, or units that cannot be permuted
Axes = tuple[Axis, ...] | None  # those after the samples; None where they are not known


class UnitTracker:
    """Sets of units, which of them are tied, and the parameters that they lie along.

    Set 0 holds all units that cannot be permuted: a set that is tied to it is fixed. ``names`` maps
    the ids of parameters to their names in a row, which layers that share a parameter have in
    common.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._tied = [0]
        self._sizes = [0]
        self._axes: dict[tuple[str, int], Axis] = {}
        self._lengths: dict[tuple[str, int], int] = {}

    def check(self, step: Step) -> None:
        """Raise UnsupportedModuleError for a layer that does more than its class does."""
        parameters = dict(step.layer.named_parameters())
        hooks = step.layer._forward_hooks or step.layer._forward_pre_hooks
        if hooks or set(parameters) - {"weight", "bias"}:
            raise unknown_symmetry(step, "it has hooks or other parameters")

    def units(self, step: Step, n_units: int) -> Axis:
        """Return the axis of a layer's outputs; the same each time that its weight is applied."""
        axis = self._axes.get((self._name(step, "weight"), 0))
        if axis is None:
            self._tied.append(len(self._tied))
            self._sizes.append(n_units)
            axis = Axis(len(self._tied) - 1)
        self.lie_along(axis, step, "weight", 0)
        self.lie_along(axis, step, "bias", 0)
        return axis

    def lie_along(self, axis: Axis, step: Step, name: str, dim: int) -> None:
        """Record that units lie along an axis of a layer's parameter, if it has the parameter."""
        parameter = getattr(step.layer, name, None)
        if parameter is None:
            return
        key = (self._name(step, name), dim)
        self._lengths[key] = parameter.shape[dim]
        self.tie(self._axes.setdefault(key, axis), axis)

    def tie(self, one: Axis, other: Axis) -> None:
        """Let two axes move together; fix both if their units do not correspond one to one."""
        first, second = sorted((self._root(one.units), self._root(other.units)))
        if one.flattened == other.flattened and self._sizes[first] == self._sizes[second]:
            self._tied[second] = first
        else:
            self.fix(one, other)

    def fix(self, *axes: Axis) -> None:
        """Exclude the units along these axes from permutation."""
        for axis in axes:
            self._tied[self._root(axis.units)] = 0

    def groups(self) -> tuple[PermutationGroup, ...]:
        """Return the groups of interchangeable units."""
        axes: dict[int, list[PermutedAxis]] = {}
        for (name, dim), axis in self._axes.items():
            root, length = self._root(axis.units), self._lengths[name, dim]
            if root == 0:
                continue
            if length % self._sizes[root]:
                raise UnsupportedModuleError(
                    f"axis {dim} of {name!r} must have as many entries for each of the "
                    f"{self._sizes[root]} units; got {length} entries."
                )
            statistic = name.rpartition(".")[2].startswith("running_")
            block = length // self._sizes[root]
            axes.setdefault(root, []).append(PermutedAxis(name, dim, block, statistic))
        return tuple(
            PermutationGroup(self._sizes[root], tuple(moved))
            for root, moved in sorted(axes.items())
        )

    def _root(self, units: int) -> int:
        while self._tied[units] != units:
            units = self._tied[units]
        return units

    def _name(self, step: Step, name: str) -> str:
        own = f"{step.name}.{name}" if step.name else name
        return self._names.get(id(getattr(step.layer, name)), own)


def unknown_symmetry(step: Step, reason: str = "") -> UnsupportedModuleError:
    """Return the error for a layer of which it is not known how it treats permuted units."""
    return UnsupportedModuleError(
        f"layer {step.name!r} ({type(step.layer).__name__}) has unknown permutation symmetries"
        + (f": {reason}" if reason else "")
        + "; a layer must be linear, a convolution, an activation, pooling, normalization, "
        "dropout, flatten or a sum."
    )
