"""Gaussian inputs labelled by a random network; the property shifts labels or inputs."""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._properties import central_value, check_bounds, n_components

if TYPE_CHECKING:
    from ..architectures import Architecture


class RandomNetworkFamily(DistributionFamily):
    r"""Gaussian inputs labelled by a random network; the property shifts the labels or the inputs.

    Parameters
    ----------
    epsilon : float, default=0.04
        Shift of the labelling network: standard deviation of what is added to each parameter at
        property 1.
    shift : float, default=0.0
        Shift of the inputs: their mean goes from ``-shift`` to ``shift``.
    properties : tuple of numbers, Interval or list of Interval, default=(0, 1)
        Values between 0 and 1 interpolate linearly between the two ends. Several numbers (a list
        of intervals, or classes that are tuples) shift as many networks, and with ``shift`` the
        mean of each input, of which there must then be as many.
    architecture : Architecture, default=None
        The labelling network. None is a network with 4 inputs, 32 ReLU units and 1 output.
    scale : float, default=2.0
        Standard deviation of each input.
    network : array-like of shape (n_weights,), default=None
        The labelling network of property 0, a row of the architecture. None draws a random one.
    random_state : int, Generator, RandomState or None, default=None
        Seed of the labelling networks; two families with the same seed have the same networks.

    Attributes
    ----------
    networks : ndarray of float32 of shape (1 + n_properties, n_weights)
        The labelling networks of property 0 and of property 1; for several numbers, those with one
        of them equal to 1 and the others 0.

    Raises
    ------
    InvalidInputError
        If ``epsilon`` or ``scale`` is negative, a property value lies outside [0, 1], ``network``
        is not a row of the architecture, or the number of properties does not fit the inputs.

    See Also
    --------
    ConditionalShiftFamily : Any function or fitted model as E[Y|X].
    GaussianFamily : Gaussian data for which the best adversary is known.

    Notes
    -----
    With :math:`M_0` a network whose every weight and bias is drawn from :math:`N(0, 1)`,
    :math:`M_1 = M_0 + N(0, \epsilon^2)` on each parameter, and
    :math:`M_p = (1 - p) M_0 + p M_1` parameter by parameter,

    .. math:: X \sim N((2p - 1)\,\mathrm{shift},\ \mathrm{scale}^2 I), \qquad Y = M_p(X).

    With several numbers :math:`M_p = M_0 + \sum_k p_k (M_k - M_0)`, and input k has the mean
    :math:`(2 p_k - 1)\,\mathrm{shift}`.

    The defaults are experiment A of [1]_, with the property in E[Y|X]; ``epsilon=0, shift=1`` are
    its experiments B and C, with the property in the inputs only, of which a model that fits
    perfectly reveals nothing.

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
        network: Any = None,
        random_state: Any = None,
    ):
        for name, value in (("epsilon", epsilon), ("scale", scale)):
            if not (np.isfinite(value) and value >= 0):
                raise InvalidInputError(f"`{name}` must be at least 0; got {value!r}.")
        self.epsilon = epsilon
        self.shift = shift
        self.scale = scale
        self.architecture = _default_architecture() if architecture is None else architecture
        n_inputs, n_weights = self.architecture.n_inputs, self.architecture.n_weights
        n_numbers = n_components(properties)
        self.properties = check_bounds(properties, 0, 1, "numbers in [0, 1]", n_numbers)
        if shift and n_numbers not in (1, n_inputs):
            raise InvalidInputError(
                "`properties` must have one number, or with `shift` one for each of the "
                f"{n_inputs} inputs; got {n_numbers}."
            )
        self._common: np.ndarray | None = None
        rng = resolve_random_state(random_state)
        drawn = rng.standard_normal(n_weights)
        base = drawn if network is None else _check_network(network, n_weights)
        shifts = epsilon * rng.standard_normal((n_numbers, n_weights))
        self.networks = np.concatenate([base[None], base + shifts]).astype(np.float32)

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set.

        Parameters
        ----------
        property_value : object
            One of the values of ``properties``.
        n_samples : int
            Number of rows.
        random_state : int, Generator, RandomState, SeedSequence or None, default=None
            Seed of the draw.

        Returns
        -------
        X : ndarray of float32 of shape (n_samples, n_inputs)
            The inputs.
        y : ndarray of float32 of shape (n_samples,) or (n_samples, n_outputs)
            The outputs of the labelling network.

        Raises
        ------
        InvalidInputError
            If ``property_value`` is not a value of the family, or ``n_samples`` is not positive.
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        p = np.atleast_1d(np.asarray(property_value, dtype=np.float32))
        X = rng.standard_normal((n_samples, self.architecture.n_inputs), dtype=np.float32)
        X *= np.float32(self.scale)
        if self.shift:
            X += (2 * p - 1) * np.float32(self.shift)
        q = p if self._common is None else self._common
        network = (1 - q.sum()) * self.networks[0] + q @ self.networks[1:]
        y = self.architecture.forward(network[None], X)[0]
        return X, y[:, 0] if y.shape[1] == 1 else y

    def with_common_conditional(self) -> "RandomNetworkFamily":
        """Return the family whose labelling network is that of the mean property, at every value.

        Returns
        -------
        RandomNetworkFamily
            The family.
        """
        family = copy.copy(self)
        family._common = central_value(self.property_values).astype(np.float32)
        return family

    def _summary(self) -> dict[str, object]:
        return {
            "epsilon": self.epsilon,
            "shift": self.shift,
            **super()._summary(),
            "architecture": self.architecture,
            "scale": self.scale,
        }


def _check_network(network: Any, n_weights: int) -> np.ndarray:
    row = np.asarray(network, dtype=np.float32)
    if row.shape != (n_weights,) or not np.isfinite(row).all():
        raise InvalidInputError(
            f"`network` must be a finite row of the architecture, shape ({n_weights},); got shape "
            f"{row.shape}."
        )
    return row


def _default_architecture() -> "Architecture":
    from ..architectures import Architecture  # imports torch, which real tables do not need

    return Architecture.mlp(4, [32], 1)
