"""How much each sample of a causal learner's training set counts.

How weights enter the loss and the penalties is for the training loop.
"""

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
    """Return sample weights times those of their classes; None where all samples count alike.

    ``codes`` are indices into ``classes``. "balanced" gives each class that is there the same
    weight in all, whatever ``weights`` its samples have; a class that a mapping does not name has
    the weight 1.
    """
    if class_weight is None or classes is None:
        return weights
    own = np.ones(len(codes)) if weights is None else weights
    if isinstance(class_weight, str):
        totals = np.bincount(codes, own, minlength=len(classes))
        n_there = np.count_nonzero(totals)
        factors = own.sum() / (n_there * np.where(totals > 0, totals, 1))
    else:
        factors = _named_factors(class_weight, classes)
    return own * factors[codes]


def _named_factors(class_weight: Mapping[Any, float], classes: np.ndarray) -> np.ndarray:
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    if unknown:
        raise InvalidInputError(
            f"class_weight names the class {unknown[0]!r}; wanted some of {known}"
        )
    factors = np.array([class_weight.get(label, 1.0) for label in known], dtype=float)
    if not (np.isfinite(factors) & (factors >= 0)).all():
        raise InvalidInputError(f"class_weight={class_weight!r}; wanted numbers from 0")
    return factors


def join_equal(dataset: Dataset) -> Dataset:
    """Return a set in which samples that are equal in all are one, with the sum of their weights.

    They are in one order then, whatever theirs was, so that a model trained on all of them at once
    is the same, to the last bit, for samples that are repeated and for such as are weighted.
    Without weights, and with no two samples alike, the set comes back as it is.
    """
    X, y, environments, weights = dataset
    labels = np.unique(environments, return_inverse=True)[1]
    columns = [np.ascontiguousarray(v).reshape(len(X), -1).view(np.uint8) for v in (X, y, labels)]
    table = np.ascontiguousarray(np.hstack(columns))
    rows = table.view(np.dtype((np.void, table.shape[1])))[:, 0]  # a row is one value
    _, first, group = np.unique(rows, return_index=True, return_inverse=True)
    if weights is None and len(first) == len(X):
        return dataset
    totals = np.bincount(group, weights)
    kept = first[totals > 0]
    return X[kept], y[kept], environments[kept], totals[totals > 0]
