"""What is reached by giving every original the same answers: the floors of agreement.

A rebuild that agrees no better than these says nothing of the single model.
"""

import numpy as np

from ..exceptions import InvalidInputError
from ._agreement import class_votes, predicted_classes
from ._explained_variance import as_behavior
from ._output_checks import check_outputs


def best_single_model_agreement(outputs, candidates=None) -> float:
    """Return the mean agreement that one and the same model, given to everybody, can reach.

    Parameters
    ----------
    outputs : array ``(n_models, n_queries, n_outputs)``
        Of the originals.
    candidates : array ``(n_candidates, n_queries, n_outputs)``, optional
        Of the models to choose the best from, such as those of the training zoo. By default the
        originals; the best then agrees with itself, which counts as one of ``n_models``.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.metrics import best_single_model_agreement
    >>> votes = np.array([[0, 1], [0, 1], [0, 0]])  # classes of three models on two queries
    >>> print(round(best_single_model_agreement(np.eye(2)[votes]), 3))
    0.833
    """
    outputs = check_outputs(outputs, "outputs")
    candidates = outputs if candidates is None else _check_alike(candidates, outputs)
    return float(_agreement_with_all(outputs, predicted_classes(candidates)).max())


def averaged_prediction_agreement(outputs, candidates=None) -> float:
    """Return the mean agreement of the averaged prediction, given to everybody.

    Probabilities are averaged over models; a single output is averaged as a logit.

    Parameters
    ----------
    outputs : array ``(n_models, n_queries, n_outputs)``
        Of the originals.
    candidates : array ``(n_candidates, n_queries, n_outputs)``, optional
        Of the models to average; by default the originals.

    Returns
    -------
    float
    """
    outputs = check_outputs(outputs, "outputs")
    candidates = outputs if candidates is None else _check_alike(candidates, outputs)
    average = as_behavior(candidates).mean(axis=0, keepdims=True)
    return float(_agreement_with_all(outputs, predicted_classes(average))[0])


def _agreement_with_all(outputs: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the mean agreement of each row of classes ``(n_rows, n_queries)`` with all models."""
    votes = class_votes(predicted_classes(outputs), outputs)
    return np.take_along_axis(votes, classes, axis=0).mean(axis=1) / len(outputs)


def _check_alike(candidates, outputs: np.ndarray) -> np.ndarray:
    candidates = check_outputs(candidates, "candidates")
    if candidates.shape[1:] != outputs.shape[1:]:
        raise InvalidInputError(
            f"candidates has {candidates.shape[1]} queries and {candidates.shape[2]} outputs, but "
            f"outputs has {outputs.shape[1]} and {outputs.shape[2]}"
        )
    return candidates
