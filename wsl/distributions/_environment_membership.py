"""``EnvironmentMembershipFamily``: was an environment part of the training mixture?

Environments are samplers or pools of real rows; pools live in ``_pools``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._row_pool import Pool, check_column, check_fraction, check_table, join_shuffled

Sampler = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


class EnvironmentMembershipFamily(DistributionFamily):
    """Mixtures of environments; the property is whether one of them is in the mixture.

    Property 1 is the mixture of all environments, property 0 the mixture without ``member``.

    Parameters
    ----------
    environments : sequence of callable or of (X, y)
        A callable ``f(n_samples, rng)`` returns fresh ``(X, y)``; a pair of arrays is a pool of
        real rows, from which each training set draws without replacement.
    member : int, default=-1
        Index of the environment that the adversary asks about.
    equal_size : bool, default=True
        Whether a set without the member has as many rows as one with it, the other environments
        giving more each. False is the set-up as published: each environment gives the same
        number of rows either way, and the set without the member is smaller by its share, so that
        what an attack finds may be the size of the training set.

    Raises
    ------
    InvalidInputError
        If there are fewer than two environments, ``member`` is not one of them, or pools differ in
        their columns. From ``sample``: if a pool has fewer rows than are asked of it.

    Notes
    -----
    Rows that do not divide evenly go one each to the first environments of the mixture.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023: "distributional membership inference".

    Examples
    --------
    >>> from wsl.distributions import EnvironmentMembershipFamily
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> X, y, environments = family.sample(0, 900, random_state=0)
    >>> X.shape, sorted(set(environments.tolist()))
    ((900, 2), [0, 1, 2])
    """

    properties = (0, 1)

    def __init__(self, environments: Sequence[Any], *, member: int = -1, equal_size: bool = True):
        samplers = [_as_sampler(given, i) for i, given in enumerate(environments)]
        n_environments = len(samplers)
        if n_environments < 2:
            raise InvalidInputError(
                f"environments has {n_environments} entries; wanted at least two"
            )
        if not -n_environments <= member < n_environments:
            raise InvalidInputError(
                f"member={member}; wanted the index of one of {n_environments} environments"
            )
        widths = {s.X.shape[1] for s in samplers if isinstance(s, Pool)}
        if len(widths) > 1:
            raise InvalidInputError(
                f"environments have {sorted(widths)} columns; wanted one number"
            )
        self.environments = samplers
        self.member = member % n_environments
        self.equal_size = equal_size

    @classmethod
    def linear_causal(
        cls,
        n_environments: int = 4,
        *,
        effect: float = 1.0,
        member: int = -1,
        equal_size: bool = True,
    ) -> "EnvironmentMembershipFamily":
        """Return the linear set-up of [1]_: one cause and one effect of the outcome.

        In environment i, ``x1 ~ N(0, 1)``, ``y = x1 + N(0, 1)`` and ``x2 = effect * y + N(0, s)``
        with the standard deviation ``s = .5 + i``: only x1 predicts y alike everywhere. The
        paper's test set, where x2 is negated, is drawn with ``effect=-1``.

        Parameters
        ----------
        n_environments : int, default=4
        effect : float, default=1.0
        member, equal_size : see the class

        Returns
        -------
        EnvironmentMembershipFamily
        """
        chains = [CauseAndEffect(0.5 + i, effect) for i in range(n_environments)]
        return cls(chains, member=member, equal_size=equal_size)

    @classmethod
    def from_table(
        cls, X: Any, y: Any, environments: Any, *, member: Any = None, equal_size: bool = True
    ) -> "EnvironmentMembershipFamily":
        """Return a family whose environments are the groups of a real table's rows.

        Parameters
        ----------
        X : array ``(n_rows, n_features)``
        y : array ``(n_rows,)``
        environments : array ``(n_rows,)``
            A column with few different values. Sorted, they become environments 0, 1, ...
        member : object, optional
            The value that the adversary asks about; by default the last.
        equal_size : see the class

        Returns
        -------
        EnvironmentMembershipFamily

        Raises
        ------
        InvalidInputError
            If lengths differ, values are missing, or ``member`` is no value of ``environments``.
        """
        X, y = check_table(X, y)
        column = check_column(environments, len(X), "environments")
        values, index = np.unique(column, return_inverse=True)
        if member is not None and member not in values:
            raise InvalidInputError(f"member={member!r}; wanted one of {values.tolist()}")
        position = -1 if member is None else values.tolist().index(member)
        pools = [
            Pool(X[index == i], y[index == i], f"environment {value!r}")
            for i, value in enumerate(values.tolist())
        ]
        return cls(pools, member=position, equal_size=equal_size)

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`.

        Returns
        -------
        X : ndarray ``(n_samples, n_features)`` float32, in random order
        y : ndarray ``(n_samples,)``
        environments : ndarray ``(n_samples,)`` of int, indices into ``environments``
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        every = list(range(len(self.environments)))
        included = [i for i in every if property_value == 1 or i != self.member]
        sharing = included if self.equal_size else every
        sizes = dict(zip(sharing, _shares(n_samples, len(sharing)), strict=True))
        parts = [self._draw(i, sizes[i], rng) for i in included if sizes[i]]
        if not parts:
            raise InvalidInputError(f"n_samples={n_samples} leaves no row without the member")
        return join_shuffled(parts, rng)

    def split(
        self, fraction: float = 0.5, random_state: Any = None
    ) -> tuple["EnvironmentMembershipFamily", "EnvironmentMembershipFamily"]:
        """Return two families, the target's and the adversary's, that share no row of any pool.

        Parameters
        ----------
        fraction : float, default=0.5
            Share of each pool's rows that goes to the first family. Samplers go to both: what they
            draw is fresh anyway.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        tuple of two EnvironmentMembershipFamily
        """
        check_fraction(fraction)
        rng = resolve_random_state(random_state)
        pairs = [
            e.split(fraction, rng) if isinstance(e, Pool) else (e, e) for e in self.environments
        ]
        first, second = (
            EnvironmentMembershipFamily(side, member=self.member, equal_size=self.equal_size)
            for side in zip(*pairs, strict=True)
        )
        return first, second

    def _draw(self, index: int, n_samples: int, rng: np.random.Generator) -> Sample:
        X, y = self.environments[index](n_samples, rng)
        X, y = np.asarray(X, dtype=np.float32), np.asarray(y)
        if X.ndim != 2 or len(X) != n_samples or len(y) != n_samples:
            raise InvalidInputError(
                f"environments[{index}] returned X of shape {X.shape} and y of shape {y.shape}; "
                f"wanted {n_samples} rows of each"
            )
        return X, y, np.full(n_samples, index)

    def _summary(self) -> dict[str, object]:
        names = [e.name if isinstance(e, Pool) else e for e in self.environments]
        return {"environments": names, "member": self.member, "equal_size": self.equal_size}


@dataclass(frozen=True)
class CauseAndEffect:
    """One environment of the linear set-up: x1 causes y, y causes x2 with noise of its own."""

    noise: float
    effect: float = 1.0

    def __call__(self, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``X`` ``(n_samples, 2)`` and ``y`` ``(n_samples,)``, both float32."""
        x1, own, spurious = rng.standard_normal((3, n_samples), dtype=np.float32)
        y = x1 + own
        x2 = np.float32(self.effect) * y + np.float32(self.noise) * spurious
        return np.stack([x1, x2], axis=1), y


def _as_sampler(given: Any, index: int) -> Sampler:
    if callable(given):
        return given
    if isinstance(given, (tuple, list)) and len(given) == 2:
        X, y = given
        return Pool(*check_table(X, y, f"environments[{index}] "), f"environment {index}")
    raise InvalidInputError(
        f"environments[{index}] is a {type(given).__name__}; wanted a callable "
        "f(n_samples, rng), or a pair (X, y)"
    )


def _shares(n_samples: int, n_parts: int) -> list[int]:
    """Split a number into parts that differ by one at most, the larger ones first."""
    quotient, rest = divmod(n_samples, n_parts)
    return [quotient + (i < rest) for i in range(n_parts)]
