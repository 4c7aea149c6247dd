"""``SubsampledFamily``: training sets from a real table, with a given share of one group of rows.

Drawing rows from a pool lives in ``_pools``.
"""

import math
from typing import Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._pools import Pool, check_column, check_fraction, check_table, join_shuffled
from ._properties import Interval, check_properties


class SubsampledFamily(DistributionFamily):
    """Training sets drawn from a real table; the property is the share of a group in them.

    Parameters
    ----------
    X : array or DataFrame ``(n_rows, n_features)``
    y : array ``(n_rows,)``
    attribute : array ``(n_rows,)`` or str
        Who belongs to the group: booleans or 0/1, or any values together with ``value``. A string
        names a column of a DataFrame ``X``. The attribute need not be a column of ``X``.
    value : object, optional
        Rows whose attribute equals it are the group.
    properties : tuple of float or Interval, default=(0.2, 0.5)
        The shares, numbers in [0, 1]: classes to tell apart, or an interval to place a number in.
    group_as_environment : bool, default=False
        Whether ``sample`` returns a third array: 1 for rows of the group, 0 for the others. A
        learner that weighs environments alike then sees the group and the rest as two of them.

    Raises
    ------
    InvalidInputError
        If lengths differ, X holds missing or non-numeric values, the attribute is neither 0/1 nor
        compared to a ``value``, nobody or everybody belongs to the group, or a share lies outside
        [0, 1]. From ``sample``: if the table has too few rows.

    Notes
    -----
    Of ``n_samples`` rows, ``floor(share * n_samples + 1/2)`` are of the group, in every draw: the
    share is exact where ``share * n_samples`` is whole. Rows are drawn without replacement within
    a training set. Two training sets from one table overlap; :meth:`split` makes two families
    without a common row, so that the adversary's models cannot have seen the target's data.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.distributions import SubsampledFamily
    >>> rng = np.random.default_rng(0)
    >>> X, y, group = rng.normal(size=(1000, 3)), rng.integers(2, size=1000), rng.random(1000) < 0.4
    >>> X[:, 0] = group
    >>> family = SubsampledFamily(X, y, group, properties=(0.2, 0.5))
    >>> X_drawn, y_drawn = family.sample(0.2, 300, random_state=0)
    >>> round(float(X_drawn[:, 0].mean()), 6)
    0.2
    """

    property_is_share = True

    def __init__(
        self,
        X: Any,
        y: Any,
        attribute: Any,
        *,
        value: Any = None,
        properties: Any = (0.2, 0.5),
        group_as_environment: bool = False,
    ):
        column = X[attribute] if isinstance(attribute, str) and hasattr(X, "columns") else attribute
        X, y = check_table(X, y)
        group = _group(check_column(column, len(X), "attribute"), value)
        self.properties = _check_shares(properties)
        self.group_as_environment = group_as_environment
        self._others = Pool(X[~group], y[~group], "the rows outside the group")
        self._group = Pool(X[group], y[group], "the rows of the group")

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`.

        Returns
        -------
        X : ndarray ``(n_samples, n_features)`` float32, in random order
        y : ndarray ``(n_samples,)``
        environments : ndarray ``(n_samples,)`` of int, where ``group_as_environment`` is set
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        n_group = math.floor(property_value * n_samples + 0.5)
        parts: list[Sample] = [self._group(n_group, rng), self._others(n_samples - n_group, rng)]
        if self.group_as_environment:
            labels = np.full(n_group, 1), np.full(n_samples - n_group, 0)
            parts = [(*part, label) for part, label in zip(parts, labels, strict=True)]
        return join_shuffled(parts, rng)

    def split(
        self, fraction: float = 0.5, random_state: Any = None
    ) -> tuple["SubsampledFamily", "SubsampledFamily"]:
        """Return two families, the target's and the adversary's, that share no row.

        Parameters
        ----------
        fraction : float, default=0.5
            Share of the rows, inside the group and outside it alike, that goes to the first.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        tuple of two SubsampledFamily
        """
        check_fraction(fraction)
        rng = resolve_random_state(random_state)
        groups, others = self._group.split(fraction, rng), self._others.split(fraction, rng)
        first, second = (self._with(*pools) for pools in zip(groups, others, strict=True))
        return first, second

    def _with(self, group: Pool, others: Pool) -> "SubsampledFamily":
        family = object.__new__(type(self))
        family.__dict__ = {**self.__dict__, "_group": group, "_others": others}
        return family

    def _summary(self) -> dict[str, object]:
        sizes = {"n_group": len(self._group), "n_others": len(self._others)}
        return {**sizes, **super()._summary()}


def _group(attribute: np.ndarray, value: Any) -> np.ndarray:
    if value is not None:
        group = attribute == value
        wanted = f"some rows with and some without attribute == {value!r}"
    else:
        if not np.isin(attribute, (0, 1)).all():
            raise InvalidInputError(
                f"attribute holds {np.unique(attribute)[:5].tolist()}; wanted booleans or 0 and 1, "
                "or a value to compare it to"
            )
        group = attribute.astype(bool)
        wanted = "some rows inside and some outside the group"
    if group.all() or not group.any():
        raise InvalidInputError(
            f"attribute puts {int(group.sum())} of {len(group)} rows into the group; "
            f"wanted {wanted}"
        )
    return group


def _check_shares(properties: Any) -> Any:
    checked = check_properties(properties)
    ends = (checked.low, checked.high) if isinstance(checked, Interval) else checked
    if isinstance(checked, list) or not all(share in Interval(0, 1) for share in ends):
        raise InvalidInputError(
            f"properties={properties!r}; wanted shares in [0, 1], or an Interval within it"
        )
    return checked
