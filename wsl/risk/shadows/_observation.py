"""What a trained model shows: answers to queries, weights where it has them, how well it does.

Training many models lives in ``_shadows``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from ...exceptions import UnsupportedModuleError, WslError

if TYPE_CHECKING:
    from ...architectures import Architecture

SCALERS = (MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler)


@dataclass(frozen=True, eq=False)
class ModelResponses:
    """What one model answers to queries; attributes as those of ``Population``."""

    responses: np.ndarray
    output: str
    classes: np.ndarray | None = None


def respond(model: Any, X: np.ndarray, labels_only: bool = False) -> ModelResponses:
    """Return what a fitted model answers to X, ``(n_queries, n_outputs)``.

    A classifier answers with probabilities, or decision values where it has none, or with 1 in the
    column of the class that it decides on; a regressor with its predictions.
    """
    if not is_classifier(model):
        return ModelResponses(_columns(model.predict(X)), "logits")
    classes = plain_array(model.classes_)
    if labels_only or not (hasattr(model, "predict_proba") or hasattr(model, "decision_function")):
        return ModelResponses(
            _columns(model.predict(X)[:, None] == model.classes_), "label", classes
        )
    if hasattr(model, "predict_proba"):
        return ModelResponses(_columns(model.predict_proba(X)), "proba", classes)
    return ModelResponses(_columns(model.decision_function(X)), "logits")


def plain_array(values: Any) -> np.ndarray:
    """Return an array whose strings are numpy's own and not objects, so that it can be stored."""
    values = np.asarray(values)
    return np.asarray(values.tolist()) if values.dtype.kind == "O" else values


def _columns(answers: Any) -> np.ndarray:
    answers = np.asarray(answers, dtype=np.float32)
    return answers.reshape(len(answers), -1)


def read_weights(model: Any, n_features: int) -> "tuple[np.ndarray, Architecture] | None":
    """Return a fitted model's weights ``(n_weights,)`` and what they mean; None if it has none.

    Linear models, multi-layer perceptrons and torch modules that skorch has trained have weights.
    In a Pipeline of scalers and one such model the scalers are folded into the first layer, which
    then acts on the raw features; any other Pipeline is a black box.
    """
    scalers, last = _unpack(model)
    if last is None or not any(hasattr(last, name) for name in ("coefs_", "coef_", "module_")):
        return None
    try:
        if hasattr(last, "module_"):
            from ...architectures import Architecture  # here: other learners do without torch

            architecture = Architecture(last.module_, input_shape=(n_features,))
            row = architecture.flatten([last.module_])[0]
        else:
            architecture = _architecture_of(last)
            row = architecture.flatten([last])[0]
        return _fold_scalers(row, architecture, scalers), architecture
    except (WslError, ValueError, TypeError, AttributeError, KeyError):
        return None


def _architecture_of(model: Any) -> "Architecture":
    """Return a scikit-learn model's architecture."""
    from ...architectures._conversion import sklearn_layers

    shapes = [weight.shape for weight, _ in sklearn_layers(model)]
    widths = (shapes[0][1], *(n_outputs for n_outputs, _ in shapes))
    return _mlp(widths, getattr(model, "activation", "identity"))


@lru_cache(maxsize=16)
def _mlp(widths: tuple[int, ...], activation: str) -> "Architecture":
    """Return one object for models that are alike: finding out that two are takes longer."""
    from ...architectures import Architecture
    from ...architectures._conversion import ACTIVATIONS

    architecture = Architecture.mlp(widths[0], widths[1:-1], widths[-1], ACTIVATIONS[activation])
    hash(architecture)  # found out once, it goes with the object from process to process
    return architecture


def _unpack(model: Any) -> tuple[list[Any], Any]:
    if not isinstance(model, Pipeline):
        return [], model
    *steps, last = (step for _, step in model.steps if step not in (None, "passthrough"))
    affine = all(type(s) in SCALERS and not getattr(s, "clip", False) for s in steps)
    return (steps, last) if affine else ([], None)


def _fold_scalers(row: np.ndarray, architecture: "Architecture", scalers: list[Any]) -> np.ndarray:
    """Return the row whose network acts on raw features as the given one on scaled features."""
    if not scalers:
        return row
    first, bias = (architecture.slices[name] for name in _first_layer(architecture))
    ends = np.stack([np.zeros(architecture.n_inputs), np.ones(architecture.n_inputs)])
    for scaler in scalers:  # each works on a column of its own, as a straight line
        ends = scaler.transform(ends)
    offset, slope = ends[0], ends[1] - ends[0]
    weight = row[first].reshape(-1, architecture.n_inputs).astype(float)
    folded = row.copy()
    folded[bias] = row[bias] + weight @ offset
    folded[first] = (weight * slope).ravel()
    return folded


def _first_layer(architecture: "Architecture") -> tuple[str, str]:
    """Return the names of weight and bias of the linear layer that alone takes the features."""
    from torch import nn

    takers = [step for step in architecture.forward_pass.steps if 0 in step.sources]
    layer, name = takers[0].layer, takers[0].name
    n_uses = sum(step.layer is layer for step in architecture.forward_pass.steps)
    if len(takers) > 1 or n_uses > 1 or type(layer) is not nn.Linear or layer.bias is None:
        raise UnsupportedModuleError(f"{architecture!r} has no first layer that scalers fold into")
    prefix = f"{name}." if name else ""
    return f"{prefix}weight", f"{prefix}bias"


def score(predict: Callable[[np.ndarray], np.ndarray], X: Any, y: Any, classifies: bool) -> dict:
    """Return a model's own quality on ``(X, y)``: accuracy, or R2 and mean squared error."""
    predicted = predict(X)
    if classifies:
        return {"accuracy": float(np.mean(predicted == y))}
    return {
        "r2": float(r2_score(y, predicted)),
        "mean_squared_error": float(mean_squared_error(y, predicted)),
    }


def score_zoo(
    architecture: "Architecture",
    weights: np.ndarray,
    tests: Sequence[tuple[Any, Any]],
    classes: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Return what ``score`` does, for many models, each on a set of its own or all on one.

    Parameters
    ----------
    architecture : Architecture
    weights : ndarray ``(n_models, n_weights)``
    tests : sequence of (X, y)
        One a model, or one for all.
    classes : ndarray or None
        Outputs are logits of these, of the second alone where there are two; without classes they
        are the predictions.

    Returns
    -------
    dict from metric to ndarray ``(n_models,)``
    """
    from ..._validation import owned_tensor  # here, so that other learners do without torch
    from ...zoo.training._datasets import by_size

    scores: dict[str, np.ndarray] = {}
    for places, sets in by_size([(X, y, None) for X, y in tests], len(weights)):
        targets = np.stack([np.asarray(y) for _, y, _ in sets])
        if len(sets) == 1:
            outputs = architecture.forward(weights[places], sets[0][0])
        else:
            inputs = owned_tensor(np.stack([np.asarray(X) for X, *_ in sets]))
            outputs = architecture.forward_pass.forward_each(
                owned_tensor(weights[places]), inputs
            ).numpy()
        for metric, values in _rate(outputs, targets, classes).items():
            scores.setdefault(metric, np.empty(len(weights)))[places] = values
    return scores


def _rate(
    outputs: np.ndarray, targets: np.ndarray, classes: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Rate outputs ``(n_models, n_samples, n_outputs)`` on targets, one row a model or for all."""
    if classes is not None:
        single = outputs.shape[2] == 1
        indices = (outputs[:, :, 0] > 0).astype(int) if single else outputs.argmax(2)
        return {"accuracy": (classes[indices] == targets).mean(1)}
    targets = targets.reshape(*targets.shape[:2], -1).astype(float)
    squares = np.square(outputs - targets).mean(1)
    spread = np.broadcast_to(targets.var(1), squares.shape)
    missed = (squares > 0).astype(float)  # where targets are all alike, as in scikit-learn
    np.divide(squares, spread, out=missed, where=spread > 0)
    return {"r2": (1 - missed).mean(1), "mean_squared_error": squares.mean(1)}
