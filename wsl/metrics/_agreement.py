"""Accuracy of models, and agreement with their originals and with each other."""

from typing import Literal

import numpy as np

from .._validation import check_class_indices
from ..exceptions import InvalidInputError
from ._output_checks import check_outputs, check_pair, n_ordered_pairs

Average = Literal["mean", "none"]


def predicted_classes(outputs) -> np.ndarray:
    """Return the class that each model predicts for each query.

    Parameters
    ----------
    outputs : array-like of shape (n_models, n_queries, n_outputs)
        Logits. A single output is a binary logit: class 1 where it is positive.

    Returns
    -------
    ndarray of shape (n_models, n_queries)
        Class indices, int64.

    See Also
    --------
    accuracy : Compares the predicted classes with labels.

    Examples
    --------
    >>> from wsl.metrics import predicted_classes
    >>> predicted_classes([[[2.0, 1.0], [0.0, 1.0]]])
    array([[0, 1]])
    """
    outputs = check_outputs(outputs, "outputs")
    if outputs.shape[2] == 1:
        return (outputs[:, :, 0] > 0).astype(np.int64)
    return outputs.argmax(axis=2)


def accuracy(outputs, y) -> np.ndarray:
    """Return the fraction of queries that each model classifies correctly.

    Parameters
    ----------
    outputs : array-like of shape (n_models, n_queries, n_outputs)
        Logits, as in ``predicted_classes``.
    y : array-like of shape (n_queries,) or (n_queries, 1)
        Class indices from 0 to ``n_outputs - 1``; 0 or 1 where there is a single output. Other
        labels are refused: encode text with scikit-learn's ``LabelEncoder``.

    Returns
    -------
    ndarray of shape (n_models,)
        The accuracy of each model.

    See Also
    --------
    agreement : Compares predicted classes with those of other models.

    Examples
    --------
    >>> from wsl.metrics import accuracy
    >>> accuracy([[[2.0, 1.0], [0.0, 1.0]]], [0, 0])
    array([0.5])
    """
    classes = predicted_classes(outputs)
    labels = check_class_indices(y, classes.shape[1], max(2, np.shape(outputs)[2]))
    return (classes == labels).mean(axis=1)


def agreement(outputs, other, *, average: Average = "mean"):
    """Return the fraction of queries for which two models predict the same class.

    Models that are all accurate agree with each other anyway: compare the result with
    ``shuffled_agreement`` and ``behavioral_r2``.

    Parameters
    ----------
    outputs : array-like of shape (n_models, n_queries, n_outputs)
        Logits of the original models.
    other : array-like of shape (n_models, n_queries, n_outputs)
        Logits of the models to compare, in the same order.
    average : {"mean", "none"}, default="mean"
        "mean" averages over models, "none" returns one value per model.

    Returns
    -------
    float or ndarray of shape (n_models,)
        The agreement, between 0 and 1.

    Raises
    ------
    InvalidInputError
        If the shapes differ, or ``average`` is another value.

    See Also
    --------
    shuffled_agreement : The agreement of models that do not correspond.
    best_single_model_agreement : The agreement that a single model reaches with all originals.

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
        raise InvalidInputError(f"`average` must be 'mean' or 'none'; got {average!r}.")
    same = (predicted_classes(outputs) == predicted_classes(other)).mean(axis=1)
    return float(same.mean()) if average == "mean" else same


def shuffled_agreement(outputs, other) -> float:
    """Return the mean agreement over all pairs of models that do not correspond.

    Where it equals ``agreement``, the models of ``other`` reveal nothing about which original they
    correspond to: a rebuild that always returns one good model has both values high.

    Parameters
    ----------
    outputs : array-like of shape (n_models, n_queries, n_outputs)
        Logits of the original models, at least 2.
    other : array-like of shape (n_models, n_queries, n_outputs)
        Logits of the models to compare, in the same order.

    Returns
    -------
    float
        The mean agreement, between 0 and 1.

    See Also
    --------
    agreement : The agreement of corresponding models.

    Notes
    -----
    Exact over all ``n_models * (n_models - 1)`` pairs without forming them: the number of pairs
    that agree on a query is the sum over classes of the product of both numbers of votes.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.metrics import shuffled_agreement
    >>> outputs = np.array([[[2.0, 1.0]], [[0.0, 1.0]]])  # two models that disagree
    >>> shuffled_agreement(outputs, outputs)
    0.0
    """
    outputs, other = check_pair(outputs, other, "outputs", "other", 3)
    classes, other_classes = predicted_classes(outputs), predicted_classes(other)
    n_pairs = n_ordered_pairs(len(classes))
    same = (class_votes(classes, outputs) * class_votes(other_classes, other)).sum(axis=0)
    corresponding = (classes == other_classes).sum(axis=0)
    return float((same - corresponding).mean() / n_pairs)


def disagreement(outputs) -> float:
    """Return the mean fraction of queries for which two models predict different classes.

    Parameters
    ----------
    outputs : array-like of shape (n_models, n_queries, n_outputs)
        Logits of at least 2 models.

    Returns
    -------
    float
        The mean over all pairs of different models, between 0 and 1.

    See Also
    --------
    diversity : The distance of models in weight space.

    Examples
    --------
    >>> from wsl.metrics import disagreement
    >>> disagreement([[[2.0, 1.0]], [[0.0, 1.0]]])
    1.0
    """
    outputs = check_outputs(outputs, "outputs")
    return 1.0 - shuffled_agreement(outputs, outputs)


def class_votes(classes: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return how many models predict each class, ``(n_classes, n_queries)``."""
    return np.stack([(classes == c).sum(axis=0) for c in range(max(2, outputs.shape[2]))])
