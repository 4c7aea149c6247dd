"""The share of what differs between models that is rebuilt: of their outputs, of their weights.

Both read their arrays in batches; ``streamed_r2`` takes batches that are nowhere held together.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.special import softmax

from ._output_checks import check_pair, in_batches


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
    outputs, rebuilt = check_pair(outputs, rebuilt, "outputs", "rebuilt", 3)
    return streamed_r2(_batch_pairs(outputs, rebuilt))


def explained_variance(rows, rebuilt) -> float:
    """Return the share of the variance of the weights, around their mean, that is rebuilt.

    Parameters
    ----------
    rows, rebuilt : array ``(n_models, n_weights)``
        Compared place by place: bring hidden units into the same order first.
    """
    rows, rebuilt = check_pair(rows, rebuilt, "rows", "rebuilt", 2)
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
        pair = check_pair(originals, rebuilt, "outputs", "rebuilt", np.ndim(originals))
        values, copies = map(as_behavior, pair)
        first = values[0] if first is None else first
        alike = alike and bool((values == first).all())
        lost += float(np.square(values - copies).sum())
        n_own, own = len(values), values.mean(axis=0)
        weight = n_seen * n_own / (n_seen + n_own)
        total += float(np.square(values - own).sum()) + weight * float(np.square(own - mean).sum())
        n_seen += n_own
        mean = mean + (own - mean) * (n_own / n_seen)
    return float(lost == 0.0) if alike else 1.0 - lost / total


def as_behavior(values: np.ndarray) -> np.ndarray:
    """Return rows as they stand, and outputs after a softmax unless single, in float64."""
    values = values.astype(np.float64)
    return values if values.ndim == 2 or values.shape[2] == 1 else softmax(values, axis=2)


def _batch_pairs(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return zip(in_batches(first), in_batches(second), strict=True)
