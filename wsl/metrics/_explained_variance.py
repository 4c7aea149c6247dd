"""The fraction of the variance between models, in outputs or weights, that is rebuilt."""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.special import softmax

from ._output_checks import check_pair, in_batches


def behavioral_r2(outputs, rebuilt) -> float:
    """Return the fraction of the variance between models' outputs that rebuilt models explain.

    Parameters
    ----------
    outputs : array-like of shape (n_models, n_queries, n_outputs)
        Logits of the original models, compared after a softmax; a single output is compared as it
        is.
    rebuilt : array-like of shape (n_models, n_queries, n_outputs)
        Logits of the rebuilt models, in the same order.

    Returns
    -------
    float
        1 for a perfect rebuild, 0 for the averaged prediction, negative where the rebuilt models
        are further from their originals than the average is. Where the originals do not differ, 1
        for a perfect rebuild and 0 otherwise, as in scikit-learn's ``r2_score``.

    See Also
    --------
    explained_variance : The same of weights.
    agreement : Compares predicted classes only.

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
    outputs, rebuilt = check_pair(outputs, rebuilt, "outputs", "rebuilt", 3)
    return streamed_r2(_batch_pairs(outputs, rebuilt))


def explained_variance(rows, rebuilt) -> float:
    """Return the fraction of the variance of the weights, around their mean, that is rebuilt.

    Parameters
    ----------
    rows : array-like of shape (n_models, n_weights)
        The weights of the original models.
    rebuilt : array-like of shape (n_models, n_weights)
        The weights of the rebuilt models, in the same order, compared weight by weight: bring
        hidden units into one order first (see ``Architecture.canonicalize``).

    Returns
    -------
    float
        1 for a perfect rebuild, 0 for the mean of all models.

    See Also
    --------
    behavioral_r2 : The same of outputs.

    Examples
    --------
    >>> from wsl.metrics import explained_variance
    >>> explained_variance([[0.0], [4.0]], [[1.0], [3.0]])
    0.75
    """
    rows, rebuilt = check_pair(rows, rebuilt, "rows", "rebuilt", 2)
    return streamed_r2(_batch_pairs(rows, rebuilt))


def streamed_r2(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    r"""Return ``behavioral_r2`` of outputs, or ``explained_variance`` of rows, from batches.

    Parameters
    ----------
    pairs : iterable of pairs of arrays
        Batches of originals and of the rebuilt models, each of shape (n_batch, n_queries,
        n_outputs) or (n_batch, n_weights). Only one pair is in memory at a time.

    Returns
    -------
    float
        1 for a perfect rebuild, 0 for the mean of all models.

    See Also
    --------
    behavioral_r2 : Of outputs that are in memory.
    explained_variance : Of rows that are in memory.

    Notes
    -----
    Sums of squares around the mean of two sets of models are combined as
    :math:`S = S_a + S_b + \|m_a - m_b\|^2 n_a n_b / (n_a + n_b)`.

    References
    ----------
    Chan, Golub and LeVeque (1983), "Algorithms for computing the sample variance", equation 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.metrics import streamed_r2
    >>> batches = (np.full((1, 2), value) for value in (0.0, 4.0))
    >>> streamed_r2((batch, 0.5 * batch + 1.0) for batch in batches)
    0.75
    """
    n_models, mean, total, lost, first, equal = 0, np.float64(0.0), 0.0, 0.0, None, True
    for originals, rebuilt in pairs:
        pair = check_pair(originals, rebuilt, "outputs", "rebuilt", np.ndim(originals))
        values, copies = map(as_behavior, pair)
        first = values[0] if first is None else first
        equal = equal and bool((values == first).all())
        lost += float(np.square(values - copies).sum())
        n_batch, center = len(values), values.mean(axis=0)
        weight = n_models * n_batch / (n_models + n_batch)
        between = weight * float(np.square(center - mean).sum())
        total += float(np.square(values - center).sum()) + between
        n_models += n_batch
        mean = mean + (center - mean) * (n_batch / n_models)
    return float(lost == 0.0) if equal else 1.0 - lost / total


def as_behavior(values: np.ndarray) -> np.ndarray:
    """Return rows as they are, and outputs after a softmax unless single, in float64."""
    values = values.astype(np.float64)
    return values if values.ndim == 2 or values.shape[2] == 1 else softmax(values, axis=2)


def _batch_pairs(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return zip(in_batches(first), in_batches(second), strict=True)
