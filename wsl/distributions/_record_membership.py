"""Training sets with or without a given record of a real table."""

from numbers import Integral
from typing import Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._row_pool import RowPool, check_fraction, join_shuffled
from ._table_rows import check_table, take_rows


class RecordMembershipFamily(DistributionFamily):
    """Training sets from a real table with (property 1) or without (property 0) a given record.

    The two distributions of training sets differ in one row: dataset-level membership inference.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_rows, n_features)
        The rows. DataFrames keep their columns and types; numeric arrays become float32.
    y : array-like of shape (n_rows,)
        The outcome of each row.
    record : int, default=0
        Index of the row that the adversary asks about.

    Attributes
    ----------
    record : int
        Index of the record.
    record_row : ndarray of float32 or DataFrame of shape (1, n_features)
        The record.
    record_label : ndarray of shape (1,)
        Its outcome.

    Raises
    ------
    InvalidInputError
        If the lengths differ, an array X has missing values, or there is no such row.

    See Also
    --------
    EnvironmentMembershipFamily : Presence of a whole environment.
    SubsampledFamily : Fractions and presence of groups in a table.

    Notes
    -----
    Training sets have the same size: the record replaces a row. Rows are drawn without
    replacement.

    References
    ----------
    .. [1] Yeom, Giacomelli, Fredrikson and Jha, "Privacy risk in machine learning: analyzing the
       connection to overfitting", CSF 2018, experiment 1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from wsl.distributions import RecordMembershipFamily
    >>> X, y = load_diabetes(return_X_y=True)
    >>> family = RecordMembershipFamily(X, y, record=7)
    >>> draws = [family.sample(b, 64, random_state=0)[0] for b in (0, 1)]
    >>> [bool((rows == family.record_row).all(axis=1).any()) for rows in draws]
    [False, True]
    """

    properties = (0, 1)

    record: int
    record_row: Any
    record_label: np.ndarray
    _pool: RowPool

    def __init__(self, X: Any, y: Any, record: int = 0):
        rows, outcomes = check_table(X, y)
        if not isinstance(record, Integral) or not 0 <= record < len(rows):
            raise InvalidInputError(
                f"`record` must be the index of one of {len(rows)} rows; got {record!r}."
            )
        self.record = int(record)
        index = np.array([self.record])
        self.record_row, self.record_label = take_rows(rows, index), outcomes[index]
        others = np.flatnonzero(np.arange(len(rows)) != self.record)
        self._pool = RowPool(
            take_rows(rows, others), outcomes[others], "the table without the record"
        )

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

        Raises
        ------
        InvalidInputError
            If ``property_value`` is not a value of the family, or the table has too few other rows.
        """
        self._check(property_value, n_samples)
        rng = resolve_random_state(random_state)
        X, y = self._pool(n_samples - property_value, rng)
        parts = [(X, y), (self.record_row, self.record_label)] if property_value else [(X, y)]
        X, y = join_shuffled(parts, rng)
        return X, y

    def split(
        self, fraction: float = 0.5, random_state: Any = None
    ) -> tuple["RecordMembershipFamily", "RecordMembershipFamily"]:
        """Split into two families that share only the record, for the targets and the adversary.

        Parameters
        ----------
        fraction : float, default=0.5
            Fraction of the other rows in the first family.
        random_state : int, Generator, RandomState or None, default=None
            Seed of the split.

        Returns
        -------
        first : RecordMembershipFamily
            The family with ``fraction`` of the rows.
        second : RecordMembershipFamily
            The family with the other rows.

        Raises
        ------
        InvalidInputError
            If ``fraction`` is not between 0 and 1.
        """
        check_fraction(fraction)
        first, second = self._pool.split(fraction, resolve_random_state(random_state))
        return self._with(first), self._with(second)

    def _with(self, pool: RowPool) -> "RecordMembershipFamily":
        family = object.__new__(type(self))
        family.__dict__ = {**self.__dict__, "_pool": pool}
        return family

    def _summary(self) -> dict[str, object]:
        return {"record": self.record, "n_others": len(self._pool)}
