"""Mixtures of environments; the property is whether one of them is in the mixture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from .._frames import is_frame
from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._row_pool import RowPool, check_fraction, join_shuffled
from ._subgroups import rows_with_column
from ._table_rows import check_table, take_rows

Sampler = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


class EnvironmentMembershipFamily(DistributionFamily):
    """Mixtures of environments; the property is whether one of them is in the mixture.

    Property 1 is the mixture of all environments, property 0 the mixture without ``member``.

    Parameters
    ----------
    environments : sequence of callable or of (X, y)
        A callable ``f(n_samples, rng)`` returns fresh ``(X, y)``; a pair is a pool of real rows
        from which each training set draws without replacement. X may be a DataFrame, whose columns
        and types are kept; numeric arrays become float32.
    member : int, default=-1
        Index of the environment that the adversary asks about.
    equal_size : bool, default=True
        Whether sets without the member have the same size, with more rows from each of the other
        environments. False is the set-up as published: each environment contributes the same
        number of rows either way, so that sets without the member are smaller, and an attack may
        detect the size of the training set.

    Attributes
    ----------
    environments : list of callable
        Samplers of the environments.
    member : int
        Index of the environment that the adversary asks about, not negative.

    Raises
    ------
    InvalidInputError
        If there are fewer than two environments, ``member`` is not the index of one, or pools
        differ in their columns.

    See Also
    --------
    SubsampledFamily : Fractions and presence of groups in a table.
    RecordMembershipFamily : Presence of a single row.
    CausalMitigatedClassifier : A learner that leaks less of its environments.

    Notes
    -----
    Rows that do not divide evenly go to the first environments of the mixture, one each.

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
        samplers = [_as_sampler(environment, i) for i, environment in enumerate(environments)]
        n_environments = len(samplers)
        if n_environments < 2:
            raise InvalidInputError(
                f"`environments` must have at least two entries; got {n_environments}."
            )
        is_index = isinstance(member, Integral) and not isinstance(member, bool)
        if not is_index or not -n_environments <= member < n_environments:
            raise InvalidInputError(
                f"`member` must be the index of one of {n_environments} environments; got "
                f"{member!r}."
            )
        columns = {_columns(s.X) for s in samplers if isinstance(s, RowPool)}
        if len(columns) > 1:
            raise InvalidInputError(
                f"`environments` must have the same columns; got {sorted(columns, key=str)}."
            )
        self.environments = samplers
        self.member = int(member) % n_environments
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
        """Return the linear set-up of Hartmann et al. with one cause and one effect of the outcome.

        In environment i, ``x1 ~ N(0, 1)``, ``y = x1 + N(0, 1)`` and ``x2 = effect * y + N(0, s)``
        with the standard deviation ``s = .5 + i``: only the relation of x1 and y is the same
        everywhere. The paper's test set, where x2 is negated, has ``effect=-1``.

        Parameters
        ----------
        n_environments : int, default=4
            Number of environments.
        effect : float, default=1.0
            Coefficient of the outcome in x2.
        member : int, default=-1
            Index of the environment that the adversary asks about.
        equal_size : bool, default=True
            Whether sets without the member have the same size.

        Returns
        -------
        EnvironmentMembershipFamily
            The family.
        """
        chains = [CauseAndEffect(0.5 + i, effect) for i in range(n_environments)]
        return cls(chains, member=member, equal_size=equal_size)

    @classmethod
    def from_table(
        cls,
        X: Any,
        y: Any,
        environments: Any,
        *,
        member: Any = None,
        equal_size: bool = True,
        missing: str = "error",
    ) -> "EnvironmentMembershipFamily":
        """Return a family whose environments are groups of a real table's rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            The rows.
        y : array-like of shape (n_rows,)
            The outcome of each row.
        environments : array-like of shape (n_rows,) or str
            A column with few distinct values; sorted, they are environments 0, 1, ... A string
            names a column of a DataFrame ``X``.
        member : object, default=None
            The value that the adversary asks about; None is the last.
        equal_size : bool, default=True
            Whether sets without the member have the same size.
        missing : {"error", "drop"}, default="error"
            Whether rows without an environment are an error or are left out.

        Returns
        -------
        EnvironmentMembershipFamily
            The family.

        Raises
        ------
        InvalidInputError
            If lengths differ, values are missing, or ``member`` does not occur in
            ``environments``.
        """
        X, y, column = rows_with_column(X, y, environments, "environments", missing)
        values, index = np.unique(column, return_inverse=True)
        if member is not None and member not in values.tolist():
            raise InvalidInputError(f"`member` must be one of {values.tolist()}; got {member!r}.")
        position = -1 if member is None else values.tolist().index(member)
        pools = [
            RowPool(take_rows(X, rows), y[rows], f"environment {value!r}")
            for i, value in enumerate(values.tolist())
            for rows in [np.flatnonzero(index == i)]
        ]
        return cls(pools, member=position, equal_size=equal_size)

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
        X : ndarray of float32 or DataFrame of shape (n_samples, n_features)
            The rows, in random order.
        y : ndarray of shape (n_samples,)
            Their outcomes.
        environments : ndarray of int of shape (n_samples,)
            Indices into ``environments``.

        Raises
        ------
        InvalidInputError
            If ``property_value`` is not a value of the family, or a pool has too few rows.
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        indices = list(range(len(self.environments)))
        included = [i for i in indices if property_value == 1 or i != self.member]
        contributing = included if self.equal_size else indices
        parts = _equal_parts(n_samples, len(contributing))
        sizes = dict(zip(contributing, parts, strict=True))
        draws = [self._draw(i, sizes[i], rng) for i in included if sizes[i]]
        if not draws:
            raise InvalidInputError(
                f"`n_samples` must leave at least one row without the member; got {n_samples}."
            )
        return join_shuffled(draws, rng)

    def split(
        self, fraction: float = 0.5, random_state: Any = None
    ) -> tuple["EnvironmentMembershipFamily", "EnvironmentMembershipFamily"]:
        """Split into two families that share no row, for the targets and the adversary.

        Parameters
        ----------
        fraction : float, default=0.5
            Fraction of each pool's rows in the first family. Callables are used by both, as they
            draw fresh rows.
        random_state : int, Generator, RandomState or None, default=None
            Seed of the split.

        Returns
        -------
        first : EnvironmentMembershipFamily
            The family with ``fraction`` of the rows.
        second : EnvironmentMembershipFamily
            The family with the other rows.

        Raises
        ------
        InvalidInputError
            If ``fraction`` is not between 0 and 1.
        """
        check_fraction(fraction)
        rng = resolve_random_state(random_state)
        pairs = [
            e.split(fraction, rng) if isinstance(e, RowPool) else (e, e) for e in self.environments
        ]
        first, second = (
            EnvironmentMembershipFamily(side, member=self.member, equal_size=self.equal_size)
            for side in zip(*pairs, strict=True)
        )
        return first, second

    def _draw(self, index: int, n_samples: int, rng: np.random.Generator) -> Sample:
        X, y = self.environments[index](n_samples, rng)
        X, y = X if is_frame(X) else np.asarray(X, dtype=np.float32), np.asarray(y)
        if len(X.shape) != 2 or len(X) != n_samples or len(y) != n_samples:
            raise InvalidInputError(
                f"`environments[{index}]` must return {n_samples} rows of X and y; got X of shape "
                f"{X.shape} and y of shape {y.shape}."
            )
        return X, y, np.full(n_samples, index)

    def _summary(self) -> dict[str, object]:
        names = [e.name if isinstance(e, RowPool) else e for e in self.environments]
        return {"environments": names, "member": self.member, "equal_size": self.equal_size}


@dataclass(frozen=True)
class CauseAndEffect:
    """One environment of the linear set-up: x1 causes y, and y causes x2 with its own noise."""

    noise: float
    effect: float = 1.0

    def __call__(self, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``X`` ``(n_samples, 2)`` and ``y`` ``(n_samples,)``, both float32."""
        x1, noise, spurious = rng.standard_normal((3, n_samples), dtype=np.float32)
        y = x1 + noise
        x2 = np.float32(self.effect) * y + np.float32(self.noise) * spurious
        return np.stack([x1, x2], axis=1), y


def _columns(X: Any) -> Any:
    return tuple(X.columns) if is_frame(X) else X.shape[1]


def _as_sampler(environment: Any, index: int) -> Sampler:
    if callable(environment):
        return environment
    if isinstance(environment, (tuple, list)) and len(environment) == 2:
        X, y = environment
        return RowPool(*check_table(X, y, f"environments[{index}] "), f"environment {index}")
    raise InvalidInputError(
        f"`environments[{index}]` must be a callable f(n_samples, rng) or a pair (X, y); got a "
        f"{type(environment).__name__}."
    )


def _equal_parts(n_samples: int, n_parts: int) -> list[int]:
    """Split a number into parts that differ by at most one, the larger ones first."""
    quotient, rest = divmod(n_samples, n_parts)
    return [quotient + (i < rest) for i in range(n_parts)]
