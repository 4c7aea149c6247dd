"""``RecordedResponses``: what a trained model responded to queries, in place of the model."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..._frames import is_frame
from ...distributions._table_rows import plain_column
from ...exceptions import InvalidInputError
from .._input_checks import check_query_rows


@dataclass(frozen=True, eq=False, repr=False)
class RecordedResponses:
    """Queries and what a trained model responded to them, in place of the model itself.

    :func:`wsl.audit_model` takes it where the model cannot be loaded, or only its responses are
    known.

    Parameters
    ----------
    queries : array-like or DataFrame of shape (n_queries, n_features)
        What the model was queried with: rows with the columns of the model's training data.
    responses : array-like, Series or DataFrame of shape (n_queries,) or (n_queries, n_outputs)
        What the model responded to each query. Of a classifier: predicted labels, such as "yes"
        and "no"; or one probability per class, in a DataFrame whose columns are the classes, or in
        an array with classes in sorted order; or, of two classes, the probability of the second.
        Of a regressor: its predictions.

    Attributes
    ----------
    values : ndarray of shape (n_queries,) or (n_queries, n_outputs)
        The responses as an array.
    columns : tuple or None
        The names of the columns of ``responses``, if it is a DataFrame of several.

    Raises
    ------
    InvalidInputError
        If there is not one response per query, or if responses are missing or not finite.

    See Also
    --------
    wsl.audit_model : Infers a property from the responses.
    Adversary : Chooses the queries where the model itself can be queried.

    Examples
    --------
    >>> from wsl.risk import RecordedResponses
    >>> RecordedResponses([[0.5, 1.0], [2.0, 0.0], [1.0, 1.0]], ["yes", "no", "yes"])
    RecordedResponses(3 queries, labels or numbers such as 'yes')
    """

    queries: Any
    responses: Any

    def __post_init__(self) -> None:
        n_queries, values = len(check_query_rows(self.queries, "queries")), self.values
        if values.ndim not in (1, 2) or len(values) != n_queries:
            raise InvalidInputError(
                f"`responses` must have one row for each of {n_queries} queries; got shape "
                f"{values.shape}."
            )
        n_missing = int(pd.isna(values).sum())
        if n_missing:
            raise InvalidInputError(
                f"`responses` must not contain missing values; got {n_missing} of {values.size}."
            )
        if values.ndim == 2 and values.dtype.kind not in "biuf":
            raise InvalidInputError(
                "`responses` with several columns must be numbers, such as one probability per "
                f"class; got {values[0].tolist()!r} as the first row."
            )
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InvalidInputError("`responses` must be finite; got infinite values.")

    @property
    def values(self) -> np.ndarray:
        """The responses as an array."""
        if is_frame(self.responses):
            values = np.asarray(self.responses)
        else:
            values = plain_column(self.responses)
        if values.dtype.kind == "O":
            values = np.asarray(values.tolist())
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values

    @property
    def columns(self) -> tuple | None:
        """The names of the columns, if there are several and they have names."""
        if not is_frame(self.responses) or self.values.ndim == 1:
            return None
        return tuple(self.responses.columns)

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike,
        response_columns: str | Sequence[str] | Mapping[str, Any],
        **options: Any,
    ) -> "RecordedResponses":
        """Read queries and responses from a CSV file with one row per query.

        Parameters
        ----------
        path : path-like
            The file. Its other columns are the queries.
        response_columns : str, sequence of str, or dict from str to class
            The column of labels, of predictions or of the probability of the second class; or the
            columns of probabilities, which have the names of the classes unless a dict says which
            class each belongs to.
        **options : dict
            Further arguments of :func:`pandas.read_csv`.

        Returns
        -------
        RecordedResponses
            Queries and responses.

        Raises
        ------
        InvalidInputError
            If the file lacks a column, or its responses are not valid.
        """
        table = pd.read_csv(path, **options)
        names = [response_columns] if isinstance(response_columns, str) else list(response_columns)
        missing = [name for name in names if name not in table]
        if missing or not names:
            raise InvalidInputError(
                f"`response_columns` must be columns of the file, {list(table.columns)}; got "
                f"{missing or names}."
            )
        responses: Any = table[names]
        if isinstance(response_columns, Mapping):
            responses = responses.set_axis(list(response_columns.values()), axis=1)
        return cls(table.drop(columns=names), responses)

    def __repr__(self) -> str:
        values = self.values
        kind = "labels or numbers" if values.ndim == 1 else f"{values.shape[1]} outputs"
        return f"RecordedResponses({len(values)} queries, {kind} such as {values[0].tolist()!r})"
