"""``RecordMembershipFamily``: was one record among the rows that a model was trained on?

Whole environments as members live in ``_environments``.
"""

from numbers import Integral
from typing import Any

import numpy as np

from .._random import resolve_random_state
from ..exceptions import InvalidInputError
from ._base import DistributionFamily, Sample
from ._row_pool import Pool, check_fraction, check_table, join_shuffled


class RecordMembershipFamily(DistributionFamily):
    """Training sets from a real table that hold a given record, property 1, or do not, property 0.

    Two distributions of training sets that differ in one row: dataset-level membership inference.

    Parameters
    ----------
    X : array ``(n_rows, n_features)``
    y : array ``(n_rows,)``
    record : int, default=0
        Index of the row that the adversary asks about.

    Attributes
    ----------
    record_row : ndarray ``(1, n_features)`` float32
    record_label : ndarray ``(1,)``

    Raises
    ------
    InvalidInputError
        If the lengths differ, X holds missing values, or there is no such row. From ``sample``: if
        the table has fewer than ``n_samples`` other rows.

    Notes
    -----
    Training sets are of one size: the record takes the place of a row. Rows are drawn without
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
    record_row: np.ndarray
    record_label: np.ndarray
    _pool: Pool

    def __init__(self, X: Any, y: Any, record: int = 0):
        rows, outcomes = check_table(X, y)
        if not isinstance(record, Integral) or not 0 <= record < len(rows):
            raise InvalidInputError(
                f"record={record!r}; wanted the index of one of {len(rows)} rows"
            )
        self.record = int(record)
        self.record_row, self.record_label = rows[[self.record]], outcomes[[self.record]]
        others = np.arange(len(rows)) != self.record
        self._pool = Pool(rows[others], outcomes[others], "the table without the record")

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`.

        Returns
        -------
        X : ndarray ``(n_samples, n_features)`` float32, in random order
        y : ndarray ``(n_samples,)``
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
        """Return two families, the target's and the adversary's, that share the record alone.

        Parameters
        ----------
        fraction : float, default=0.5
            Share of the other rows that goes to the first.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        tuple of two RecordMembershipFamily
        """
        check_fraction(fraction)
        first, second = self._pool.split(fraction, resolve_random_state(random_state))
        return self._with(first), self._with(second)

    def _with(self, pool: Pool) -> "RecordMembershipFamily":
        family = object.__new__(type(self))
        family.__dict__ = {**self.__dict__, "_pool": pool}
        return family

    def _summary(self) -> dict[str, object]:
        return {"record": self.record, "n_others": len(self._pool)}
