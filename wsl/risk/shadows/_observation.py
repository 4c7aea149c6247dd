"""Responses of one fitted model to queries."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier


@dataclass(frozen=True, eq=False)
class ModelResponses:
    """Responses of one model, ``(n_queries, n_outputs)``, with the attributes of Population."""

    responses: np.ndarray
    output: str
    classes: np.ndarray | None


def respond(model: Any, X: np.ndarray, labels_only: bool = False) -> ModelResponses:
    """Return the responses of a fitted model to X.

    Those of a classifier are probabilities, decision values if it has no probabilities, or
    predicted labels, one-hot; those of a regressor are its predictions.
    """
    if not is_classifier(model):
        return ModelResponses(_as_columns(model.predict(X)), "logits", None)
    classes = plain_array(model.classes_)
    if labels_only or not (hasattr(model, "predict_proba") or hasattr(model, "decision_function")):
        predicted = model.predict(X)[:, None] == model.classes_
        return ModelResponses(_as_columns(predicted), "label", classes)
    if hasattr(model, "predict_proba"):
        return ModelResponses(_as_columns(model.predict_proba(X)), "proba", classes)
    return ModelResponses(_as_columns(model.decision_function(X)), "logits", None)


def plain_array(values: Any) -> np.ndarray:
    """Return an array whose strings are numpy's own and not objects, so that it can be stored."""
    values = np.asarray(values)
    return np.asarray(values.tolist()) if values.dtype.kind == "O" else values


def _as_columns(responses: Any) -> np.ndarray:
    responses = np.asarray(responses, dtype=np.float32)
    return responses.reshape(len(responses), -1)
