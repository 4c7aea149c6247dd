"""Who belongs to which group of a table's rows, and which shares groups may have.

Parameters are those of ``SubsampledFamily``; drawing the rows lives in ``_strata``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError
from ._group_counts import TOLERANCE
from ._properties import Properties, check_numbers
from ._row_pool import check_column, check_table
from ._stratified_table import Strata

GROUP_NAMES = ("the rows of the group", "the rows outside the group")


def column_of(X: Any, given: Any) -> Any:
    """Return the column of a DataFrame that a string names; anything else as it is."""
    return X[given] if isinstance(given, str) and hasattr(X, "columns") else given


def strata_of_group(X: Any, y: Any, attribute: Any, value: Any) -> Strata:
    """Return the rows of the group and those outside it; parameters as in ``SubsampledFamily``."""
    column, (X, y) = column_of(X, attribute), check_table(X, y)
    outside = ~_group(check_column(column, len(X), "attribute"), value)
    return Strata.of(X, y, outside.astype(int), GROUP_NAMES)


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


def rows_by_value(column: np.ndarray, values: Sequence[Any]) -> list[np.ndarray]:
    """Return for each value, ``(n_rows,)`` bool, which rows have it; each has to have some."""
    rows = [column == value for value in values]
    for value, found in zip(values, rows, strict=True):
        if not found.any():
            raise InvalidInputError(f"values holds {value!r}, which no row's attribute equals")
    if not rows or len(set(values)) < len(values):
        raise InvalidInputError(f"values={values!r}; wanted at least one, and each once")
    return rows


def check_proportions(properties: Any, n_values: int, complete: bool) -> Properties:
    """Return the properties, checked; ``complete`` where the values leave no other rows."""
    checked = check_numbers(properties, 0, 1, "shares in [0, 1] for each value", n_values)
    if isinstance(checked, list):
        fits = not complete and sum(interval.high for interval in checked) <= 1 + TOLERANCE
    else:
        assert isinstance(checked, tuple)
        totals = [sum(np.atleast_1d(shares)) for shares in checked]
        fits = all(total <= 1 + TOLERANCE for total in totals)
        if complete:
            fits = fits and all(total >= 1 - TOLERANCE for total in totals)
    if not fits:
        wanted = "add up to 1, since values leaves no other rows" if complete else "reach 1 at most"
        raise InvalidInputError(f"properties={properties!r}; wanted shares that together {wanted}")
    return checked
