"""Training sets restricted to the columns in use, with labels encoded and classes weighted."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from .._validation import check_sample_weight
from ..exceptions import InvalidInputError
from ..zoo import ModelZoo
from ._sample_weights import weigh_classes


def resolve_columns(
    selection: Sequence[Any] | None, n_features: int, names: Any
) -> tuple[int, ...]:
    """Return the indices of columns given by name, index or mask; of all columns for None."""
    if selection is None:
        return tuple(range(n_features))
    known = [] if names is None else list(names)
    mask = np.asarray(selection)
    if mask.dtype == bool and mask.shape == (n_features,):
        selection = np.flatnonzero(mask).tolist()
    columns = []
    for column in selection:
        if isinstance(column, str) and column in known:
            columns.append(known.index(column))
        elif _is_index(column) and -n_features <= int(column) < n_features:
            columns.append(int(column) % n_features)
        else:
            raise InvalidInputError(
                f"`causal_features` must contain indices below {n_features}"
                + (f" or names among {known}" if known else "")
                + f"; got {column!r}."
            )
    if not columns:
        raise InvalidInputError(
            "`causal_features` must contain at least one column, or be None for all; got none."
        )
    return tuple(columns)


def _is_index(column: Any) -> bool:
    return isinstance(column, Integral) and not isinstance(column, bool)


def check_sets(datasets: Any, n_models: int) -> None:
    """Raise InvalidInputError unless ``datasets`` has a known form and fits ``n_models``."""
    if isinstance(datasets, tuple) or callable(datasets):
        return
    if not isinstance(datasets, Sequence):
        raise InvalidInputError(
            "`datasets` must be a tuple (X, y[, environments[, sample_weight]]), a sequence of "
            "such tuples, or a function from a model's index to one; got a "
            f"{type(datasets).__name__}."
        )
    if len(datasets) != n_models:
        raise InvalidInputError(
            f"`datasets` must contain one set per model, {n_models}; got {len(datasets)}."
        )


class PreparedDatasets:
    """Training sets of many models, as a function from a model's index to its prepared set.

    Workers thus prepare only the sets of the models that they train.

    Parameters
    ----------
    datasets : tuple, sequence of tuples, or callable
        Training sets as ``fit_zoo`` takes them.
    n_features : int
        Number of columns of X.
    columns : tuple of int
        Columns that are inputs of the networks.
    classes : ndarray or None
        Labels, or None for a regression.
    class_weight : dict, "balanced" or None
        Weights of the classes.
    used : list of tuple of int, default=None
        Columns that each model uses, in one entry per model or one for all; the others are set to
        0. If None, all ``columns``.
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
        """Return the raw training set of a model."""
        if isinstance(self.datasets, tuple):
            return self.datasets
        return self.datasets(model) if callable(self.datasets) else self.datasets[model]

    def prepare(
        self, raw: tuple[Any, ...], name: str = "datasets", model: int = 0
    ) -> tuple[Any, ...]:
        """Return ``(X, y, environments, sample_weight)``.

        By default all samples belong to one environment, and have the weight of their class or
        None.
        """
        X, y = np.asarray(raw[0]), np.asarray(raw[1])
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise InvalidInputError(
                f"X of `{name}` must have shape (n_samples, {self.n_features}); got {X.shape}."
            )
        X = self._zero_unused(X[:, list(self.columns)], model)
        environments, weights = (*raw[2:], None, None)[:2]
        if environments is None:
            environments = np.zeros(len(y), int)
        if weights is not None:
            weights = check_sample_weight(weights, len(X), name)
        y = self.encode(y)
        return X, y, environments, weigh_classes(self.class_weight, y, self.classes, weights)

    def drop_unused(self, zoo: ModelZoo) -> ModelZoo:
        """Return the zoo with zero weights of the columns that its models do not use.

        These columns were 0 in training, so their weights kept random initial values.
        """
        if all(used == self.columns for used in self.used):
            return zoo
        first = zoo.architecture.slices[zoo.architecture.parameter_names[0]]
        weights = zoo.weights.copy()
        for row, model in zip(weights, zoo.metadata["model"], strict=True):
            weight = row[first].reshape(-1, len(self.columns))
            row[first] = self._zero_unused(weight, model).ravel()
        return ModelZoo(weights, zoo.architecture, zoo.metadata)

    def _zero_unused(self, table: np.ndarray, model: int) -> np.ndarray:
        used = self.used[model if len(self.used) > 1 else 0]
        if used == self.columns:
            return table
        masked = np.zeros_like(table)
        masked[:, list(used)] = table[:, list(used)]
        return masked

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return labels as indices into ``classes``, continuous targets as float32."""
        if self.classes is None:
            return y.astype(np.float32)
        codes = np.searchsorted(self.classes, y).clip(max=len(self.classes) - 1)
        unknown = self.classes[codes] != y
        if unknown.any():
            raise InvalidInputError(
                f"y must contain classes of the first training set, {self.classes.tolist()}; got "
                f"{y[unknown][0]!r}."
            )
        return codes
