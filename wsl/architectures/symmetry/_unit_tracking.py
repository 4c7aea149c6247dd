"""Units as they are followed through a network: which are tied, and along which weights they lie.

What each kind of layer does to them is told in ``_groups``.
"""

from dataclasses import dataclass

from ...exceptions import UnsupportedModuleError
from ..tracing._trace import Step


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


@dataclass(frozen=True)
class Axis:
    """An axis of a value: which units lie along it, and whether each may have several places."""

    units: int = 0
    flattened: bool = False


PLAIN = Axis()  # no units, or such that stay where they are
Layout = tuple[Axis, ...] | None  # an axis each after the samples; None where not known


class Follower:
    """Sets of units that were seen, which of them are tied, and the parameters that they lie along.

    Set 0 is that of all units that stay where they are: a set that is tied to it is fixed.
    """

    def __init__(self) -> None:
        self._tied = [0]
        self._sizes = [0]
        self._axes: dict[tuple[str, int], Axis] = {}
        self._lengths: dict[tuple[str, int], int] = {}
        self._owners: dict[int, str] = {}

    def check(self, step: Step) -> None:
        """Raise UnsupportedModuleError for a layer that does more than its class says."""
        own = dict(step.layer.named_parameters())
        hooks = step.layer._forward_hooks or step.layer._forward_pre_hooks
        if hooks or set(own) - {"weight", "bias"}:
            raise unknown(step, "it has hooks or parameters of its own")
        for parameter in own.values():
            owner = self._owners.setdefault(id(parameter), step.name)
            if owner != step.name:
                raise unknown(step, f"it shares parameters with {owner!r}")

    def units(self, step: Step, n_units: int) -> Axis:
        """Return the axis of what a layer puts out; the same each time that it is applied."""
        known = self._axes.get((_parameter(step, "weight"), 0))
        if known is not None:
            return known
        self._tied.append(len(self._tied))
        self._sizes.append(n_units)
        made = Axis(len(self._tied) - 1)
        self.lie_along(made, step, "weight", 0)
        self.lie_along(made, step, "bias", 0)
        return made

    def lie_along(self, axis: Axis, step: Step, name: str, dim: int) -> None:
        """Record that units lie along an axis of a layer's parameter, if it has the parameter."""
        parameter = getattr(step.layer, name, None)
        if parameter is None:
            return
        place = (_parameter(step, name), dim)
        self._lengths[place] = parameter.shape[dim]
        self.tie(self._axes.setdefault(place, axis), axis)

    def tie(self, one: Axis, other: Axis) -> None:
        """Let two axes move together; fix both where their units do not correspond one to one."""
        first, second = sorted((self._root(one.units), self._root(other.units)))
        if one.flattened == other.flattened and self._sizes[first] == self._sizes[second]:
            self._tied[second] = first
        else:
            self.fix(one, other)

    def fix(self, *axes: Axis) -> None:
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


def called(step: Step) -> str:
    """Return what to call a layer in an error."""
    return f"layer {step.name!r} ({type(step.layer).__name__})"


def unknown(step: Step, reason: str = "") -> UnsupportedModuleError:
    """Return the error that says of which layer it is not known what it does to units."""
    return UnsupportedModuleError(
        f"the permutation symmetries of {called(step)} are not known"
        + (f": {reason}" if reason else "")
        + "; wanted linear and convolutional layers, activations, pooling, normalisation, dropout, "
        "flatten and sums"
    )
