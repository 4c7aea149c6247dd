"""Rows of a table as numbers, for estimators of the audit itself; learners get rows as they are."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ..._frames import is_frame

MAX_CATEGORIES = 20


@dataclass(frozen=True)
class NumericEncoder:
    """From rows to numbers: gaps get an indicator, dates days, other columns frequent categories.

    Attributes
    ----------
    categories : dict from str to tuple
        The indicators of each column that is neither numeric nor a date.
    """

    categories: dict[str, tuple[Any, ...]]

    def __call__(self, X: Any) -> np.ndarray:
        """Return ``(n_rows, n_columns)`` float64."""
        if not is_frame(X):
            return np.asarray(X, dtype=float)
        return np.hstack([self._encode(str(name), X[name]) for name in X.columns])

    def _encode(self, name: str, column: Any) -> np.ndarray:
        values = pd.Series(np.asarray(column)) if not isinstance(column, pd.Series) else column
        if name in self.categories:
            text = values.astype(str).to_numpy()
            return (text[:, None] == np.array(self.categories[name])).astype(float)
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            days = (values - pd.Timestamp(0, tz=getattr(values.dt, "tz", None))).dt.total_seconds()
            values = days / 86_400
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        missing = np.isnan(numbers)
        return np.column_stack([np.where(missing, 0.0, numbers), missing.astype(float)])


def numeric_encoder(X: Any) -> NumericEncoder:
    """Return the encoder of tables like ``X``, with the categories that are frequent there."""
    if not is_frame(X):
        return NumericEncoder({})
    categories = {}
    for name, dtype in nw.from_native(X, eager_only=True).schema.items():
        if not (dtype.is_numeric() or dtype == nw.Boolean or dtype == nw.Datetime):
            text = pd.Series(np.asarray(X[name])).astype(str)
            categories[name] = tuple(text.value_counts().index[:MAX_CATEGORIES])
    return NumericEncoder(categories)


def on_numbers(model: Any, X: Any) -> Any:
    """Return the model behind the encoder of tables like ``X``, or itself for an array."""
    if not is_frame(X):
        return model
    encoder = FunctionTransformer(numeric_encoder(X)).set_output(transform="default")
    return make_pipeline(encoder, model)
