"""How well rebuilt and generated models stand for their originals: functions of plain arrays.

Nothing here runs a model: outputs are ``(n_models, n_queries, n_outputs)``, as
``Architecture.forward`` gives them, and rows ``(n_models, n_weights)``. Arrays may be read-only
memory maps larger than memory; they are read in batches of bounded bytes.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from scipy.special import softmax

from ._batches import column_moments, row_slices
from .exceptions import InvalidInputError

__all__ = [
    "accuracy",
    "agreement",
    "behavioral_r2",
    "disagreement",
    "diversity",
    "explained_variance",
    "predicted_classes",
    "shuffled_agreement",
    "spread_ratio",
]

Average = Literal["mean", "none"]


def predicted_classes(outputs) -> np.ndarray:
    """Return the class that each model predicts for each query.

    Parameters
    ----------
    outputs : array ``(n_models, n_queries, n_outputs)``
        Logits. A single output is a binary logit: class 1 where it is positive.

    Returns
    -------
    ndarray ``(n_models, n_queries)`` int64
    """
    outputs = _check_outputs(outputs, "outputs")
    if outputs.shape[2] == 1:
        return (outputs[:, :, 0] > 0).astype(np.int64)
    return outputs.argmax(axis=2)


def accuracy(outputs, y) -> np.ndarray:
    """Return the share of queries that each model classifies rightly.

    Parameters
    ----------
    outputs : array ``(n_models, n_queries, n_outputs)``
    y : array ``(n_queries,)``
        Class indices, 0 to ``n_outputs - 1``; 0 or 1 where there is one output.

    Returns
    -------
    ndarray ``(n_models,)``
    """
    classes = predicted_classes(outputs)
    y = np.asarray(y)
    if y.shape != classes.shape[1:]:
        raise InvalidInputError(
            f"y has shape {y.shape}, but outputs has {classes.shape[1]} queries"
        )
    return (classes == y).mean(axis=1)


def agreement(outputs, other, *, average: Average = "mean"):
    """Return the share of queries for which two models predict the same class, model by model.

    Agreement flatters: models that all are accurate agree with each other. Read it beside
    ``shuffled_agreement`` and ``behavioral_r2``.

    Parameters
    ----------
    outputs, other : array ``(n_models, n_queries, n_outputs)``
        Model i of one is compared with model i of the other. Of a single output the sign counts.
    average : {"mean", "none"}
        ``"none"`` returns one number a model.

    Returns
    -------
    float, or ndarray ``(n_models,)``

    Raises
    ------
    InvalidInputError
        If the two differ in shape, or ``average`` is something else.

    References
    ----------
    Fort et al. (2019), "Deep ensembles: a loss landscape perspective", for disagreement in
    prediction space.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.metrics import agreement
    >>> outputs = np.array([[[2.0, 1.0], [0.0, 1.0]]])  # one model, two queries, two classes
    >>> agreement(outputs, outputs[:, ::-1])
    0.0
    """
    outputs, other = _check_pair(outputs, other, "outputs", "other", 3)
    if average not in ("mean", "none"):
        raise InvalidInputError(f"average={average!r}; wanted 'mean' or 'none'")
    same = (predicted_classes(outputs) == predicted_classes(other)).mean(axis=1)
    return float(same.mean()) if average == "mean" else same


def shuffled_agreement(outputs, other) -> float:
    """Return the mean agreement with the *wrong* model, over all pairs of different models.

    Where it equals ``agreement``, the models of ``other`` tell nothing of which original they stand
    for: a rebuild that always returns one good model has both high.

    Parameters
    ----------
    outputs, other : array ``(n_models, n_queries, n_outputs)``
        At least 2 models.

    Notes
    -----
    Exact over all ``n_models * (n_models - 1)`` pairs without forming them: on one query, as many
    pairs agree as the two sets of models have votes for the same class, multiplied and summed.
    """
    outputs, other = _check_pair(outputs, other, "outputs", "other", 3)
    classes, other_classes = predicted_classes(outputs), predicted_classes(other)
    n_pairs = _n_ordered_pairs(len(classes))
    same = (_votes(classes, outputs) * _votes(other_classes, other)).sum(axis=0)
    right = (classes == other_classes).sum(axis=0)
    return float((same - right).mean() / n_pairs)


def disagreement(outputs) -> float:
    """Return the mean share of queries on which two different models predict different classes.

    Parameters
    ----------
    outputs : array ``(n_models, n_queries, n_outputs)``
        At least 2 models.
    """
    outputs = _check_outputs(outputs, "outputs")
    return 1.0 - shuffled_agreement(outputs, outputs)


def behavioral_r2(outputs, rebuilt) -> float:
    """Return the share of the variance between models that the rebuilt models' outputs explain.

    1 for a perfect rebuild; 0 for giving everybody the averaged prediction; negative where the
    rebuilt models are further from their originals than the average is.

    Parameters
    ----------
    outputs, rebuilt : array ``(n_models, n_queries, n_outputs)``
        Logits, compared after a softmax; a single output is compared as it stands.

    Returns
    -------
    float
        As in scikit-learn's ``r2_score``, where the originals do not differ: 1 for a perfect
        rebuild and 0 otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.metrics import behavioral_r2
    >>> outputs = np.array([[[1.0], [3.0]], [[2.0], [1.0]]])
    >>> behavioral_r2(outputs, outputs)
    1.0
    >>> behavioral_r2(outputs, np.broadcast_to(outputs.mean(axis=0), outputs.shape))
    0.0
    """
    outputs, rebuilt = _check_pair(outputs, rebuilt, "outputs", "rebuilt", 3)
    return streamed_r2(_batch_pairs(outputs, rebuilt))


def explained_variance(rows, rebuilt) -> float:
    """Return the share of the variance of the weights, around their mean, that is rebuilt.

    Parameters
    ----------
    rows, rebuilt : array ``(n_models, n_weights)``
        Compared place by place: bring hidden units into the same order first.
    """
    rows, rebuilt = _check_pair(rows, rebuilt, "rows", "rebuilt", 2)
    return streamed_r2(_batch_pairs(rows, rebuilt))


def streamed_r2(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    r"""Return ``behavioral_r2`` of outputs, or ``explained_variance`` of rows, given in batches.

    Parameters
    ----------
    pairs : iterable of pairs of arrays, each ``(n_batch, n_queries, n_outputs)`` or
        ``(n_batch, n_weights)``
        Originals, and what was rebuilt of the same models.

    Notes
    -----
    Sums of squares around the mean of two sets of models are joined as
    :math:`S = S_a + S_b + \|m_a - m_b\|^2 n_a n_b / (n_a + n_b)`.

    References
    ----------
    Chan, Golub and LeVeque (1983), "Algorithms for computing the sample variance", equation 2.1.
    """
    n_seen, mean, total, lost, first, alike = 0, np.float64(0.0), 0.0, 0.0, None, True
    for originals, rebuilt in pairs:
        pair = _check_pair(originals, rebuilt, "outputs", "rebuilt", np.ndim(originals))
        values, copies = map(_comparable, pair)
        first = values[0] if first is None else first
        alike = alike and bool((values == first).all())
        lost += float(np.square(values - copies).sum())
        n_own, own = len(values), values.mean(axis=0)
        weight = n_seen * n_own / (n_seen + n_own)
        total += float(np.square(values - own).sum()) + weight * float(np.square(own - mean).sum())
        n_seen += n_own
        mean = mean + (own - mean) * (n_own / n_seen)
    return float(lost == 0.0) if alike else 1.0 - lost / total


def diversity(rows) -> float:
    r"""Return the root mean square distance between two different models.

    Parameters
    ----------
    rows : array ``(n_models, n_weights)``
        At least 2 models.

    Notes
    -----
    The mean over pairs of :math:`\|w_i - w_j\|^2` is twice the unbiased variance, summed over
    columns: no matrix of distances is formed.
    """
    rows = _check_array(rows, "rows", 2)
    _n_ordered_pairs(len(rows))
    _, variance = column_moments(lambda: _in_batches(rows))
    return float(np.sqrt(2.0 * variance.sum() * len(rows) / (len(rows) - 1)))


def spread_ratio(rows, rebuilt) -> float:
    """Return the variance of rebuilt or generated models over that of the originals.

    Near 0 where all are the same model, 1 where they differ as much as the originals do.

    Parameters
    ----------
    rows : array ``(n_models, n_weights)``
    rebuilt : array ``(n_rebuilt, n_weights)``
        At least 2 models each.
    """
    original = diversity(rows)
    return (diversity(rebuilt) / original) ** 2 if original > 0 else float("nan")


def _comparable(values: np.ndarray) -> np.ndarray:
    """Return rows as they stand, and outputs after a softmax unless single, in float64."""
    values = values.astype(np.float64)
    return values if values.ndim == 2 or values.shape[2] == 1 else softmax(values, axis=2)


def _in_batches(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield models ``(n_batch, ...)`` whose float64 copies are of bounded bytes."""
    return (values[part] for part in row_slices(len(values), 8 * values[0].size))


def _batch_pairs(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return zip(_in_batches(first), _in_batches(second), strict=True)


def _votes(classes: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return how many models predict each class, ``(n_classes, n_queries)``."""
    return np.stack([(classes == c).sum(axis=0) for c in range(max(2, outputs.shape[2]))])


def _n_ordered_pairs(n_models: int) -> int:
    if n_models < 2:
        raise InvalidInputError(
            f"got {n_models} model; wanted at least 2 to compare with each other"
        )
    return n_models * (n_models - 1)


def _check_outputs(outputs, name: str) -> np.ndarray:
    return _check_array(outputs, name, 3)


def _check_array(values, name: str, n_axes: int) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != n_axes or values.size == 0:
        axes = ("n_models", "n_queries", "n_outputs") if n_axes == 3 else ("n_models", "n_weights")
        raise InvalidInputError(f"{name} has shape {values.shape}; wanted ({', '.join(axes)})")
    if not all(np.isfinite(batch).all() for batch in _in_batches(values)):
        raise InvalidInputError(f"{name} holds values that are not finite")
    return values


def _check_pair(first, second, name: str, other: str, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = _check_array(first, name, n_axes), _check_array(second, other, n_axes)
    if first.shape != second.shape:
        raise InvalidInputError(f"{other} has shape {second.shape}, but {name} has {first.shape}")
    return first, second
