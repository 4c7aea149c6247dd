"""How well trained models do on their own task."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from ..evaluation._metrics import auc_contributions

if TYPE_CHECKING:
    from ...architectures import Architecture

CLASS_METRICS = ("accuracy", "balanced_accuracy", "base_rate", "auc")
ROW_VARIANCE = "{} (variance over rows)"
Scores = dict[str, np.ndarray]


def score_model(model: Any, X: Any, y: Any, is_classifier: bool) -> Scores:
    """Return a model's utility on ``(X, y)``, and how far it varies with the rows of a test set.

    Returns
    -------
    dict from metric to ndarray of shape (1, 2)
        The metric and the variance that it has over samples of rows. Metrics are those of
        ``CLASS_METRICS``, NaN where a model or labels have none, or "r2" and
        "mean_squared_error". The base rate is the accuracy of the most frequent class.
    """
    predicted, y = model.predict(X), np.asarray(y)
    if not is_classifier:
        predicted = np.asarray(predicted, dtype=float)
        return _score_values(predicted.reshape(1, len(y), -1), y.reshape(1, len(y), -1))
    classes = np.asarray(getattr(model, "classes_", ()))
    return _score_classes(predicted, _class_scores(model, X, classes.size), classes, y)


def _class_scores(model: Any, X: Any, n_classes: int) -> np.ndarray | None:
    """Return a score per class, larger for more likely ones, or None.

    Decision values of more than two classes may be those of pairs, so that they are not used.
    """
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(X), dtype=float)
    if n_classes == 2 and hasattr(model, "decision_function"):
        margins = np.asarray(model.decision_function(X), dtype=float).reshape(len(X), -1)[:, -1]
        return np.stack([-margins, margins], axis=1)
    return None


def score_zoo(
    architecture: "Architecture",
    weights: np.ndarray,
    test_sets: Sequence[tuple[Any, Any]],
    classes: np.ndarray | None,
) -> Scores:
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
    dict from metric to ndarray of shape (n_models, 2)
    """
    from ..._validation import owned_tensor  # here: other learners need no torch
    from ...zoo.training._datasets import by_size

    scores: Scores = {}
    for indices, sets in by_size([(X, y, None) for X, y in test_sets], len(weights)):
        targets = np.stack([np.asarray(y) for _, y, _ in sets])
        if len(sets) == 1:
            outputs = architecture.forward(weights[indices], sets[0][0])
        else:
            inputs = owned_tensor(np.stack([np.asarray(X) for X, *_ in sets]))
            rows = owned_tensor(weights[indices])
            outputs = architecture.forward_pass.forward_each(rows, inputs).numpy()
        for metric, values in _score_outputs(outputs, targets, classes).items():
            scores.setdefault(metric, np.empty((len(weights), 2)))[indices] = values
    return scores


def utility_entries(
    test_set: str, scores: Mapping[str, np.ndarray], is_fixed: bool
) -> dict[tuple[str, str], np.ndarray]:
    """Return scores as a population holds them, by test set and metric.

    The variance over rows counts where one test set serves all models: with a test set of each
    model's own, it is part of the variance between models.
    """
    entries = {(test_set, metric): values[:, 0] for metric, values in scores.items()}
    if is_fixed:
        entries |= {
            (test_set, ROW_VARIANCE.format(metric)): values[:, 1]
            for metric, values in scores.items()
        }
    return entries


def _score_outputs(outputs: np.ndarray, targets: np.ndarray, classes: np.ndarray | None) -> Scores:
    """Score outputs ``(n_models, n_samples, n_outputs)``; targets have a row per model or one."""
    if classes is None:
        return _score_values(outputs, targets.reshape(*targets.shape[:2], -1))
    if outputs.shape[2] == 1:
        outputs = np.concatenate([-outputs, outputs], axis=2)
    scores = [
        _score_classes(classes[logits.argmax(1)], softmax(logits, axis=1), classes, labels)
        for logits, labels in zip(
            outputs, np.broadcast_to(targets, (len(outputs), *targets.shape[1:])), strict=True
        )
    ]
    return {metric: np.concatenate([own[metric] for own in scores]) for metric in scores[0]}


def _score_classes(
    predicted: np.ndarray, scores: np.ndarray | None, classes: np.ndarray, y: np.ndarray
) -> Scores:
    """Score one model by contributions of rows, whose means are the metrics.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples,)
    scores : ndarray of shape (n_samples, n_classes) or None
        A column per class of ``classes``, larger for more likely ones.
    classes : ndarray of shape (n_classes,)
    y : ndarray of shape (n_samples,)
    """
    correct = (predicted == y).astype(float)
    contributions = {"accuracy": correct}
    if y.ndim == 1:
        labels, truth, counts = np.unique(y, return_inverse=True, return_counts=True)
        recalls = np.bincount(truth, correct) / counts
        balanced = (correct - recalls[truth]) * len(y) / (len(labels) * counts[truth])
        contributions["balanced_accuracy"] = recalls.mean() + balanced
        contributions["base_rate"] = (truth == counts.argmax()).astype(float)
        if scores is not None and len(labels) > 1 and np.isin(labels, classes).all():
            columns = (classes[:, None] == labels).argmax(0)
            contributions["auc"] = auc_contributions(scores[None, :, columns], truth)[0]
    unknown = np.full((1, 2), np.nan)
    return {
        metric: np.array([[contributions[metric].mean(), contributions[metric].var() / len(y)]])
        if metric in contributions
        else unknown
        for metric in CLASS_METRICS
    }


def _score_values(predicted: np.ndarray, targets: np.ndarray) -> Scores:
    r"""Score predictions ``(n_models, n_samples, n_outputs)``; targets have a row per model or one.

    Notes
    -----
    With squared errors :math:`e_i^2` of mean M, and squared deviations :math:`d_i^2` of the targets
    with mean V, a row moves :math:`R^2 = 1 - M / V` by
    :math:`(M - e_i^2) / V + M (d_i^2 - V) / V^2` to first order.
    """
    targets = targets.astype(float)
    squares = np.square(predicted - targets)
    deviations = np.square(targets - targets.mean(1, keepdims=True))
    error, variance = squares.mean(1), np.broadcast_to(deviations.mean(1), squares.mean(1).shape)
    unexplained = (error > 0).astype(float)  # for constant targets, as in scikit-learn
    np.divide(error, variance, out=unexplained, where=variance > 0)
    scale = np.divide(1, variance, out=np.zeros_like(variance), where=variance > 0)[:, None]
    influence = (error[:, None] - squares) * scale
    influence = influence + error[:, None] * (deviations - variance[:, None]) * scale**2
    n_samples = squares.shape[1]
    return {
        "r2": np.stack([(1 - unexplained).mean(1), influence.mean(2).var(1) / n_samples], axis=1),
        "mean_squared_error": np.stack([error.mean(1), squares.mean(2).var(1) / n_samples], axis=1),
    }
