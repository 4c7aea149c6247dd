"""DataFrames of any library: what is one, and checks of their columns."""

from typing import Any

import narwhals as nw
import pandas as pd

from .exceptions import InvalidInputError


def is_frame(X: Any) -> bool:
    """Return True for a DataFrame of pandas, polars or another library that narwhals knows."""
    if isinstance(X, pd.DataFrame):
        return True
    return isinstance(nw.from_native(X, pass_through=True), nw.DataFrame)


def check_column_names(X: Any, name: str) -> None:
    """Raise InvalidInputError if columns of a frame have the same name."""
    columns = list(X.columns)
    repeated = sorted({str(column) for column in columns if columns.count(column) > 1})
    if repeated:
        raise InvalidInputError(f"{name} must have unique column names; got {repeated} twice.")


def check_no_dates(X: Any, name: str) -> None:
    """Raise InvalidInputError if columns of a frame of numbers are dates or durations."""
    schema = nw.from_native(X, eager_only=True).schema
    dates = [str(column) for column, dtype in schema.items() if dtype.is_temporal()]
    if dates:
        raise InvalidInputError(f"{name} must hold real numbers; got dates in columns {dates}.")
