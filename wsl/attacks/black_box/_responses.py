"""The format of recorded responses to queries, and losses computed from them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax
from sklearn.utils.multiclass import type_of_target

from ...exceptions import InvalidInputError

MIN_PROBABILITY = 1e-3  # a forest's 0 is not certainty, and its logarithm would dominate


@dataclass(frozen=True)
class ResponseFormat:
    """How to interpret a row of responses; the outputs of a query are adjacent.

    Parameters
    ----------
    kind : {"logits", "proba", "label", "number"}
        Type of a classifier's responses; ``"number"`` for continuous predictions.
    n_queries : int
        Number of queries.
    n_outputs : int
        Number of outputs per query.
    """

    kind: str
    n_queries: int
    n_outputs: int

    def split(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n_models, n_queries, n_outputs)`` float64."""
        return X.reshape(len(X), self.n_queries, self.n_outputs).astype(np.float64)

    @property
    def has_common_offset(self) -> bool:
        """Whether adding a constant to all outputs of a query changes no prediction."""
        return self.kind == "logits" and self.n_outputs > 1

    def contrasts(self, X: np.ndarray) -> np.ndarray:
        """Return logits minus their mean over classes, in the shape of X; other responses as is.

        The mean changes no probability and differs between models by chance.
        """
        if not self.has_common_offset:
            return X
        logits = X.reshape(len(X), self.n_queries, self.n_outputs)
        return (logits - logits.mean(axis=2, keepdims=True)).reshape(len(X), -1)

    def log_probabilities(self, X: np.ndarray) -> np.ndarray:
        """Return log-probabilities ``(n_models, n_queries, n_classes)``.

        A single output is that of class 1 of two.
        """
        outputs = self.split(X)
        if self.kind == "logits":
            if self.n_outputs == 1:
                outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=2)
            return log_softmax(outputs, axis=2)
        if self.n_outputs == 1:
            outputs = np.concatenate([1 - outputs, outputs], axis=2)
        outputs = np.maximum(outputs, MIN_PROBABILITY)
        return np.log(outputs / outputs.sum(axis=2, keepdims=True))

    def losses(self, X: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the loss of each model on each query, ``(n_models, n_queries)``.

        The loss is the cross-entropy for logits and probabilities, the 0-1 loss for labels and the
        squared error for numbers. ``labels`` come from ``target_values``.
        """
        if self.kind == "number":
            return np.square(self.split(X) - labels).mean(axis=2)
        if self.kind == "label":
            return (labels != X).astype(np.float64)
        log_proba = self.log_probabilities(X)
        return -np.take_along_axis(log_proba, labels[None, :, None], axis=2)[:, :, 0]

    def target_values(self, query_labels: Any) -> np.ndarray:
        """Return true targets as ``losses`` expects them: class indices, or numbers.

        If every class occurs, labels are indexed in sorted order, as in ``classes_``; otherwise
        they must be class indices already.
        """
        labels = np.asarray(query_labels)
        if self.kind == "number":
            return labels.reshape(len(labels), -1).astype(np.float64)
        classes, indices = np.unique(labels, return_inverse=True)
        if self.kind == "label":
            return labels if labels.dtype.kind in "biuf" else indices
        n_classes = max(2, self.n_outputs)
        if len(classes) == n_classes:
            return indices
        are_indices = classes.dtype.kind in "biuf" and np.isin(classes, np.arange(n_classes)).all()
        if not are_indices:
            first, last = classes[[0, -1]].tolist()
            raise InvalidInputError(
                f"`query_labels` must contain all {n_classes} classes of the models, or class "
                f"indices below {n_classes}; got {len(classes)} classes, {first!r} to {last!r}."
            )
        return labels.astype(int)


def infer_format(
    n_columns: int, n_queries: int, query_output: str, query_labels: Any = None
) -> ResponseFormat:
    """Return the format of rows with ``n_columns`` responses to ``n_queries`` queries.

    Outputs under ``"logits"`` count as continuous predictions if ``query_labels`` are continuous,
    or if they are not given and a query has one output.

    Raises InvalidInputError if the columns cannot be divided equally among the queries.
    """
    n_outputs = n_columns // n_queries
    if n_columns % n_queries or (query_output == "label" and n_outputs > 1):
        per_query = "one column" if query_output == "label" else "the same number of columns"
        raise InvalidInputError(
            f"X must have {per_query} per query; got {n_columns} columns for {n_queries} queries, "
            "the number of entries of `query_labels` or `query_properties`."
        )
    kind = query_output
    if query_output == "logits" and _are_numbers(query_labels, n_outputs):
        kind = "number"
    return ResponseFormat(kind, n_queries, n_outputs)


def _are_numbers(query_labels: Any, n_outputs: int) -> bool:
    """Return True if outputs that are not probabilities are continuous predictions."""
    if query_labels is None:
        return n_outputs == 1
    kind = type_of_target(np.asarray(query_labels))
    # a single output cannot distinguish more than two classes
    return kind not in ("binary", "multiclass") or (kind == "multiclass" and n_outputs == 1)
