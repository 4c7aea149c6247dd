"""``RandomNetworkFamily``: labels from a random network; the property moves labels or inputs.

Families on real tables and on environments live beside this module.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._properties import Interval, check_properties

if TYPE_CHECKING:
    from ..architectures import Architecture


class RandomNetworkFamily(DistributionFamily):
    r"""Gaussian inputs, labelled by a random network; the property moves the labels or the inputs.

    Parameters
    ----------
    epsilon : float, default=0.04
        How far the property moves the labelling network: standard deviation of what is added to
        each parameter at property 1.
    shift : float, default=0.0
        How far the property moves the inputs: their mean goes from ``-shift`` to ``shift``.
    properties : tuple of numbers or Interval, default=(0, 1)
        Values between 0 and 1 lie on the straight line between the two ends.
    architecture : Architecture, optional
        The labelling network; by default 4 inputs, 32 ReLU units and 1 output.
    scale : float, default=2.0
        Standard deviation of each input.
    random_state : int, Generator, RandomState or None
        Draws the labelling network. Two families with one seed have the same network.

    Attributes
    ----------
    networks : ndarray ``(2, n_weights)`` float32
        The labelling networks of property 0 and property 1.

    Raises
    ------
    InvalidInputError
        If ``epsilon`` or ``scale`` is negative, or a property value lies outside [0, 1].

    Notes
    -----
    With :math:`M_0` a network whose every weight and bias is drawn from :math:`N(0, 1)`,
    :math:`M_1 = M_0 + N(0, \epsilon^2)` on each parameter, and
    :math:`M_p = (1 - p) M_0 + p M_1` parameter by parameter,

    .. math:: X \sim N((2p - 1)\,\mathrm{shift},\ \mathrm{scale}^2 I), \qquad Y = M_p(X).

    The defaults are experiment A of [1]_, where the adversary's property lies in E[Y|X];
    ``epsilon=0, shift=1`` are its experiments B and C, where the property lies in the inputs alone
    and a model that fits perfectly gives nothing away.

    References
    ----------
    .. [1] Hartmann, Meynent, Peyrard, Dimitriadis, Tople and West, "Distribution inference risks:
       Identifying and mitigating sources of leakage", SaTML 2023.

    Examples
    --------
    >>> from wsl.distributions import Interval, RandomNetworkFamily
    >>> family = RandomNetworkFamily(0.04, random_state=0)
    >>> X, y = family.sample(1, 2048, random_state=1)
    >>> X.shape, y.shape
    ((2048, 4), (2048,))
    >>> means = RandomNetworkFamily(0, shift=1, properties=Interval(0, 1), random_state=0)
    >>> X, y = means.sample(0.75, 2048, random_state=1)
    """

    def __init__(
        self,
        epsilon: float = 0.04,
        *,
        shift: float = 0.0,
        properties: Any = (0, 1),
        architecture: "Architecture | None" = None,
        scale: float = 2.0,
        random_state: Any = None,
    ):
        for name, value in (("epsilon", epsilon), ("scale", scale)):
            if not (np.isfinite(value) and value >= 0):
                raise InvalidInputError(f"{name}={value!r}; wanted a number of at least 0")
        self.epsilon = epsilon
        self.shift = shift
        self.scale = scale
        self.properties = _check_unit_range(properties)
        self.architecture = _default_architecture() if architecture is None else architecture
        rng = resolve_random_state(random_state)
        base = rng.standard_normal(self.architecture.n_weights)
        moved = base + epsilon * rng.standard_normal(self.architecture.n_weights)
        self.networks = np.stack([base, moved]).astype(np.float32)

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`.

        Returns
        -------
        X : ndarray ``(n_samples, n_inputs)`` float32
        y : ndarray ``(n_samples,)`` float32, or ``(n_samples, n_outputs)`` for several outputs
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        noise = rng.standard_normal((n_samples, self.architecture.n_inputs), dtype=np.float32)
        X = np.float32(self.scale) * noise + np.float32((2 * property_value - 1) * self.shift)
        p = np.float32(property_value)
        network = (1 - p) * self.networks[0] + p * self.networks[1]
        y = self.architecture.forward(network[None], X)[0]
        return X, y[:, 0] if y.shape[1] == 1 else y

    def _summary(self) -> dict[str, object]:
        return {
            "epsilon": self.epsilon,
            "shift": self.shift,
            **super()._summary(),
            "architecture": self.architecture,
            "scale": self.scale,
        }


def _check_unit_range(properties: Any) -> Any:
    checked = check_properties(properties)
    ends = (checked.low, checked.high) if isinstance(checked, Interval) else checked
    unit = Interval(0, 1)
    if isinstance(checked, list) or not all(value in unit for value in ends):
        raise InvalidInputError(
            f"properties={properties!r}; wanted numbers in [0, 1], or an Interval within it"
        )
    return checked


def _default_architecture() -> "Architecture":
    from ..architectures import Architecture  # here, so that real tables do without torch

    return Architecture.mlp(4, [32], 1)
