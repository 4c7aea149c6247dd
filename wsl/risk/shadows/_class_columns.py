"""Columns of responses by class, for models that have not all seen the same classes."""

from collections.abc import Sequence

import numpy as np


def equal_classes(classes: np.ndarray | None, other: np.ndarray | None) -> bool:
    if classes is None or other is None:
        return classes is other
    return np.array_equal(classes, other)


def union_of_classes(class_arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    present = [classes for classes in class_arrays if classes is not None]
    return np.unique(np.concatenate(present)) if present else None


def align_columns(
    responses: np.ndarray, classes: np.ndarray | None, all_classes: np.ndarray | None
) -> np.ndarray:
    """Give each of all classes a column; it is 0 for a class that a model does not have."""
    if classes is None or all_classes is None or len(classes) == len(all_classes):
        return responses
    aligned = np.zeros((*responses.shape[:-1], len(all_classes)), dtype=responses.dtype)
    aligned[..., np.searchsorted(all_classes, classes)] = responses
    return aligned
