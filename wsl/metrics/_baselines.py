"""Baselines of agreement: what the same prediction for every original reaches."""

import numpy as np

from ..exceptions import InvalidInputError
from ._agreement import class_votes, predicted_classes
from ._explained_variance import as_behavior
from ._output_checks import check_outputs


def best_single_model_agreement(outputs, candidates=None) -> float:
    """Return the highest mean agreement of a single model with all originals.

    Parameters
    ----------
    outputs : array-like of shape (n_models, n_queries, n_outputs)
        Logits of the original models.
    candidates : array-like of shape (n_candidates, n_queries, n_outputs), optional
        Logits of the models to choose the best of, such as those of the training zoo. By default
        the originals; the best one then agrees with itself, which counts as one of ``n_models``.

    Returns
    -------
    float
        The mean agreement, between 0 and 1.

    See Also
    --------
    averaged_prediction_agreement : The agreement of the averaged prediction.
    agreement : The agreement of corresponding models.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.metrics import best_single_model_agreement
    >>> votes = np.array([[0, 1], [0, 1], [0, 0]])  # classes of three models on two queries
    >>> print(round(best_single_model_agreement(np.eye(2)[votes]), 3))
    0.833
    """
    outputs = check_outputs(outputs, "outputs")
    candidates = outputs if candidates is None else _check_candidates(candidates, outputs)
    return float(_agreement_with_all(outputs, predicted_classes(candidates)).max())


def averaged_prediction_agreement(outputs, candidates=None) -> float:
    """Return the mean agreement of the averaged prediction with all originals.

    Probabilities are averaged over models; a single output is averaged as a logit.

    Parameters
    ----------
    outputs : array-like of shape (n_models, n_queries, n_outputs)
        Logits of the original models.
    candidates : array-like of shape (n_candidates, n_queries, n_outputs), optional
        Logits of the models to average. By default the originals.

    Returns
    -------
    float
        The mean agreement, between 0 and 1.

    See Also
    --------
    best_single_model_agreement : The agreement of the best single model.
    agreement : The agreement of corresponding models.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.metrics import averaged_prediction_agreement
    >>> votes = np.array([[0, 1], [0, 1], [0, 0]])  # classes of three models on two queries
    >>> print(round(averaged_prediction_agreement(np.eye(2)[votes]), 3))
    0.833
    """
    outputs = check_outputs(outputs, "outputs")
    candidates = outputs if candidates is None else _check_candidates(candidates, outputs)
    average = as_behavior(candidates).mean(axis=0, keepdims=True)
    return float(_agreement_with_all(outputs, predicted_classes(average))[0])


def _agreement_with_all(outputs: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the mean agreement of each row of classes ``(n_rows, n_queries)`` with all models."""
    votes = class_votes(predicted_classes(outputs), outputs)
    return np.take_along_axis(votes, classes, axis=0).mean(axis=1) / len(outputs)


def _check_candidates(candidates, outputs: np.ndarray) -> np.ndarray:
    candidates = check_outputs(candidates, "candidates")
    if candidates.shape[1:] != outputs.shape[1:]:
        raise InvalidInputError(
            f"`candidates` must have {outputs.shape[1]} queries and {outputs.shape[2]} outputs, as "
            f"`outputs` has; got {candidates.shape[1]} and {candidates.shape[2]}."
        )
    return candidates
