"""The check of X and y that every ``fit``, ``predict`` and ``transform`` of an estimator does."""

from typing import Any

import numpy as np
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import validate_data

from ._frames import check_column_names, is_frame
from ._validation import as_real_array, to_array

_NO_Y = object()


def checked_data(
    estimator: Any,
    X: Any,
    y: Any = _NO_Y,
    *,
    reset: bool = True,
    dtype: Any = np.float32,
    **options: Any,
) -> Any:
    """Return X as an array of real numbers ``(n_samples, n_features)``, with y if it is passed.

    As ``validate_data`` of scikit-learn, except that masked values, dates, text and equal column
    names are refused, and that an error names the rows that are not finite.

    Parameters
    ----------
    estimator : object
        Its ``n_features_in_`` and ``feature_names_in_`` are set in ``fit`` and compared later.
    X : array-like
        The samples.
    y : array-like, optional
        Their targets.
    reset : bool
        Whether this is a ``fit``.
    dtype : dtype or None
        Of X. None keeps float32 and gives float64 for all else.
    **options
        As of ``check_array`` or ``check_X_y``.

    Raises
    ------
    InvalidInputError
        If X or y hold what is not a number.
    """
    if dtype is None:
        dtype = np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64
    has_names = is_frame(X)
    if has_names:
        check_column_names(X, "`X`")
        validate_data(estimator, X, reset=reset, skip_check_array=True)  # names and number
    rows = as_real_array(X, "X", dtype)
    options = {"dtype": dtype, "ensure_all_finite": False, "estimator": estimator, **options}
    if y is _NO_Y:
        checked = check_array(rows, input_name="X", **options)
    else:
        if y is not None:
            check_targets(y, options.get("y_numeric", False))
        checked = check_X_y(rows, y, **options)
    if not has_names:
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
    return checked


def check_targets(y: Any, numeric: bool) -> None:
    """Raise InvalidInputError if targets are masked, sparse, or no numbers where these are due."""
    targets = to_array(y, "y")
    if numeric:
        as_real_array(targets, "y", np.float64)
