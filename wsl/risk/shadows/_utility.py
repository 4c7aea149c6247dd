"""How well trained models do on their own task."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import mean_squared_error, r2_score

if TYPE_CHECKING:
    from ...architectures import Architecture


def score_model(
    predict: Callable[[np.ndarray], np.ndarray], X: Any, y: Any, is_classifier: bool
) -> dict[str, float]:
    """Return a model's utility on ``(X, y)``: accuracy, or R2 and mean squared error."""
    predicted = predict(X)
    if is_classifier:
        return {"accuracy": float(np.mean(predicted == y))}
    return {
        "r2": float(r2_score(y, predicted)),
        "mean_squared_error": float(mean_squared_error(y, predicted)),
    }


def score_zoo(
    architecture: "Architecture",
    weights: np.ndarray,
    test_sets: Sequence[tuple[Any, Any]],
    classes: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Return what ``score_model`` does, for many networks.

    Parameters
    ----------
    architecture : Architecture
    weights : ndarray of shape (n_models, n_weights)
    test_sets : sequence of (X, y)
        One per model, or one for all.
    classes : ndarray of shape (n_classes,) or None
        Classes of which outputs are logits, of two classes perhaps the second's alone; None if
        outputs are continuous predictions.

    Returns
    -------
    dict from metric to ndarray of shape (n_models,)
    """
    from ..._validation import owned_tensor  # here: other learners need no torch
    from ...zoo.training._datasets import by_size

    scores: dict[str, np.ndarray] = {}
    for indices, sets in by_size([(X, y, None) for X, y in test_sets], len(weights)):
        targets = np.stack([np.asarray(y) for _, y, _ in sets])
        if len(sets) == 1:
            outputs = architecture.forward(weights[indices], sets[0][0])
        else:
            inputs = owned_tensor(np.stack([np.asarray(X) for X, *_ in sets]))
            rows = owned_tensor(weights[indices])
            outputs = architecture.forward_pass.forward_each(rows, inputs).numpy()
        for metric, values in _score_outputs(outputs, targets, classes).items():
            scores.setdefault(metric, np.empty(len(weights)))[indices] = values
    return scores


def _score_outputs(
    outputs: np.ndarray, targets: np.ndarray, classes: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Score outputs ``(n_models, n_samples, n_outputs)``; targets have a row per model or one."""
    if classes is not None:
        is_single = outputs.shape[2] == 1
        indices = (outputs[:, :, 0] > 0).astype(int) if is_single else outputs.argmax(2)
        return {"accuracy": (classes[indices] == targets).mean(1)}
    targets = targets.reshape(*targets.shape[:2], -1).astype(float)
    squared_errors = np.square(outputs - targets).mean(1)
    variances = np.broadcast_to(targets.var(1), squared_errors.shape)
    unexplained = (squared_errors > 0).astype(float)  # for constant targets, as in scikit-learn
    np.divide(squared_errors, variances, out=unexplained, where=variances > 0)
    return {"r2": (1 - unexplained).mean(1), "mean_squared_error": squared_errors.mean(1)}
