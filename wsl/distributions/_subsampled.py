"""Training sets from a real table, with a given property of their rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._group_counts import Fractions, GroupCounts, Presence, Tilt
from ._properties import Properties, check_bounds
from ._row_pool import check_fraction
from ._stratified_table import StratifiedTable
from ._subgroups import (
    GROUP_NAMES,
    check_proportions,
    group_name,
    rows_by_value,
    rows_with_column,
    stratify_by_group,
)


class SubsampledFamily(DistributionFamily):
    """Training sets drawn from a real table; the property is the fraction of a group in them.

    Other properties have their own constructors: :meth:`with_mean` of a column,
    :meth:`with_presence` of a group, :meth:`with_proportions` of several groups at once.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_rows, n_features)
        The rows. Samples of a DataFrame of pandas or polars are DataFrames with the same columns
        and types, text, categories, dates and missing values included; anything else must be
        numeric and is converted to float32.
    y : array-like of shape (n_rows,)
        The outcome of each row, without missing values.
    attribute : array-like of shape (n_rows,) or str
        Membership in the group: booleans or 0 and 1, or any values together with ``value``. A
        string names a column of a DataFrame ``X``. The attribute need not be a column of ``X``.
    value : object, default=None
        If given, the group is the rows whose attribute equals it.
    properties : tuple of float or Interval, default=(0.2, 0.5)
        The fractions, within [0, 1]: classes to distinguish, or an interval to estimate a number
        in.
    group_as_environment : bool, default=False
        Whether ``sample`` returns a third array, 1 for rows of the group and 0 for the others, so
        that causal learners treat them as two environments.
    missing : {"error", "drop"}, default="error"
        Whether rows with a missing attribute are an error or are left out of the table.

    Attributes
    ----------
    properties : tuple of float or Interval
        The values of the property.

    Raises
    ------
    InvalidInputError
        If lengths differ, an array ``X`` is not numeric or has missing values, ``y`` or the
        attribute has missing values, the attribute is neither 0 and 1 nor compared to a ``value``,
        all rows or none belong to the group, or a fraction lies outside [0, 1].

    See Also
    --------
    EnvironmentMembershipFamily : Presence of a whole environment in the training set.
    RecordMembershipFamily : Presence of a single row in the training set.
    wsl.audit : Audits a learner on the training sets of a family.

    Notes
    -----
    Every sample has ``floor(fraction * n_samples + 1/2)`` rows of the group. Rows are drawn without
    replacement within a training set. Training sets from one table overlap; :meth:`split` makes
    two families without a common row, so that the adversary's models have not seen the targets'
    data.

    Examples
    --------
    >>> from wsl.datasets import load_census_income
    >>> from wsl.distributions import SubsampledFamily
    >>> census = load_census_income(as_frame=True, encoded=False)
    >>> is_woman = census.sensitive["sex"] == "female"
    >>> family = SubsampledFamily(census.data, census.target, is_woman, properties=(0.2, 0.5))
    >>> X, y = family.sample(0.2, 300, random_state=0)
    >>> X.shape[0], int(is_woman.loc[X.index].sum())
    (300, 60)
    """

    property_is_fraction = True
    group_as_environment = False

    _table: StratifiedTable
    _counts: GroupCounts
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
        missing: str = "error",
    ):
        checked = check_bounds(properties, 0, 1, "fractions in [0, 1]")
        table = stratify_by_group(X, y, attribute, value, missing)
        self._set(table, Fractions(2), checked, {})
        if (group := group_name(attribute, value)) is not None:
            self.report_names, self.property_column = {"group": group}, attribute
        self.group_as_environment = group_as_environment

    @classmethod
    def with_presence(
        cls, X: Any, y: Any, attribute: Any, *, value: Any = None, missing: str = "error"
    ) -> "SubsampledFamily":
        """Return a family whose property is whether a group occurs in the training set.

        At property 1 the group has its fraction in the table, and at least one row; at 0 its rows
        are left out. Training sets have the same size either way.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            The rows, as in the class.
        y : array-like of shape (n_rows,)
            The outcome of each row.
        attribute : array-like of shape (n_rows,) or str
            Membership in the group, as in the class.
        value : object, default=None
            If given, the group is the rows whose attribute equals it.
        missing : {"error", "drop"}, default="error"
            Whether rows with a missing value in the column are an error or are left out.

        Returns
        -------
        SubsampledFamily
            The family; its ``properties`` are (0, 1).

        Raises
        ------
        InvalidInputError
            As the class does.
        """
        table = stratify_by_group(X, y, attribute, value, missing)
        counts = Presence(float(table.sizes[0] / len(table)))
        group = group_name(attribute, value)
        name = None if group is None else f"the presence of {group}"
        return cls._make(table, counts, (0, 1), {"of": "presence"}, name, attribute)

    @classmethod
    def with_proportions(
        cls,
        X: Any,
        y: Any,
        attribute: Any,
        *,
        values: Sequence[Any],
        properties: Any,
        missing: str = "error",
    ) -> "SubsampledFamily":
        """Return a family whose property is the fractions of several groups at once.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            The rows, as in the class.
        y : array-like of shape (n_rows,)
            The outcome of each row.
        attribute : array-like of shape (n_rows,) or str
            A column of any type; ``y`` itself for the fractions of the classes.
        values : sequence
            The values of the attribute whose fractions are the property. Rows with other values
            keep their proportions among themselves.
        properties : list of Interval, or tuple of tuples of float
            One interval per value; or, as classes to distinguish, tuples with one fraction per
            value.
        missing : {"error", "drop"}, default="error"
            Whether rows with a missing value in the column are an error or are left out.

        Returns
        -------
        SubsampledFamily
            The family.

        Raises
        ------
        InvalidInputError
            If a value does not occur, or fractions are outside [0, 1] or have an impossible sum.

        Notes
        -----
        Counts differ from ``fraction * n_samples`` by less than one in every sample.

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
        X, y, column = rows_with_column(X, y, attribute, "attribute", missing)
        masks = rows_by_value(column, values)
        names = [f"the rows with {value!r}" for value in values]
        others = ~np.logical_or.reduce(masks)
        if others.any():
            masks, names = [*masks, others], [*names, "the rows with other values"]
        checked = check_proportions(properties, len(values), complete=not others.any())
        table = StratifiedTable.of(X, y, np.argmax(masks, axis=0), names)
        shown: dict[str, object] = {"of": "proportions", "values": tuple(values)}
        listed = ", ".join(map(str, values))
        name = f"the fractions of {attribute}={listed}" if isinstance(attribute, str) else None
        return cls._make(table, Fractions(len(names)), checked, shown, name, attribute)

    @classmethod
    def with_mean(
        cls, X: Any, y: Any, column: Any, *, properties: Any, missing: str = "error"
    ) -> "SubsampledFamily":
        r"""Return a family whose property is the mean of a column in the training set.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            The rows, as in the class.
        y : array-like of shape (n_rows,)
            The outcome of each row.
        column : array-like of shape (n_rows,) or str
            A numeric column. A string names a column of a DataFrame ``X``; the column need not be
            a column of ``X``.
        properties : tuple of float or Interval
            The means, in the units of the column.
        missing : {"error", "drop"}, default="error"
            Whether rows with a missing value in the column are an error or are left out.

        Returns
        -------
        SubsampledFamily
            The family.

        Raises
        ------
        InvalidInputError
            If the column is not numeric or constant. ``sample`` raises it if no ``n_samples`` rows
            of the table have the mean, and names the possible means.

        Notes
        -----
        The probability of a row with the value v is a logistic function of v: for training sets
        that are small relative to the table this is exponential tilting, with weights proportional
        to :math:`e^{\theta v}`. The mean is right in expectation, and in every sample up to
        ``(max - min) / n_samples`` of the column. Rows are drawn without replacement, so the larger
        a training set, the nearer its mean must be to the table's.
        """
        X, y, numbers = rows_with_column(X, y, column, "column", missing)
        if numbers.dtype.kind not in "biuf" or not np.isfinite(numbers.astype(float)).all():
            raise InvalidInputError(
                f"`column` must contain finite numbers; got dtype {numbers.dtype}, or infinity."
            )
        values, groups = np.unique(numbers.astype(float), return_inverse=True)
        if len(values) < 2:
            raise InvalidInputError(
                f"`column` must have several values; got {values[0]:g} in every row."
            )
        name = column if isinstance(column, str) else "the column"
        table = StratifiedTable.of(X, y, groups, values)
        checked = check_bounds(properties, -np.inf, np.inf, "finite numbers")
        report_name = f"the mean of {name}" if isinstance(column, str) else None
        shown: dict[str, object] = {"of": f"mean of {name}"}
        return cls._make(table, Tilt(values, name), checked, shown, report_name, column)

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
            1 for rows of the group, 0 for others; only with ``group_as_environment``.

        Raises
        ------
        InvalidInputError
            If ``property_value`` is not a value of the family, or there are too few rows.
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        counts = self._counts.counts(property_value, n_samples, self._table.sizes, rng)
        X, y, groups = self._table.draw(counts, rng)
        return (X, y, 1 - groups) if self.group_as_environment else (X, y)

    def split(
        self, fraction: float = 0.5, random_state: Any = None
    ) -> tuple["SubsampledFamily", "SubsampledFamily"]:
        """Split into two families that share no row, for the targets and the adversary.

        Parameters
        ----------
        fraction : float, default=0.5
            Fraction of the rows of each group in the first family.
        random_state : int, Generator, RandomState or None, default=None
            Seed of the split.

        Returns
        -------
        first : SubsampledFamily
            The family with ``fraction`` of the rows.
        second : SubsampledFamily
            The family with the other rows.

        Raises
        ------
        InvalidInputError
            If ``fraction`` is not between 0 and 1.
        """
        check_fraction(fraction)
        first, second = self._table.split(fraction, resolve_random_state(random_state))
        return self._with(first), self._with(second)

    def _set(
        self,
        table: StratifiedTable,
        counts: GroupCounts,
        properties: Properties,
        shown: dict[str, object],
    ) -> None:
        self.properties = properties
        self._table = table
        self._counts = counts
        self._shown = shown

    @classmethod
    def _make(
        cls,
        table: StratifiedTable,
        counts: GroupCounts,
        properties: Properties,
        shown: dict[str, object],
        name: str | None,
        column: Any,
    ) -> "SubsampledFamily":
        family = object.__new__(cls)
        family._set(table, counts, properties, shown)
        family.property_is_fraction = False
        family.report_names = {} if name is None else {"property": name}
        family.property_column = column if isinstance(column, str) else ""
        return family

    def _with(self, table: StratifiedTable) -> "SubsampledFamily":
        family = object.__new__(type(self))
        family.__dict__ = {**self.__dict__, "_table": table}
        return family

    def _summary(self) -> dict[str, object]:
        sizes: dict[str, object] = {"n_rows": len(self._table)}
        if self._table.names[0] == GROUP_NAMES[0]:
            n_group, n_others = self._table.sizes.tolist()
            sizes = {"n_group": n_group, "n_others": n_others}
        return {**self._shown, **sizes, **super()._summary()}
