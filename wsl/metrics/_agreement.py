"""How models answer: accuracy, agreement with their originals and with each other.

Outputs are ``(n_models, n_queries, n_outputs)``; what a constant answer reaches is in ``_floors``.
"""

from typing import Literal

import numpy as np

from ..exceptions import InvalidInputError
from ._output_checks import check_outputs, check_pair, n_ordered_pairs

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
    outputs = check_outputs(outputs, "outputs")
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
    outputs, other = check_pair(outputs, other, "outputs", "other", 3)
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
    outputs, other = check_pair(outputs, other, "outputs", "other", 3)
    classes, other_classes = predicted_classes(outputs), predicted_classes(other)
    n_pairs = n_ordered_pairs(len(classes))
    same = (class_votes(classes, outputs) * class_votes(other_classes, other)).sum(axis=0)
    right = (classes == other_classes).sum(axis=0)
    return float((same - right).mean() / n_pairs)


def disagreement(outputs) -> float:
    """Return the mean share of queries on which two different models predict different classes.

    Parameters
    ----------
    outputs : array ``(n_models, n_queries, n_outputs)``
        At least 2 models.
    """
    outputs = check_outputs(outputs, "outputs")
    return 1.0 - shuffled_agreement(outputs, outputs)


def class_votes(classes: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return how many models predict each class, ``(n_classes, n_queries)``."""
    return np.stack([(classes == c).sum(axis=0) for c in range(max(2, outputs.shape[2]))])
