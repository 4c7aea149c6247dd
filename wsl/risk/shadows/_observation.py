"""Responses of one fitted model to queries."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from ...distributions._table_rows import plain_column


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
    classes = plain_column(model.classes_, objects=True)
    if labels_only or not (hasattr(model, "predict_proba") or hasattr(model, "decision_function")):
        predicted = model.predict(X)[:, None] == model.classes_
        return ModelResponses(_as_columns(predicted), "label", classes)
    if hasattr(model, "predict_proba"):
        return ModelResponses(_as_columns(model.predict_proba(X)), "proba", classes)
    return ModelResponses(_as_columns(model.decision_function(X)), "logits", None)


def _as_columns(responses: Any) -> np.ndarray:
    responses = np.asarray(responses, dtype=np.float32)
    return responses.reshape(len(responses), -1)
