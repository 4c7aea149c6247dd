"""``SubsampledFamily``: training sets from a real table, with a given property of their rows.

How many rows of which group that takes lives in ``_quotas``; drawing them, in ``_strata``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._group_counts import Presence, Quota, Shares, Tilt
from ._properties import Properties, check_numbers
from ._row_pool import check_column, check_fraction, check_table
from ._stratified_table import Strata
from ._subgroups import GROUP_NAMES, check_proportions, column_of, rows_by_value, strata_of_group


class SubsampledFamily(DistributionFamily):
    """Training sets drawn from a real table; the property is the share of a group in them.

    Other properties have constructors of their own: :meth:`with_mean` of a column,
    :meth:`with_presence` of a group, :meth:`with_proportions` of several groups at once.

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
    >>> family = SubsampledFamily.with_mean(X, y, X[:, 1], properties=(0, 0.5))
    >>> X_drawn, y_drawn = family.sample(0.5, 300, random_state=0)
    >>> round(float(X_drawn[:, 1].mean()), 2)
    0.5
    """

    property_is_share = True
    group_as_environment = False

    _strata: Strata
    _quota: Quota
    _shown: dict[str, object]

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
        checked = check_numbers(properties, 0, 1, "shares in [0, 1]")
        self._set(strata_of_group(X, y, attribute, value), Shares(2), checked, {})
        self.group_as_environment = group_as_environment

    @classmethod
    def with_presence(
        cls, X: Any, y: Any, attribute: Any, *, value: Any = None
    ) -> "SubsampledFamily":
        """Return a family whose property is whether a group is in the training set at all.

        At property 1 the group has the share that it has in the table, rounded, and one row at
        least; at 0 its rows are left out. Training sets are of one size either way.

        Parameters
        ----------
        X, y, attribute, value : see the class

        Returns
        -------
        SubsampledFamily
            Its ``properties`` are (0, 1).
        """
        strata = strata_of_group(X, y, attribute, value)
        quota = Presence(float(strata.sizes[0] / len(strata)))
        return cls._made(strata, quota, (0, 1), {"of": "presence"})

    @classmethod
    def with_proportions(
        cls, X: Any, y: Any, attribute: Any, *, values: Sequence[Any], properties: Any
    ) -> "SubsampledFamily":
        """Return a family whose property is the shares of several groups at once.

        Parameters
        ----------
        X, y : see the class
        attribute : array ``(n_rows,)`` or str
            A column of any kind; ``y`` itself, for the proportions of the classes.
        values : sequence
            The values of the attribute whose shares are the property. Rows with other values, if
            there are any, share what is left as they do in the table.
        properties : list of Interval, or tuple of tuples of float
            An interval for each of ``values``; or, as classes to tell apart, tuples with a share
            for each of ``values``.

        Returns
        -------
        SubsampledFamily

        Raises
        ------
        InvalidInputError
            If a value does not occur, if shares are no numbers in [0, 1] or may add up to more
            than 1, or to less where ``values`` leaves no other rows.

        Notes
        -----
        Counts differ from ``share * n_samples`` by less than one, in every draw.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from wsl.distributions import Interval, SubsampledFamily
        >>> X, y = load_digits(return_X_y=True)
        >>> family = SubsampledFamily.with_proportions(
        ...     X, y, y, values=(3, 8), properties=[Interval(0, 0.3), Interval(0, 0.3)])
        >>> X_drawn, y_drawn = family.sample((0.1, 0.25), 200, random_state=0)
        >>> int((y_drawn == 3).sum()), int((y_drawn == 8).sum())
        (20, 50)
        """
        column, (X, y) = column_of(X, attribute), check_table(X, y)
        column = check_column(column, len(X), "attribute")
        named = rows_by_value(column, values)
        names = [f"the rows with {value!r}" for value in values]
        outside = ~np.logical_or.reduce(named)
        if outside.any():
            named, names = [*named, outside], [*names, "the rows of no named value"]
        checked = check_proportions(properties, len(values), complete=not outside.any())
        strata = Strata.of(X, y, np.argmax(named, axis=0), names)
        shown: dict[str, object] = {"of": "proportions", "values": tuple(values)}
        return cls._made(strata, Shares(len(names)), checked, shown)

    @classmethod
    def with_mean(cls, X: Any, y: Any, column: Any, *, properties: Any) -> "SubsampledFamily":
        r"""Return a family whose property is the mean of a column in the training set.

        Parameters
        ----------
        X, y : see the class
        column : array ``(n_rows,)`` of numbers, or str
            A string names a column of a DataFrame ``X``; it need not be a column of ``X``.
        properties : tuple of float or Interval
            The means, in the units of the column.

        Returns
        -------
        SubsampledFamily

        Raises
        ------
        InvalidInputError
            If the column is not numeric, or has one value. From ``sample``: if no ``n_samples``
            rows of the table have the mean; the error says which means they can have.

        Notes
        -----
        A row with the value v is drawn with a probability that grows, or falls, with v along a
        logistic curve: for training sets that are small against the table this is exponential
        tilting, weights proportional to :math:`e^{\theta v}`. The mean is right in expectation,
        and in every draw up to ``(max - min) / n_samples`` of the column. Rows are drawn without
        replacement, so the larger a training set, the nearer its mean must be to the table's.
        """
        given, (X, y) = column_of(X, column), check_table(X, y)
        numbers = check_column(given, len(X), "column")
        if numbers.dtype.kind not in "biuf" or not np.isfinite(numbers.astype(float)).all():
            raise InvalidInputError(
                f"column has dtype {numbers.dtype}, or values that are missing; wanted numbers"
            )
        values, groups = np.unique(numbers.astype(float), return_inverse=True)
        if len(values) < 2:
            raise InvalidInputError(f"column has the value {values[0]:g} alone; wanted several")
        name = column if isinstance(column, str) else "the column"
        strata = Strata.of(X, y, groups, values)
        checked = check_numbers(properties, -np.inf, np.inf, "finite numbers")
        return cls._made(strata, Tilt(values, name), checked, {"of": f"mean of {name}"})

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
        counts = self._quota.counts(property_value, n_samples, self._strata.sizes, rng)
        X, y, groups = self._strata.draw(counts, rng)
        return (X, y, 1 - groups) if self.group_as_environment else (X, y)

    def split(
        self, fraction: float = 0.5, random_state: Any = None
    ) -> tuple["SubsampledFamily", "SubsampledFamily"]:
        """Return two families, the target's and the adversary's, that share no row.

        Parameters
        ----------
        fraction : float, default=0.5
            Share of the rows, of each group alike, that goes to the first.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        tuple of two SubsampledFamily
        """
        check_fraction(fraction)
        first, second = self._strata.split(fraction, resolve_random_state(random_state))
        return self._with(first), self._with(second)

    def _set(
        self, strata: Strata, quota: Quota, properties: Properties, shown: dict[str, object]
    ) -> None:
        self.properties = properties
        self._strata = strata
        self._quota = quota
        self._shown = shown

    @classmethod
    def _made(
        cls, strata: Strata, quota: Quota, properties: Properties, shown: dict[str, object]
    ) -> "SubsampledFamily":
        family = object.__new__(cls)
        family._set(strata, quota, properties, shown)
        family.property_is_share = False
        return family

    def _with(self, strata: Strata) -> "SubsampledFamily":
        family = object.__new__(type(self))
        family.__dict__ = {**self.__dict__, "_strata": strata}
        return family

    def _summary(self) -> dict[str, object]:
        sizes: dict[str, object] = {"n_rows": len(self._strata)}
        if self._strata.names[0] == GROUP_NAMES[0]:
            n_group, n_others = self._strata.sizes.tolist()
            sizes = {"n_group": n_group, "n_others": n_others}
        return {**self._shown, **sizes, **super()._summary()}
