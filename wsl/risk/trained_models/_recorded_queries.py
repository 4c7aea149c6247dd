"""Queries of recorded responses, in the form of the rows that shadow models are trained on."""

from typing import Any

import numpy as np
import pandas as pd

from ..._frames import is_frame
from ...exceptions import InvalidInputError
from .._input_checks import check_query_rows


def match_queries(queries: Any, rows: Any, name: str) -> Any:
    """Return queries with the columns, order and types of ``rows``; raise if they cannot have them.

    Parameters
    ----------
    queries : array-like or DataFrame
    rows : ndarray or DataFrame
        Rows of the adversary's family.
    name : str
        What errors call the queries.
    """
    queries = check_query_rows(queries, name)
    if not is_frame(rows):
        return _as_array(queries, rows, name)
    if type(queries) is not type(rows):
        raise InvalidInputError(
            f"`{name}` must be a {type(rows).__module__.split('.')[0]} DataFrame with the columns "
            f"{list(rows.columns)}, as the rows of the family are; got a {type(queries).__name__}."
        )
    missing = [column for column in rows.columns if column not in queries.columns]
    unknown = [column for column in queries.columns if column not in rows.columns]
    if missing or unknown:
        raise InvalidInputError(
            f"`{name}` must have the columns of the family's rows; got no {missing} and, beyond "
            f"them, {unknown}."
        )
    queries = queries[list(rows.columns)]
    if not hasattr(queries, "astype"):  # not of pandas: its types are those that it was given
        return queries
    return queries.assign(
        **{str(c): _cast(queries[c], rows[c], c, name) for c in rows.columns}
    ).set_axis(rows.columns, axis=1)


def _as_array(queries: Any, rows: Any, name: str) -> np.ndarray:
    """Return queries as an array of numbers with the columns of ``rows``."""
    queries = check_query_rows(np.asarray(queries) if is_frame(queries) else queries, name)
    if queries.shape[1:] != np.shape(rows)[1:]:
        raise InvalidInputError(
            f"`{name}` must have {np.shape(rows)[1]} columns, as the family's rows have; got "
            f"{queries.shape[1]}."
        )
    return queries


def _cast(column: Any, like: Any, label: Any, name: str) -> Any:
    """Return a column of pandas in the type of another; raise if it cannot have that type."""
    if column.dtype == like.dtype:
        return column
    if isinstance(like.dtype, pd.CategoricalDtype):
        unknown = column[column.notna() & ~column.isin(like.dtype.categories)].unique()
        if len(unknown):
            raise InvalidInputError(
                f"`{name}` must have values in column {label!r} that the family's rows have; got "
                f"also {sorted(map(str, unknown))}."
            )
    try:
        return column.astype(like.dtype)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(
            f"`{name}` must have type {like.dtype} in column {label!r}, as the family's rows have: "
            f"{error}."
        ) from error
