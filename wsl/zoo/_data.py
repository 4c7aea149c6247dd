"""Training sets of a zoo: one for all models, or one for each.

Nothing here draws data; families of distributions do.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._validation import check_environments, check_length
from ..architectures import Architecture
from ..exceptions import InvalidInputError

Dataset = tuple[Any, ...]  # (X, y) or (X, y, environments)


class Datasets:
    """The training set of each model, whichever of the accepted forms it came in.

    Parameters
    ----------
    source : tuple, sequence of tuples or callable
        One ``(X, y)`` or ``(X, y, environments)`` for all models, one for each in a sequence, or a
        function from the index of a model to its tuple.
    architecture : Architecture
        What the samples are for: X must have the number of features that it takes.
    """

    def __init__(
        self,
        source: Dataset | Sequence[Dataset] | Callable[[int], Dataset],
        architecture: Architecture,
    ):
        self._source = source
        self._n_features = architecture.n_inputs
        self.shared = isinstance(source, tuple)
        if not self.shared and not callable(source) and not hasattr(source, "__getitem__"):
            raise InvalidInputError(
                f"datasets is a {type(source).__name__}; wanted a tuple (X, y[, environments]), a "
                "sequence of such tuples, or a function from a model's index to one"
            )
        if self.n_models == 0:
            raise InvalidInputError("datasets is empty; wanted one for each model")

    @property
    def n_models(self) -> int | None:
        """How many models the source is for, where it says so."""
        return len(self._source) if isinstance(self._source, Sequence) and not self.shared else None

    def __getitem__(self, model: int) -> Dataset:
        if self.shared:
            dataset = self._source
        elif callable(self._source):
            dataset = self._source(model)
        else:
            dataset = self._source[model]
        name = "datasets" if self.shared else f"datasets[{model}]"
        return _checked(dataset, name, self._n_features)


def _checked(dataset: Any, name: str, n_features: int) -> Dataset:
    if not isinstance(dataset, tuple) or len(dataset) not in (2, 3):
        raise InvalidInputError(
            f"{name} is {type(dataset).__name__}; wanted a tuple (X, y) or (X, y, environments)"
        )
    X = np.asarray(dataset[0], dtype=np.float32)
    y = np.asarray(dataset[1])
    if X.ndim < 2 or not len(X):
        raise InvalidInputError(f"X of {name} has shape {X.shape}; wanted (n_samples, n_features)")
    if X[0].size != n_features:
        raise InvalidInputError(
            f"X of {name} has {X[0].size} features, but the architecture takes {n_features}"
        )
    if not np.isfinite(X).all():
        raise InvalidInputError(f"X of {name} holds NaN or infinity; wanted finite numbers")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise InvalidInputError(f"y of {name} holds NaN or infinity; wanted finite numbers")
    check_length(y, len(X), f"y of {name}", "X")
    if len(dataset) == 2 or dataset[2] is None:
        return X, y, None
    return X, y, check_environments(dataset[2], len(X), name)


def encode_environments(environments: np.ndarray) -> Tensor:
    """Return labels of any kind as whole numbers from 0, ``(n_samples,)`` int64."""
    return torch.from_numpy(np.unique(environments, return_inverse=True)[1].astype(np.int64))
