"""``ModelZoo``: rows of weights, the architecture that gives them meaning, and metadata."""

import html
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

_ROWS_SHOWN, _COLUMNS_SHOWN = 5, 12  # of the metadata, in notebooks


class ModelZoo:
    """A population of trained models of one architecture.

    A zoo behaves like a sequence of models: it has a length, and slices, masks and arrays of
    indices select models as they select rows of an array. Estimators of this package and of
    scikit-learn take a zoo as X, which is its ``weights``.

    Parameters
    ----------
    weights : array-like of shape (n_models, n_weights)
        One row per model. Kept as float32, without a copy where it already is; a memory map stays
        one. A diverged model may hold NaN.
    architecture : Architecture
        The meaning of a row: which network the models are and where each parameter is in a row.
    metadata : DataFrame of shape (n_models, n_columns), optional
        What is known about each model, one row per model; the index is dropped. By default a
        DataFrame without columns.

    Attributes
    ----------
    weights : ndarray of shape (n_models, n_weights)
        The rows, float32.
    architecture : Architecture
        The architecture of all models.
    metadata : DataFrame of shape (n_models, n_columns)
        The metadata, indexed from 0.

    Raises
    ------
    InvalidInputError
        If ``weights`` is not 2-D, its columns do not fit the architecture or its rows do not fit
        the metadata.

    See Also
    --------
    train_zoo : Train a zoo.
    read_zoo : Read models that other software has stored.
    wsl.datasets.load_digits_zoo : A zoo of small CNNs that is trained on first use.

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
                f"`weights` must have shape (n_models, n_weights); got {self.weights.shape}."
            )
        check_n_columns(self.weights, architecture.n_weights)
        if metadata is None:
            metadata = pd.DataFrame(index=range(len(self.weights)))
        check_length(metadata, len(self.weights), "metadata", "weights")
        self.metadata = metadata.reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.weights)

    def __array__(self, dtype=None, copy: bool | None = None) -> np.ndarray:
        """Return the weights, as numpy and the estimators of scikit-learn read a zoo."""
        return np.array(self.weights, dtype=dtype, copy=copy)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of models and of weights, as of an array: ``(n_models, n_weights)``."""
        return self.weights.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the weights, as of an array: float32."""
        return self.weights.dtype

    def __getitem__(self, index) -> "ModelZoo":
        """Return the zoo of the models in a slice, a mask, an array of indices, or one index.

        As in numpy, the weights of a slice or of one model are a view, others are a copy.
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

    def _repr_html_(self) -> str:
        """Return size, architecture and the first rows of the metadata, for notebooks."""
        head = self.metadata.iloc[:_ROWS_SHOWN, :_COLUMNS_SHOWN]
        shown = [f"first {len(head)} rows"] if len(head) < len(self) else []
        if head.shape[1] < self.metadata.shape[1]:
            shown.append(f"{head.shape[1]} of {self.metadata.shape[1]} columns")
        title = f"Metadata ({', '.join(shown)})" if shown else "Metadata"
        table = f"<div>{title}:</div>{head.to_html(escape=True)}" if head.shape[1] else ""
        return (
            f"<div><div><b>ModelZoo</b>: {len(self):,} models of {self.weights.shape[1]:,} weights"
            f"</div><div><code>{html.escape(repr(self.architecture))}</code></div>{table}</div>"
        )

    def batches(self, batch_size: int | None = None) -> Iterator["ModelZoo"]:
        """Return an iterator over the zoo in batches, in order and without a copy of the weights.

        Parameters
        ----------
        batch_size : int, optional
            Models per batch. By default as many as hold 32 MiB of weights, so that memory stays
            bounded for a zoo of any size.

        Returns
        -------
        iterator of ModelZoo
            The batches; the last one may be smaller.

        Raises
        ------
        InvalidInputError
            If ``batch_size`` is less than 1.
        """
        if batch_size is not None and batch_size < 1:
            raise InvalidInputError(f"`batch_size` must be at least 1 or None; got {batch_size}.")
        if batch_size is None:
            return (self[part] for part in row_slices(len(self), self._row_bytes))
        return (self[i : i + batch_size] for i in range(0, len(self), batch_size))

    def forward(self, X, batch_size: int | None = None) -> np.ndarray:
        """Return the outputs of all models for X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs) or (n_samples, ...)
            The inputs, the same for all models.
        batch_size : int, optional
            Models that are run at once; by default as many as fit bounded memory.

        Returns
        -------
        ndarray of shape (n_models, n_samples, n_outputs)
            The outputs, float32; logits for the models of :func:`train_zoo`.
        """
        return self.architecture.forward(self.weights, X, batch_size)

    def accuracy(self, X, y) -> np.ndarray:
        """Return each model's fraction of correctly classified samples.

        With one output, class 1 is predicted where the logit is positive; with several outputs,
        the class of the largest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs) or (n_samples, ...)
            The inputs.
        y : array-like of shape (n_samples,)
            The true classes, whole numbers from 0.

        Returns
        -------
        ndarray of shape (n_models,)
            The accuracies.
        """
        y = np.asarray(y)
        check_length(y, len(X), "y", "X")
        parts = row_slices(len(self), self._score_bytes(X))
        return _joined(metrics.accuracy(self[part].forward(X), y) for part in parts)

    def agreement(self, other: "ModelZoo", X) -> np.ndarray:
        """Return the fraction of samples for which each pair of models predicts the same class.

        Parameters
        ----------
        other : ModelZoo
            A zoo of as many models, such as the reconstruction of this one. Model ``i`` is
            compared with model ``i``.
        X : array-like of shape (n_samples, n_inputs) or (n_samples, ...)
            The inputs.

        Returns
        -------
        ndarray of shape (n_models,)
            The agreement of each pair.
        """
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
        """Return the bytes that one model takes when it is run on X, outputs included."""
        outputs = self.weights.itemsize * len(X) * self.architecture.forward_pass.activation_size
        return max(self._row_bytes, outputs)

    def save(self, path: str | Path) -> Path:
        """Write the zoo into a folder.

        Weights are stored as safetensors, everything else as JSON. An earlier zoo in the folder
        stays readable until the new one is complete, even if the process is killed.

        Parameters
        ----------
        path : str or Path
            The folder, which is created if needed.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        FolderInUseError
            If another process writes into the folder and is not done within 10 seconds.
        ZooFileError
            If ``path`` is a file.
        InvalidInputError
            If the metadata holds anything but numbers, booleans, text and None; the column is
            named.

        Notes
        -----
        An architecture that cannot be traced, or that has layers of a class of its own, is not
        stored; :meth:`load` then needs it as an argument.

        The weights of an earlier zoo in the folder are removed at the end. No other file in the
        folder is touched, whatever its name.
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
        """Read a zoo that :meth:`save` wrote, without running code from its files.

        Parameters
        ----------
        path : str or Path
            The folder.
        architecture : Architecture, optional
            The architecture to use, which must compute what the stored one does. Required if none
            could be stored.
        mmap : bool, default=False
            If True, leave the weights on disk as a read-only memory map, for zoos that are larger
            than memory.
        verify : bool, default=True
            If True, check that the weights have the checksum that was stored with them. False
            opens a large zoo from a trusted source without reading all of it.

        Returns
        -------
        ModelZoo
            The stored zoo.

        Raises
        ------
        ZooFileError
            If a file is missing, damaged or of another format; it is named.
        InvalidInputError
            If ``architecture`` computes something else than the stored one.
        """
        return cls(**read_folder(Path(path), architecture, mmap=mmap, verify=verify))


def _joined(scores: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *scores])
