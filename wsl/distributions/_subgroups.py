"""Groups of a table's rows by an attribute, and the fractions that groups may have."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError
from ._group_counts import TOLERANCE
from ._properties import Properties, check_bounds
from ._stratified_table import StratifiedTable
from ._table_rows import check_column, check_table, column_of, known_rows, take_rows

GROUP_NAMES = ("the rows of the group", "the rows outside the group")


def rows_with_column(
    X: Any, y: Any, column: Any, name: str, missing: str
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return rows, outcomes and a column, without the rows where the column is missing."""
    values, (X, y) = column_of(X, column), check_table(X, y)
    values = check_column(values, len(X), name)
    known = known_rows(values, name, missing)
    if known.all():
        return X, y, values
    kept = np.flatnonzero(known)
    return take_rows(X, kept), y[kept], np.asarray(values[kept].tolist())


def group_name(attribute: Any, value: Any) -> str | None:
    """Return what reports call the rows of a group, if the attribute is a column's name."""
    if not isinstance(attribute, str):
        return None
    return f"rows with {attribute}={1 if value is None else value}"


def stratify_by_group(X: Any, y: Any, attribute: Any, value: Any, missing: str) -> StratifiedTable:
    """Return the rows of the group, then those outside it."""
    X, y, column = rows_with_column(X, y, attribute, "attribute", missing)
    outside = ~_in_group(column, value)
    return StratifiedTable.of(X, y, outside.astype(int), GROUP_NAMES)


def _in_group(attribute: np.ndarray, value: Any) -> np.ndarray:
    if value is not None:
        group = np.asarray(attribute == value)
    else:
        if not np.isin(attribute, (0, 1)).all():
            raise InvalidInputError(
                "`attribute` must be bool or 0 and 1, or come with `value` to compare it to; got "
                f"the values {np.unique(attribute.astype(str))[:5].tolist()}."
            )
        group = attribute.astype(bool)
    n_group = int(group.sum())
    if n_group in (0, len(attribute)):
        condition = "" if value is None else f" == {value!r}"
        raise InvalidInputError(
            f"`attribute`{condition} must hold for some rows and not for others; it holds for "
            f"{n_group} of {len(attribute)} rows."
        )
    return group


def rows_by_value(column: np.ndarray, values: Sequence[Any]) -> list[np.ndarray]:
    """Return for each value the mask of its rows, ``(n_rows,)``; each value must occur."""
    masks = [np.asarray(column == value) for value in values]
    for value, mask in zip(values, masks, strict=True):
        if not mask.any():
            raise InvalidInputError(f"`values` must occur in `attribute`; {value!r} does not.")
    if not masks or len(set(values)) < len(values):
        raise InvalidInputError(f"`values` must be at least one, each once; got {values!r}.")
    return masks


def check_proportions(properties: Any, n_values: int, complete: bool) -> Properties:
    """Return checked properties; ``complete`` if every row has one of the values."""
    checked = check_bounds(properties, 0, 1, "fractions in [0, 1] for each value", n_values)
    if isinstance(checked, list):
        fits = not complete and sum(interval.high for interval in checked) <= 1 + TOLERANCE
    else:
        assert isinstance(checked, tuple)
        totals = [sum(np.atleast_1d(fractions)) for fractions in checked]
        fits = all(total <= 1 + TOLERANCE for total in totals)
        if complete:
            fits = fits and all(total >= 1 - TOLERANCE for total in totals)
    if not fits:
        total = "of 1, as every row has one of `values`" if complete else "of at most 1"
        raise InvalidInputError(
            f"`properties` must be fractions with a sum {total}; got {properties!r}."
        )
    return checked
