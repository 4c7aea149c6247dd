"""Checks of inputs that subpackages share; their errors name the parameter and its value."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import torch

from ._frames import check_column_names, check_no_dates, is_frame
from .exceptions import InvalidInputError

N_NAMED = 20  # rows that an error names


def as_real_array(values, name: str, dtype=np.float32) -> np.ndarray:
    """Return an array, tensor, frame, zoo or list of real numbers as a finite array.

    An array that is one of ``dtype`` already is not copied.

    Raises
    ------
    InvalidInputError
        For text, dates, complex numbers, masked or sparse arrays, missing values, infinity, and
        numbers beyond the range of ``dtype``; ``name`` is named.
    """
    array = to_array(values, name)
    if array.dtype.kind == "O":
        array = _from_objects(array, name)
    if array.dtype.kind == "c":
        raise InvalidInputError(
            f"Complex data not supported: {quoted(name)} must hold real numbers; got {array.dtype}."
        )
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(f"{quoted(name)} must hold real numbers; got {array.dtype}.")
    with np.errstate(over="ignore"):
        converted = array.astype(dtype, copy=False)
    if converted.size and not np.isfinite(converted.sum(dtype=np.float64)):
        _refuse_not_finite(array, converted, name)
    return converted


def to_array(values: Any, name: str) -> np.ndarray:
    """Return an array, tensor, frame or list as an array of the type that it has.

    Raises InvalidInputError for masked values, sparse arrays, rows of several lengths, and frames
    with dates or with equal column names.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().to_dense()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if isinstance(values, np.ma.MaskedArray):
        refuse_masked(values, name)
        return np.asarray(values.data)
    if hasattr(values, "toarray"):
        raise InvalidInputError(
            f"{quoted(name)} must be dense; got a sparse {type(values).__name__}: pass "
            f"{name.split()[0]}.toarray()."
        )
    if is_frame(values):
        check_column_names(values, quoted(name))
        check_no_dates(values, quoted(name))
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:  # rows of several lengths, columns of several types
        raise InvalidInputError(f"{quoted(name)} must be an array: {error}") from error


def refuse_masked(values: Any, name: str) -> None:
    """Raise InvalidInputError for a masked array with masked values, which numpy would unmask."""
    if np.ma.is_masked(values):
        raise InvalidInputError(
            f"{quoted(name)} must have no missing values; got a masked array: fill it first."
        )


def _from_objects(array: np.ndarray, name: str) -> np.ndarray:
    """Return an array of objects as float64 if all are real numbers or missing."""
    for value in array.flat:
        if not isinstance(value, (Real, np.bool_)) and not _is_missing(value):
            raise _NotNumbersError(
                f"{quoted(name)} must hold real numbers; got {value!r} of type "
                f"{type(value).__name__}: the argument must be no string, but a number."
            )
    return np.where(pd.isna(array), np.nan, array).astype(np.float64)


class _NotNumbersError(InvalidInputError, TypeError):
    """Also a TypeError, which scikit-learn's checks of estimators expect."""


def _is_missing(value: Any) -> bool:
    return np.ndim(value) == 0 and bool(pd.isna(value))


def _refuse_not_finite(array: np.ndarray, converted: np.ndarray, name: str) -> None:
    """Raise InvalidInputError where values are not finite; their sum may overflow as well."""
    if np.isfinite(converted).all():
        return
    if np.isfinite(array).all():
        largest = np.abs(array).max()
        raise InvalidInputError(
            f"{quoted(name)} must hold numbers that {converted.dtype} can represent; got {largest}."
        )
    got = "NaN" if np.isnan(array).any() else "infinity"
    invalid = np.flatnonzero(~np.isfinite(converted).reshape(len(converted), -1).all(axis=1))
    rows = f"{invalid[:N_NAMED].tolist()}{' and more' if len(invalid) > N_NAMED else ''}"
    raise InvalidInputError(f"{quoted(name)} must be finite; got {got} in rows {rows}.")


def check_rows(weights, n_weights: int | None = None, name: str = "weights") -> np.ndarray:
    """Return ``weights`` as a finite float32 array ``(n_models, n_weights)``.

    Raises InvalidInputError if it is not 2-D, empty, not finite, or has another number of columns.
    """
    rows = np.ascontiguousarray(as_real_array(weights, name))
    if rows.ndim != 2 or not rows.size:
        raise InvalidInputError(
            f"{quoted(name)} must have shape (n_models, n_weights), one row per model; got "
            f"{rows.shape}."
        )
    check_n_columns(rows, n_weights, name)
    return rows


def check_n_columns(rows, n_weights: int | None, name: str = "weights") -> None:
    """Raise InvalidInputError unless ``rows`` has ``n_weights`` columns."""
    if n_weights is not None and rows.shape[1] != n_weights:
        raise InvalidInputError(
            f"{quoted(name)} must have {n_weights} columns, as the architecture has {n_weights} "
            f"weights; got {rows.shape[1]}."
        )


def check_length(values, n_expected: int, name: str, of: str) -> None:
    """Raise InvalidInputError unless ``values`` has ``n_expected`` entries."""
    if len(values) != n_expected:
        raise InvalidInputError(
            f"{quoted(name)} must have {n_expected} entries, as {of} has; got {len(values)}."
        )


def quoted(name: str) -> str:
    """Return the name of a parameter in backticks; a name of several words stays as it is."""
    return name if " " in name or "`" in name else f"`{name}`"


def check_class_indices(y, n_samples: int, n_classes: int, name: str = "y") -> np.ndarray:
    """Return the class index of each sample, ``(n_samples,)`` int64, from 0 to ``n_classes - 1``.

    A column ``(n_samples, 1)`` is taken too; other labels, such as text or counts from 1, are not.
    """
    labels = to_array(y, name)
    if labels.shape == (n_samples, 1):
        labels = labels[:, 0]
    if labels.shape != (n_samples,):
        raise InvalidInputError(
            f"{quoted(name)} must have shape ({n_samples},), one class index per sample; got "
            f"{labels.shape}."
        )
    valid = np.isin(labels, np.arange(n_classes))
    if not valid.all():
        raise InvalidInputError(
            f"{quoted(name)} must hold class indices from 0 to {n_classes - 1}; got "
            f"{labels[~valid].tolist()[0]!r}."
        )
    return labels.astype(np.int64)


def check_environments(labels, n_samples: int, of: str = "") -> np.ndarray:
    """Return the environment of each sample, ``(n_samples,)``; ``of`` names the dataset."""
    name = f"environments of `{of}`" if of else "`environments`"
    labels = to_array(labels, name)
    if labels.ndim != 1:
        raise InvalidInputError(f"{name} must have shape ({n_samples},); got {labels.shape}.")
    check_length(labels, n_samples, name, "X")
    if pd.isna(labels).any():
        raise InvalidInputError(f"{name} must hold a label per sample; got missing values.")
    return labels if is_sortable(labels) else pd.factorize(labels)[0]


def is_sortable(labels: np.ndarray) -> bool:
    """Return False for labels that numpy cannot sort: tuples, and types that do not compare."""
    if labels.dtype != object:
        return True
    kinds = set(map(type, labels))
    return len(kinds) == 1 and tuple not in kinds


def check_sample_weight(weights, n_samples: int, of: str = "") -> np.ndarray:
    """Return the weight of each sample, ``(n_samples,)``; ``of`` names the dataset."""
    name = f"sample_weight of `{of}`" if of else "`sample_weight`"
    weights = to_array(weights, name)
    if weights.shape != (n_samples,):
        raise InvalidInputError(
            f"{name} must have shape ({n_samples},), one weight per sample; got {weights.shape}."
        )
    if weights.dtype.kind == "O":
        weights = _from_objects(weights, name)
    if weights.dtype.kind not in "biuf":
        raise InvalidInputError(f"{name} must hold numbers; got values of type {weights.dtype}.")
    valid = np.isfinite(weights) & (weights >= 0)
    if not valid.all():
        raise InvalidInputError(
            f"{name} must hold finite numbers of at least 0; got {weights[~valid][0]}."
        )
    if not weights.any():
        raise InvalidInputError(f"{name} must be above 0 for some sample; it is zero for all.")
    return weights


def per_model(
    values, n_models: int, name: str, *, kind: str, valid: Callable, dtype=np.float32
) -> np.ndarray:
    """Return ``values``, one for all models or one per model, as an array ``(n_models,)``.

    ``valid`` maps them to booleans, and ``kind`` says in words which values are valid.
    """
    values = np.asarray(values)
    if values.ndim > 0 and values.shape != (n_models,):
        raise InvalidInputError(
            f"{quoted(name)} must be one number or have shape ({n_models},), one number per "
            f"model; got shape {values.shape}."
        )
    if values.dtype.kind not in "biuf" or not np.all(valid(values)):
        invalid = values if values.dtype.kind not in "biuf" else values[~valid(values)]
        raise InvalidInputError(f"{quoted(name)} must hold {kind}; got {invalid.flat[0]}.")
    return np.broadcast_to(values, n_models).astype(dtype)


def check_hidden_layer_sizes(sizes, n_min: int = 0) -> tuple[int, ...]:
    """Return the widths of hidden layers as a tuple; a single int is one layer, as in MLPs."""
    widths = (sizes,) if np.ndim(sizes) == 0 else tuple(sizes)
    fits = all(isinstance(width, Integral) and int(width) > 0 for width in widths)
    if not fits or len(widths) < n_min:
        raise InvalidInputError(
            "`hidden_layer_sizes` must be an int or a sequence of ints of at least 1, one per "
            f"hidden layer (at least {n_min}); got {sizes!r}."
        )
    return tuple(int(width) for width in widths)


def owned_tensor(array, dtype=torch.float32) -> torch.Tensor:
    """Return a tensor with its own memory, as torch warns of read-only memory maps."""
    return torch.tensor(np.asarray(array), dtype=dtype)


def finite_tensor(rows: np.ndarray) -> torch.Tensor:
    """Return finite rows as a float32 tensor, which shares their memory where possible.

    Raises InvalidInputError as ``check_rows`` does, and takes far less time for a few rows.
    """
    if rows.dtype == np.float32 and rows.flags.writeable and rows.flags.c_contiguous:
        tensor = torch.from_numpy(rows)
    else:
        tensor = owned_tensor(rows)
    if not tensor.sum().isfinite():
        check_rows(rows)
    return tensor
