"""A table of hyper-parameters, one row a model, as arguments of ``train_zoo``.

What the columns may hold is checked in ``_models``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...architectures import Architecture
from ...exceptions import InvalidInputError
from ._model_table import COLUMNS

NAMES = (*COLUMNS, "init", "activation")


def read_table(hyperparameters: pd.DataFrame | Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a DataFrame or mappings as a DataFrame, its index dropped, all its values there."""
    if not isinstance(hyperparameters, pd.DataFrame):
        rows = list(hyperparameters)
        strange = [row for row in rows if not isinstance(row, Mapping)]
        if strange:
            raise InvalidInputError(
                f"hyperparameters holds {strange[0]!r}; wanted a DataFrame, or a mapping from name "
                "to value for each model"
            )
        hyperparameters = pd.DataFrame(rows)
    table = hyperparameters.reset_index(drop=True)
    unknown = [str(name) for name in table.columns if name not in NAMES]
    if unknown:
        raise InvalidInputError(f"hyperparameters has columns {unknown}; wanted some of {NAMES}")
    if table.empty:
        raise InvalidInputError("hyperparameters is empty; wanted one row for each model")
    row, column = np.nonzero(table.isna().to_numpy())
    if len(row):
        raise InvalidInputError(
            f"hyperparameters has no {table.columns[column[0]]} for row {row[0]}; wanted all values"
        )
    return table


def as_columns(hyperparameters: Any) -> dict[str, Any]:
    """Return the columns by name, as arrays, those of text as lists; none for None."""
    if hyperparameters is None:
        return {}
    table = read_table(hyperparameters)
    text = ("init", "activation")
    return {
        str(name): list(values) if name in text else values.to_numpy()
        for name, values in table.items()
    }


def with_one_activation(architecture: Architecture, activations: list[str]) -> Architecture:
    """Return the architecture with the activation that all models are to have."""
    names = sorted(set(map(str, activations)))
    if len(names) > 1:
        raise InvalidInputError(
            f"hyperparameters has activations {names}; wanted one, as a zoo has one architecture: "
            "train_zoos gives a zoo for each"
        )
    return architecture.with_activation(names[0])
