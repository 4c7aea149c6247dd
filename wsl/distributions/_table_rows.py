"""Rows of tables: arrays of numbers, and DataFrames that keep their columns and types."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from .._caller_warnings import warn_caller
from .._frames import check_column_names, is_frame
from .._validation import as_real_array, refuse_masked
from ..exceptions import InvalidInputError, TargetAmongFeaturesWarning


def take_rows(X: Any, indices: np.ndarray) -> Any:
    """Return rows of an array or a DataFrame by position."""
    if isinstance(X, np.ndarray):
        return X[indices]
    if isinstance(X, pd.DataFrame):
        return X.iloc[indices]
    return nw.from_native(X, eager_only=True)[np.asarray(indices)].to_native()


def concatenate_rows(parts: Sequence[Any]) -> Any:
    """Return arrays, or DataFrames of the same columns, below each other."""
    if not any(is_frame(part) for part in parts):
        return np.concatenate(parts)
    if isinstance(parts[0], pd.DataFrame):
        return pd.concat(parts)
    return nw.concat([nw.from_native(part, eager_only=True) for part in parts]).to_native()


def draw_marginals(X: Any, n_rows: int, rng: np.random.Generator) -> Any:
    """Return rows with each column drawn independently, with replacement, from its own values."""
    picks = rng.integers(len(X), size=(n_rows, X.shape[1]))
    if not is_frame(X):
        return np.take_along_axis(X, picks, axis=0)
    frame = nw.from_native(X, eager_only=True)
    columns = {name: frame[name][pick] for name, pick in zip(frame.columns, picks.T, strict=True)}
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame({name: column.to_native().array for name, column in columns.items()})
    return nw.concat(
        [column.to_frame() for column in columns.values()], how="horizontal"
    ).to_native()


def column_of(X: Any, column: Any) -> Any:
    """Return the column of a DataFrame if ``column`` is its name, otherwise ``column`` itself."""
    if not isinstance(column, str) or not is_frame(X):
        return column
    names = list(X.columns)
    if column not in names:
        raise InvalidInputError(f"the column must be one of {names}; got {column!r}.")
    return X[column]


def check_table(X: Any, y: Any, name: str = "") -> tuple[Any, np.ndarray]:
    """Return the rows of a table and their outcomes.

    A DataFrame is returned as it is; anything else as a finite float32 array
    ``(n_rows, n_features)``. ``y`` becomes an array with one entry per row, none missing.
    """
    if is_frame(X):
        rows = X
        _check_frame(X, f"{name}X")
    else:
        try:
            rows = as_real_array(X, f"{name}X")
        except InvalidInputError as error:
            raise InvalidInputError(
                f"`{name}X` must be numeric, or a DataFrame, which may contain text and gaps: "
                f"{error}"
            ) from error
    outcomes = check_column(y, len(rows), f"{name}y")
    n_missing = int(pd.isna(outcomes).sum())
    if n_missing:
        raise InvalidInputError(
            f"`{name}y` must not contain missing values; got {n_missing} of {len(outcomes)}."
        )
    _warn_of_target_among(rows, outcomes, name)
    return rows, outcomes


def _warn_of_target_among(rows: Any, outcomes: np.ndarray, name: str) -> None:
    """Warn if a column equals the outcomes, or names their classes otherwise."""
    codes, classes = pd.factorize(outcomes)
    if len(classes) < 2 or not (is_frame(rows) or rows.ndim == 2):
        return
    is_class = len(classes) <= len(codes) // 2
    columns = rows.columns if is_frame(rows) else range(rows.shape[1])
    for column in columns:
        values = np.asarray(rows[column] if is_frame(rows) else rows[:, column])
        if _says(values, codes if is_class else outcomes, is_class):
            warn_caller(
                f"Column {column!r} of `{name}X` says the outcome of every row: models only copy "
                "it. Leave it out, unless it is known where a model is used.",
                TargetAmongFeaturesWarning,
            )


def _says(values: np.ndarray, outcomes: np.ndarray, is_class: bool) -> bool:
    """Return whether values are the outcomes; or, of classes, one for one their names."""
    try:
        return np.array_equal(pd.factorize(values)[0] if is_class else values, outcomes)
    except TypeError:  # entries such as lists, which cannot be names
        return False


def _check_frame(X: Any, name: str) -> None:
    check_column_names(X, f"`{name}`")
    if not len(X) or not len(X.columns):
        raise InvalidInputError(f"`{name}` must have rows and columns; got shape {X.shape}.")


def check_column(values: Any, n_rows: int, name: str) -> np.ndarray:
    """Return one value per row as an array ``(n_rows,)``."""
    refuse_masked(values, name)
    column = plain_column(values)
    if column.shape != (n_rows,):
        raise InvalidInputError(
            f"`{name}` must have one entry for each of {n_rows} rows; got shape {column.shape}."
        )
    return column


def plain_column(values: Any, objects: bool = False) -> np.ndarray:
    """Return a column as an array; nullable numbers without gaps get numpy's own types.

    With ``objects``, so does what any other array of objects holds: text becomes numpy's own, so
    that it can be stored.
    """
    column = np.asarray(values)
    is_nullable = isinstance(getattr(values, "dtype", None), pd.api.extensions.ExtensionDtype)
    if column.dtype.kind != "O" or not (objects or is_nullable):
        return column
    if not objects and pd.isna(values).any():
        return column
    plain = np.asarray(column.tolist())
    return plain if objects or plain.dtype.kind in "biuf" else column


def known_rows(column: np.ndarray, name: str, missing: str) -> np.ndarray:
    """Return which rows have a value, ``(n_rows,)`` bool.

    Missing values are an error that counts them unless ``missing="drop"``.
    """
    if missing not in ("error", "drop"):
        raise InvalidInputError(f"`missing` must be 'error' or 'drop'; got {missing!r}.")
    known = ~np.asarray(pd.isna(column))
    if missing == "error" and not known.all():
        raise InvalidInputError(
            f"`{name}` must not contain missing values; got {int((~known).sum())} of "
            f'{len(column)}. Pass missing="drop" to leave these rows out.'
        )
    return known
