"""What a row of answers to queries means: which kind of numbers, whose they are, and their losses.

Attacks that compare answers live in ``_loss_test``, ``_kl`` and ``_selection``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax
from sklearn.utils.multiclass import type_of_target

from ...exceptions import InvalidInputError

LEAST_PROBABILITY = 1e-3  # a forest's 0 is no certainty, and its logarithm would outweigh all else


@dataclass(frozen=True)
class ResponseFormat:
    """How to read a row of answers; a query's outputs stand together.

    Parameters
    ----------
    kind : {"logits", "proba", "label", "number"}
        What a classifier's answers are, or that they are predictions of numbers.
    n_queries, n_outputs : int
    """

    kind: str
    n_queries: int
    n_outputs: int

    def split(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n_models, n_queries, n_outputs)`` float64."""
        return X.reshape(len(X), self.n_queries, self.n_outputs).astype(np.float64)

    @property
    def have_common_part(self) -> bool:
        """Whether something may be added to all outputs of a query without any consequence."""
        return self.kind == "logits" and self.n_outputs > 1

    def contrasts(self, X: np.ndarray) -> np.ndarray:
        """Return logits less their mean over classes, in the shape of X; other answers as they are.

        Their mean changes no probability, and differs from model to model by chance.
        """
        if not self.have_common_part:
            return X
        logits = X.reshape(len(X), self.n_queries, self.n_outputs)
        return (logits - logits.mean(axis=2, keepdims=True)).reshape(len(X), -1)

    def log_probabilities(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n_models, n_queries, n_classes)`` of logits or probabilities.

        A single output belongs to class 1 of two.
        """
        answers = self.split(X)
        if self.kind == "logits":
            if self.n_outputs == 1:
                answers = np.concatenate([np.zeros_like(answers), answers], axis=2)
            return log_softmax(answers, axis=2)
        if self.n_outputs == 1:
            answers = np.concatenate([1 - answers, answers], axis=2)
        answers = np.maximum(answers, LEAST_PROBABILITY)
        return np.log(answers / answers.sum(axis=2, keepdims=True))

    def losses(self, X: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the loss of each model on each query, ``(n_models, n_queries)``.

        The cross-entropy of logits and probabilities, the error of labels, 0 or 1, the squared
        error of numbers. ``labels`` are as ``target_values`` returns them.
        """
        if self.kind == "number":
            return np.square(self.split(X) - labels).mean(axis=2)
        if self.kind == "label":
            return (labels != X).astype(np.float64)
        log_proba = self.log_probabilities(X)
        return -np.take_along_axis(log_proba, labels[None, :, None], axis=2)[:, :, 0]

    def target_values(self, query_labels: Any) -> np.ndarray:
        """Return true targets as ``losses`` takes them: indices of classes, or numbers.

        Classes that are all named are numbered in their sorted order, as ``classes_`` are;
        otherwise they are taken for these numbers themselves.
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
        numbered = classes.dtype.kind in "biuf" and np.isin(classes, np.arange(n_classes)).all()
        if not numbered:
            ends = classes[[0, -1]].tolist()
            raise InvalidInputError(
                f"query_labels holds {len(classes)} classes, {ends[0]!r} to {ends[1]!r}, for "
                f"models with {n_classes}; wanted all of them, or numbers below {n_classes}"
            )
        return labels.astype(int)


def read_answers(
    n_columns: int, n_queries: int, query_output: str, query_labels: Any = None
) -> ResponseFormat:
    """Tell how rows of ``n_columns`` answers to ``n_queries`` queries are read.

    Logits are numbers that a regression predicts where ``query_labels`` are no classes, or where
    they are not given and a query has one output.

    Raises InvalidInputError if the columns cannot be divided among the queries.
    """
    n_outputs = n_columns // n_queries
    if n_columns % n_queries or (query_output == "label" and n_outputs > 1):
        wanted = "one" if query_output == "label" else "as many"
        raise InvalidInputError(
            f"X holds {n_columns} answers of each model to {n_queries} queries, the number of "
            f"entries of query_labels or query_properties; wanted {wanted} of each query"
        )
    kind = query_output
    if query_output == "logits" and _are_numbers(query_labels, n_outputs):
        kind = "number"
    return ResponseFormat(kind, n_queries, n_outputs)


def _are_numbers(query_labels: Any, n_outputs: int) -> bool:
    """Tell whether outputs that are not probabilities predict numbers, and not classes."""
    if query_labels is None:
        return n_outputs == 1
    kind = type_of_target(np.asarray(query_labels))
    # more than two classes do not go with one output
    return kind not in ("binary", "multiclass") or (kind == "multiclass" and n_outputs == 1)
