"""Which columns of a table a causal learner may use, and the training sets cut down to them.

Searching for such columns is for the estimators' later options; here they are given by the user.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError


def resolve_columns(wanted: Sequence[Any] | None, n_features: int, names: Any) -> tuple[int, ...]:
    """Return the indices that column names or indices stand for; all columns for None."""
    if wanted is None:
        return tuple(range(n_features))
    known = [] if names is None else list(names)
    columns = []
    for column in wanted:
        if isinstance(column, str) and column in known:
            columns.append(known.index(column))
        elif isinstance(column, Integral) and -n_features <= int(column) < n_features:
            columns.append(int(column) % n_features)
        else:
            raise InvalidInputError(
                f"causal_features holds {column!r}; wanted indices below {n_features}"
                + (f" or names among {known}" if known else "")
            )
    if not columns:
        raise InvalidInputError("causal_features is empty; wanted at least one column, or None")
    return tuple(columns)


class PreparedDatasets:
    """Training sets of many models, cut to some columns and with labels as whole numbers.

    A function from a model's index to its set, so that workers prepare only what they train on.
    """

    def __init__(self, datasets: Any, columns: tuple[int, ...], classes: np.ndarray | None):
        self.datasets = datasets
        self.columns = columns
        self.classes = classes

    def __call__(self, model: int) -> tuple[Any, ...]:
        raw = self.datasets(model) if callable(self.datasets) else self.datasets[model]
        return self.prepare(raw)

    def prepare(self, raw: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return ``(X, y, environments)``; without environments, all samples are of one."""
        X, y = np.asarray(raw[0])[:, list(self.columns)], np.asarray(raw[1])
        environments = raw[2] if len(raw) > 2 and raw[2] is not None else np.zeros(len(y), int)
        return X, self.encode(y), environments

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return labels as indices into ``classes``, numbers as float32."""
        if self.classes is None:
            return y.astype(np.float32)
        codes = np.searchsorted(self.classes, y).clip(max=len(self.classes) - 1)
        unknown = self.classes[codes] != y
        if unknown.any():
            raise InvalidInputError(
                f"y holds {y[unknown][0]!r}; wanted one of {self.classes.tolist()}, the classes of "
                "the first training set"
            )
        return codes
