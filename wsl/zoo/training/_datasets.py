"""Training and test sets of a zoo: one for all models, or one per model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch
from torch import Tensor

from ..._validation import check_environments, check_length, check_sample_weight, to_array
from ...architectures import Architecture
from ...exceptions import InvalidInputError

Dataset = tuple[Any, ...]  # (X, y), (X, y, environments) or (X, y, environments, sample_weight)
Form = Dataset | Mapping[str, Any]

# joblib's Dask backend sends large data to a worker ahead of the tasks. If that worker dies, the
# data is lost and Dask cannot run the tasks again. Data below this size is sent with each task.
SCATTER_BYTES = 2**20
PARTS = ("X", "y", "environments", "sample_weight")


class Datasets:
    """The dataset of each model, for every form that ``train_zoo`` accepts.

    Parameters
    ----------
    source : tuple, dict, sequence of these or callable
        One ``(X, y[, environments[, sample_weight]])`` for all models, a sequence with one per
        model, or a function from the index of a model to its tuple. A dict has these keys.
    architecture : Architecture
        X must hold inputs of it. Without ``input_shape``, the first dataset determines it.
    name : str
        The parameter that is named in error messages.
    """

    def __init__(
        self,
        source: Form | Sequence[Form] | Callable[[int], Form],
        architecture: Architecture,
        name: str = "datasets",
    ):
        self._name = name
        self.architecture = architecture
        self.shared = isinstance(source, (tuple, Mapping))
        self.n_models = len(source) if isinstance(source, Sequence) and not self.shared else None
        is_sequence = hasattr(source, "__getitem__") and not isinstance(source, Mapping)
        if not self.shared and not callable(source) and not is_sequence:
            raise InvalidInputError(
                f"`{name}` must be a tuple (X, y[, environments[, sample_weight]]), a sequence of "
                f"such tuples or a function from a model's index to one; got a "
                f"{type(source).__name__}."
            )
        if self.n_models == 0:
            raise InvalidInputError(f"`{name}` must hold one dataset per model; got none.")
        self._source: Any = source
        if architecture.input_shape is None:  # which the first dataset determines
            X = _checked_form(source if self.shared else self._dataset(0), name)[0]
            self.architecture = architecture.for_inputs(X, f"X of `{name}`")
        if self.shared:
            self._source = _checked(source, name, self.architecture)

    def __getitem__(self, model: int) -> Dataset:
        if self.shared:
            return self._source
        return _checked(self._dataset(model), f"{self._name}[{model}]", self.architecture)

    def _dataset(self, model: int) -> Any:
        return self._source(model) if callable(self._source) else self._source[model]

    def of(self, models: Sequence[int]) -> list[Dataset]:
        """Return the datasets of some models; a single one if all models share it."""
        return [self._source] if self.shared else [self[model] for model in models]

    def part(self, models: Sequence[int]) -> "Datasets":
        """Return the datasets that a worker needs for these models, not the whole list."""
        if not isinstance(self._source, list):
            return self
        part = object.__new__(Datasets)
        part.__dict__.update(self.__dict__, _source={m: self._source[m] for m in models})
        return part

    def digest(self, models: Sequence[int]) -> list[str]:
        """Return hashes of the datasets; for a function, its name and hashes of two datasets."""
        if not callable(self._source):
            return [_hash(dataset) for dataset in self.of(models)]
        ends = [_hash(self[model]) for model in sorted({models[0], models[-1]})]
        return [function_name(self._source), *ends]

    @cached_property
    def _n_bytes(self) -> int:
        if self.shared:
            sets = [self._source]
        elif isinstance(self._source, Mapping):
            sets = list(self._source.values())
        else:  # the size of a function or another object shows only when it is pickled
            import cloudpickle  # comes with Dask, whose backend alone asks

            return len(cloudpickle.dumps(self._source))
        arrays = [values for dataset in sets for values in dataset if values is not None]
        return sum(np.asarray(values).nbytes for values in arrays)

    def __sizeof__(self) -> int:
        """Return the bytes of the data if they are many, as joblib's Dask backend asks for."""
        return self._n_bytes if self._n_bytes >= SCATTER_BYTES else 0


def function_name(function: Callable[..., Any]) -> str:
    """Return the module and name of a function, or those of the class of another callable."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def _hash(dataset: Dataset) -> str:
    return "-".join(joblib.hash(None if v is None else np.asarray(v)) for v in dataset)


def _checked_form(dataset: Any, name: str) -> Dataset:
    if isinstance(dataset, Mapping):
        dataset = _from_mapping(dataset, name)
    if not isinstance(dataset, tuple) or len(dataset) not in (2, 3, 4):
        raise InvalidInputError(
            f"`{name}` must be a tuple (X, y), (X, y, environments) or (X, y, environments, "
            f"sample_weight); got a {type(dataset).__name__}."
        )
    return dataset


def _from_mapping(dataset: Mapping[str, Any], name: str) -> Dataset:
    """Return the tuple that a dict of its parts stands for."""
    if not {"X", "y"} <= set(dataset) <= set(PARTS):
        bunch = " Pass (bunch.data, bunch.target)." if {"data", "target"} <= set(dataset) else ""
        raise InvalidInputError(
            f"`{name}` must have the keys 'X' and 'y', and may have 'environments' and "
            f"'sample_weight'; got {sorted(map(str, dataset))}.{bunch}"
        )
    return tuple(dataset.get(part) for part in PARTS)


def _checked(dataset: Any, name: str, architecture: Architecture) -> Dataset:
    """Return ``(X, y, environments, sample_weight)`` as arrays, the last two possibly None."""
    dataset = _checked_form(dataset, name)
    X = architecture.check_inputs(dataset[0], f"X of `{name}`")
    y = to_array(dataset[1], f"y of `{name}`")
    if not len(X):
        raise InvalidInputError(f"X of `{name}` must have at least one sample; got none.")
    if not y.ndim:
        raise InvalidInputError(f"y of `{name}` must have an entry per sample; got one value.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise InvalidInputError(f"y of `{name}` must be finite; got NaN or infinity.")
    check_length(y, len(X), f"y of `{name}`", "X")
    environments, weights = (*dataset[2:], None, None)[:2]
    if environments is not None:
        environments = check_environments(environments, len(X), name)
    if weights is not None:
        weights = check_sample_weight(weights, len(X), name)
    return X, y, environments, weights


class Split(NamedTuple):
    """The samples of a dataset for training, and those held out for early stopping."""

    train: Dataset
    validation: Dataset


def by_size(sets: Sequence[Any], n_models: int) -> Iterator[tuple[np.ndarray, list[Any]]]:
    """Yield the indices of models whose sets are of one size, and these sets.

    ``sets`` holds one set per model, or one for all, which makes a single group. A set is a
    dataset or a ``Split``, whose size is that of its two parts.
    """
    if len(sets) == 1:
        yield np.arange(n_models), list(sets)
        return
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, data in enumerate(sets):
        groups.setdefault(_size(data), []).append(index)
    for _, indices in sorted(groups.items()):
        yield np.array(indices), [sets[index] for index in indices]


def _size(data: Any) -> tuple[int, ...]:
    if isinstance(data, Split):
        return len(data.train[0]), len(data.validation[0])
    return (len(data[0]),)


def encode_environments(environments: np.ndarray) -> Tensor:
    """Return labels of any kind as whole numbers from 0, ``(n_samples,)`` int64."""
    return torch.from_numpy(np.unique(environments, return_inverse=True)[1].astype(np.int64))
