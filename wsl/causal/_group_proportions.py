"""Rows or weights with which groups have fixed proportions in a training set."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError


def target_proportions(groups: np.ndarray, proportions: Any) -> np.ndarray:
    """Return the proportion that each of ``np.unique(groups)`` is to have, summing to 1.

    Parameters
    ----------
    groups : ndarray of shape (n_samples,)
    proportions : "equal" or dict from group to number
    """
    present = np.unique(groups)
    if isinstance(proportions, str):
        return np.full(len(present), 1 / len(present))
    named, known = list(proportions), set(present.tolist())
    absent = [group for group in named if group not in known and proportions[group] > 0]
    unnamed = [group for group in present.tolist() if group not in proportions]
    if absent or unnamed:
        problem = f"no row is in {absent}" if absent else f"{unnamed} have none"
        raise InvalidInputError(
            f"`proportions` must name the groups of the training set; {problem}. "
            f"Groups: {present.tolist()}."
        )
    values = np.array([float(proportions[group]) for group in present.tolist()])
    return values / values.sum()


def check_proportions_given(proportions: Any) -> None:
    """Raise InvalidInputError unless "equal", or a dict of numbers with a positive sum."""
    if isinstance(proportions, str) and proportions == "equal":
        return
    if isinstance(proportions, Mapping) and proportions:
        values = np.array(list(proportions.values()), dtype=float)
        if np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0:
            return
    raise InvalidInputError(
        "`proportions` must be 'equal' or a dict from group to a number of at least 0; got "
        f"{proportions!r}."
    )


def strata_of(
    groups: np.ndarray, proportions: np.ndarray, classes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the stratum of each row, ``(n_samples,)``, and the proportion of each stratum.

    Strata are the groups; or, with ``classes``, the classes in each group, in equal parts.
    """
    index = np.unique(groups, return_inverse=True)[1].ravel()
    if classes is None:
        return index, proportions
    labels = np.unique(classes, return_inverse=True)[1].ravel()
    pairs, strata = np.unique(np.c_[index, labels], axis=0, return_inverse=True)
    n_classes = np.bincount(pairs[:, 0])
    return strata.ravel(), (proportions / n_classes)[pairs[:, 0]]


def row_weights(strata: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    """Return weights of mean 1 with which each stratum has its proportion of the total."""
    sizes = np.bincount(strata, minlength=len(proportions))
    return (proportions * len(strata) / sizes)[strata]


def resampled_rows(
    strata: np.ndarray, proportions: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return as many rows as there are, in random order, with the proportion of each stratum.

    All rows of a stratum occur equally often, up to one.
    """
    counts = _apportion(proportions, len(strata))
    rows = []
    for stratum, count in enumerate(counts):
        members = np.flatnonzero(strata == stratum)
        whole, rest = divmod(int(count), len(members))
        rows += [np.repeat(members, whole), rng.choice(members, rest, replace=False)]
    return rng.permutation(np.concatenate(rows))


def _apportion(proportions: np.ndarray, total: int) -> np.ndarray:
    """Return integers near ``proportions * total`` that sum to it, by largest remainders."""
    exact = proportions * total
    counts = np.floor(exact).astype(int)
    largest = np.argsort(counts - exact, kind="stable")[: total - counts.sum()]
    counts[largest] += 1
    return counts
