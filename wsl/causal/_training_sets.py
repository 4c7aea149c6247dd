"""Columns given by name or index, and training sets cut down to the columns that are in use.

Rules that find columns by a graph or by a search live in ``_choice``.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from .._validation import check_sample_weight
from ..exceptions import InvalidInputError
from ..zoo import ModelZoo
from ._sample_weights import weigh_classes


def resolve_columns(wanted: Sequence[Any] | None, n_features: int, names: Any) -> tuple[int, ...]:
    """Return the indices that column names or indices stand for; all columns for None."""
    if wanted is None:
        return tuple(range(n_features))
    known = [] if names is None else list(names)
    columns = []
    for column in wanted:
        if isinstance(column, str) and column in known:
            columns.append(known.index(column))
        elif _is_index(column) and -n_features <= int(column) < n_features:
            columns.append(int(column) % n_features)
        else:
            raise InvalidInputError(
                f"causal_features holds {column!r}; wanted indices below {n_features}"
                + (f" or names among {known}" if known else "")
            )
    if not columns:
        raise InvalidInputError("causal_features is empty; wanted at least one column, or None")
    return tuple(columns)


def _is_index(column: Any) -> bool:
    return isinstance(column, Integral) and not isinstance(column, bool)


def check_sets(datasets: Any, n_models: int) -> None:
    """Raise InvalidInputError unless ``datasets`` is of a known form, and for so many models."""
    if isinstance(datasets, tuple) or callable(datasets):
        return
    if not isinstance(datasets, Sequence):
        raise InvalidInputError(
            f"datasets is a {type(datasets).__name__}; wanted a tuple (X, y[, environments[, "
            "sample_weight]]), a sequence of such, or a function from a model's index to one"
        )
    if len(datasets) != n_models:
        raise InvalidInputError(f"n_models={n_models}, but datasets holds {len(datasets)} sets")


class PreparedDatasets:
    """Training sets of many models, cut to some columns, with labels as whole numbers and weighed.

    A function from a model's index to its set, so that workers prepare only what they train on.

    Parameters
    ----------
    datasets : tuple, sequence of tuples, or callable
    n_features : int
    columns : tuple of int
        What networks take.
    classes : ndarray or None
    class_weight : dict, "balanced" or None
    used : list of tuple of int, optional
        For each model, or for all, which of the columns it uses; the others are 0 to it.
    """

    def __init__(
        self,
        datasets: Any,
        n_features: int,
        columns: tuple[int, ...],
        classes: np.ndarray | None,
        class_weight: Any = None,
        used: list[tuple[int, ...]] | None = None,
    ):
        self.datasets = datasets
        self.n_features = n_features
        self.columns = columns
        self.classes = classes
        self.class_weight = class_weight
        self.used = [columns] if used is None else used

    def __call__(self, model: int) -> tuple[Any, ...]:
        return self.prepare(self.read(model), f"datasets[{model}]", model)

    def read(self, model: int) -> tuple[Any, ...]:
        """Return a model's training set as it was given."""
        if isinstance(self.datasets, tuple):
            return self.datasets
        return self.datasets(model) if callable(self.datasets) else self.datasets[model]

    def prepare(
        self, raw: tuple[Any, ...], name: str = "datasets", model: int = 0
    ) -> tuple[Any, ...]:
        """Return ``(X, y, environments, sample_weight)``.

        Without environments, all samples are of one; without weights, which may stay None, each
        counts as its class does.
        """
        X, y = np.asarray(raw[0]), np.asarray(raw[1])
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise InvalidInputError(
                f"X of {name} has shape {X.shape}; wanted (n_samples, {self.n_features})"
            )
        X = self._without_unused(X[:, list(self.columns)], model)
        environments, weights = (*raw[2:], None, None)[:2]
        if environments is None:
            environments = np.zeros(len(y), int)
        if weights is not None:
            weights = check_sample_weight(weights, len(X), name)
        y = self.encode(y)
        return X, y, environments, weigh_classes(self.class_weight, y, self.classes, weights)

    def drop_unused(self, zoo: ModelZoo) -> ModelZoo:
        """Return the zoo with weights of 0 for what its models do not use.

        They trained on zeros there, so no function changes; and no weight is left as it was drawn.
        """
        if all(used == self.columns for used in self.used):
            return zoo
        first = zoo.architecture.slices[zoo.architecture.parameter_names[0]]
        weights = zoo.weights.copy()
        for row, model in zip(weights, zoo.metadata["model"], strict=True):
            weight = row[first].reshape(-1, len(self.columns))
            row[first] = self._without_unused(weight, model).ravel()
        return ModelZoo(weights, zoo.architecture, zoo.metadata)

    def _without_unused(self, table: np.ndarray, model: int) -> np.ndarray:
        used = self.used[model if len(self.used) > 1 else 0]
        if used == self.columns:
            return table
        kept = np.zeros_like(table)
        kept[:, list(used)] = table[:, list(used)]
        return kept

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
