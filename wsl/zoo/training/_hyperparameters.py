"""A table of hyperparameters, one row per model, as arguments of ``train_zoo``."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...architectures import Architecture
from ...exceptions import InvalidInputError
from ._model_table import COLUMNS

NAMES = (*COLUMNS, "init", "activation")


def read_table(hyperparameters: pd.DataFrame | Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a DataFrame or mappings as a DataFrame without index and missing values."""
    if not isinstance(hyperparameters, pd.DataFrame):
        rows = list(hyperparameters)
        invalid = [row for row in rows if not isinstance(row, Mapping)]
        if invalid:
            raise InvalidInputError(
                "`hyperparameters` must be a DataFrame or an iterable with one mapping from name "
                f"to value per model; got {invalid[0]!r}."
            )
        hyperparameters = pd.DataFrame(rows)
    table = hyperparameters.reset_index(drop=True)
    unknown = [str(name) for name in table.columns if name not in NAMES]
    if unknown:
        raise InvalidInputError(
            f"`hyperparameters` must have columns among {NAMES}; got {unknown}."
        )
    if table.empty:
        raise InvalidInputError("`hyperparameters` must have one row per model; got none.")
    row, column = np.nonzero(table.isna().to_numpy())
    if len(row):
        raise InvalidInputError(
            f"`hyperparameters` must hold all values; got no {table.columns[column[0]]} in row "
            f"{row[0]}."
        )
    return table


def as_columns(hyperparameters: Any) -> dict[str, Any]:
    """Return the columns by name, as arrays, those of text as lists; no columns for None."""
    if hyperparameters is None:
        return {}
    table = read_table(hyperparameters)
    text = ("init", "activation")
    return {
        str(name): list(values) if name in text else values.to_numpy()
        for name, values in table.items()
    }


def with_one_activation(architecture: Architecture, activations: list[str]) -> Architecture:
    """Return the architecture with the activation that all models share."""
    names = sorted(set(map(str, activations)))
    if len(names) > 1:
        raise InvalidInputError(
            "`activation` of `hyperparameters` must be the same for all models of a zoo; got "
            f"{names}: train_zoos trains one zoo per activation."
        )
    return architecture.with_activation(names[0])
