"""Sample weights: those of classes, and of equal samples joined into one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError

Dataset = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]


def weigh_classes(
    class_weight: Mapping[Any, float] | str | None,
    codes: np.ndarray,
    classes: np.ndarray | None,
    weights: np.ndarray | None,
) -> np.ndarray | None:
    """Return sample weights times class weights, or None if all samples have the same weight.

    ``codes`` are indices into ``classes``. "balanced" gives each class that occurs the same total
    weight; a class that a mapping does not name has the weight 1.
    """
    if class_weight is None or classes is None:
        return weights
    sample_weights = np.ones(len(codes)) if weights is None else weights
    if isinstance(class_weight, str):
        totals = np.bincount(codes, sample_weights, minlength=len(classes))
        n_present = np.count_nonzero(totals)
        factors = sample_weights.sum() / (n_present * np.where(totals > 0, totals, 1))
    else:
        factors = _named_factors(class_weight, classes)
    return sample_weights * factors[codes]


def _named_factors(class_weight: Mapping[Any, float], classes: np.ndarray) -> np.ndarray:
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    if unknown:
        raise InvalidInputError(
            f"`class_weight` must name classes among {known}; got {unknown[0]!r}."
        )
    factors = np.array([class_weight.get(label, 1.0) for label in known], dtype=float)
    if not (np.isfinite(factors) & (factors >= 0)).all():
        raise InvalidInputError(
            f"`class_weight` must contain finite numbers of at least 0; got {class_weight!r}."
        )
    return factors


def join_equal(dataset: Dataset) -> Dataset:
    """Return a set in which equal samples are joined into one, with the sum of their weights.

    The result is sorted, so that a model trained on all samples at once is the same bit for bit
    for repeated and for weighted samples. Without weights and without equal samples the set is
    returned unchanged.
    """
    X, y, environments, weights = dataset
    labels = np.unique(environments, return_inverse=True)[1]
    columns = [np.ascontiguousarray(v).reshape(len(X), -1).view(np.uint8) for v in (X, y, labels)]
    table = np.ascontiguousarray(np.hstack(columns))
    rows = table.view(np.dtype((np.void, table.shape[1])))[:, 0]  # one value per row
    _, first, group = np.unique(rows, return_index=True, return_inverse=True)
    if weights is None and len(first) == len(X):
        return dataset
    totals = np.bincount(group, weights)
    indices = first[totals > 0]
    return X[indices], y[indices], environments[indices], totals[totals > 0]
