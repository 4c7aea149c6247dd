"""``ModelZoo``: rows of weights, the architecture that gives them meaning, what is known of each.

Training lives in ``_train``, the file format in ``_storage``.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from .. import metrics
from .._batches import row_slices
from .._validation import check_length, check_n_columns
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from .storage._folder import read_folder, write_folder


class ModelZoo:
    """A population of models of one architecture.

    Parameters
    ----------
    weights : array ``(n_models, n_weights)``
        Kept as float32, without a copy where it already is; a memory map stays one. A diverged
        model may hold NaN.
    architecture : Architecture
    metadata : DataFrame, optional
        One row for each model; the index is dropped. Empty by default.

    Raises
    ------
    InvalidInputError
        If weights and architecture, or weights and metadata, do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, ModelZoo
    >>> architecture = Architecture.mlp(2, [3], 1)
    >>> zoo = ModelZoo(np.zeros((5, architecture.n_weights)), architecture)
    >>> len(zoo), len(zoo[1:3])
    (5, 2)
    """

    def __init__(self, weights, architecture: Architecture, metadata: pd.DataFrame | None = None):
        if not isinstance(weights, np.memmap) or weights.dtype != np.float32:
            weights = np.asarray(weights, dtype=np.float32)
        self.weights = weights
        self.architecture = architecture
        if self.weights.ndim != 2:
            raise InvalidInputError(
                f"weights has shape {self.weights.shape}; wanted (n_models, n_weights)"
            )
        check_n_columns(self.weights, architecture.n_weights)
        if metadata is None:
            metadata = pd.DataFrame(index=range(len(self.weights)))
        check_length(metadata, len(self.weights), "metadata", "weights")
        self.metadata = metadata.reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, index) -> "ModelZoo":
        """Return the zoo of the models in a slice, a mask, an array of indices, or one index.

        The weights of a slice or of one model are a view, as numpy has it; others are a copy.
        """
        if isinstance(index, slice):
            rows = index
        elif isinstance(index, (int, np.integer)):
            row = range(len(self))[index]
            rows = slice(row, row + 1)
        else:
            rows = np.arange(len(self))[index]
        return ModelZoo(self.weights[rows], self.architecture, self.metadata.iloc[rows])

    def __iter__(self) -> Iterator["ModelZoo"]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"ModelZoo({len(self)} models of {self.architecture!r})"

    def batches(self, batch_size: int | None = None) -> Iterator["ModelZoo"]:
        """Yield the zoo in pieces, in order and without a copy.

        Parameters
        ----------
        batch_size : int, optional
            Models in a piece; by default as many as hold 32 MiB of weights.
        """
        if batch_size is not None and batch_size < 1:
            raise InvalidInputError(f"batch_size={batch_size}; wanted at least 1, or None")
        if batch_size is None:
            return (self[part] for part in row_slices(len(self), self._row_bytes))
        return (self[i : i + batch_size] for i in range(0, len(self), batch_size))

    def forward(self, X, batch_size: int | None = None) -> np.ndarray:
        """Return the outputs of all models on X, ``(n_models, n_samples, n_outputs)``."""
        return self.architecture.forward(self.weights, X, batch_size)

    def accuracy(self, X, y) -> np.ndarray:
        """Return the share of samples that each model classifies right, ``(n_models,)``.

        With one output, class 1 is predicted where the logit is positive.
        """
        y = np.asarray(y)
        check_length(y, len(X), "y", "X")
        parts = row_slices(len(self), self._score_bytes(X))
        return _joined(metrics.accuracy(self[part].forward(X), y) for part in parts)

    def agreement(self, other: "ModelZoo", X) -> np.ndarray:
        """Return each model's share of samples on which its twin in ``other`` predicts the same."""
        check_length(other, len(self), "other", "the zoo")
        parts = row_slices(len(self), max(self._score_bytes(X), other._score_bytes(X)))
        return _joined(
            metrics.agreement(self[part].forward(X), other[part].forward(X), average="none")
            for part in parts
        )

    @property
    def _row_bytes(self) -> int:
        return self.weights.itemsize * self.architecture.n_weights

    def _score_bytes(self, X) -> int:
        """Return what one model takes when it is run on X, outputs included."""
        outputs = self.weights.itemsize * len(X) * self.architecture.forward_pass.activation_size
        return max(self._row_bytes, outputs)

    def save(self, path: str | Path) -> Path:
        """Write the zoo into a folder and return it.

        Weights are stored as safetensors, the rest as JSON. What a folder held before stays
        readable until the new zoo is complete, even if the process is killed. Metadata may hold
        numbers, booleans, text and None. An architecture that cannot be traced, or has layers of
        a kind of its own, is not stored; ``load`` then asks for it.

        Raises
        ------
        ZooFileError
            If ``path`` is a file.
        InvalidInputError
            If the metadata hold something else; the column is named.
        """
        return write_folder(Path(path), self.weights, self.architecture, self.metadata)

    @classmethod
    def load(
        cls,
        path: str | Path,
        architecture: Architecture | None = None,
        mmap: bool = False,
        verify: bool = True,
    ) -> "ModelZoo":
        """Read a zoo that ``save`` wrote; no code in it is run.

        Parameters
        ----------
        path : str or Path
            The folder.
        architecture : Architecture, optional
            Takes the place of the stored one; needed where none could be stored.
        mmap : bool
            Leave the weights on disk, as a read-only memory map: for zoos larger than memory.
        verify : bool
            Compare the checksum of the weights. False opens a large zoo that you trust at once.

        Raises
        ------
        ZooFileError
            If a file is missing, damaged or of another kind; it is named.
        """
        return cls(**read_folder(Path(path), architecture, mmap=mmap, verify=verify))


def _joined(scores: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *scores])
