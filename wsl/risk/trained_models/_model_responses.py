"""Responses of one trained model, of any kind, to the queries of an adversary."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._threads import one_thread
from ...exceptions import InvalidInputError, UnsupportedModuleError
from ..shadows._observation import respond
from ..shadows._weight_reading import read_weights
from ._recorded_responses import RecordedResponses

if TYPE_CHECKING:
    from ...architectures import Architecture

ROUNDING = 0.02  # by which recorded probabilities of a query may miss 1


@dataclass(frozen=True, eq=False)
class ObservedResponses:
    """What is observed of one trained model.

    Attributes
    ----------
    values : ndarray of shape (n_queries,) or (n_queries, n_outputs)
    output : {"proba", "logits", "label", "number"}
        What values are; labels are as they were predicted.
    classes : sequence or None
        Classes of the columns; None where the model does not say.
    weights : ndarray of shape (n_weights,) or None
    architecture : Architecture or None
    """

    values: np.ndarray
    output: str
    classes: Any = None
    weights: np.ndarray | None = None
    architecture: "Architecture | None" = None


def observe(
    model: Any, name: str, queries: Any, *, is_class: bool, labels_only: bool
) -> ObservedResponses:
    """Return a model's responses to queries, and its weights if they can be read.

    Parameters
    ----------
    model : estimator, nn.Module, ModelZoo of one model, RecordedResponses or other object
    name : str
        What errors call the model.
    queries : ndarray or DataFrame of shape (n_queries, n_features)
    is_class : bool
        Whether the shadow models are classifiers.
    labels_only : bool
    """
    if isinstance(model, RecordedResponses):
        observed = interpret(model, name, is_class)
    else:
        try:
            with one_thread():
                observed = _respond(model, name, queries, is_class, labels_only)
        except (InvalidInputError, UnsupportedModuleError) as error:
            if f"`{name}`" in str(error):
                raise
            raise InvalidInputError(f"`{name}` must respond to the queries: {error}") from error
        except Exception as error:  # whatever a model of any kind raises
            raise InvalidInputError(
                f"`{name}` must respond to the queries, which are rows of the adversary's family "
                f"or its own; it raised {type(error).__name__}: {error}"
            ) from error
    if not np.issubdtype(observed.values.dtype, np.number):
        return observed
    n_bad = int((~np.isfinite(observed.values)).sum())
    if n_bad:
        raise InvalidInputError(
            f"`{name}` must respond with finite numbers; got {n_bad} of {observed.values.size} "
            "that are not."
        )
    return observed


def _respond(
    model: Any, name: str, queries: Any, is_class: bool, labels_only: bool
) -> ObservedResponses:
    torch = sys.modules.get("torch")  # not imported where no model can be a module
    if is_zoo(model) or (torch is not None and isinstance(model, torch.nn.Module)):
        return _network_responses(model, queries, "logits" if is_class else "number")
    if hasattr(model, "__sklearn_tags__"):
        _check_kind(model, name, is_class)
        observed = respond(model, queries, labels_only)
        output = observed.output if is_class else "number"
        weights, architecture = read_weights(model, queries.shape[1]) or (None, None)
        values: Any = observed.responses
        if output == "label":
            values = np.asarray(observed.classes)[values.argmax(axis=1)]
        return ObservedResponses(values, output, observed.classes, weights, architecture)
    has_labels = hasattr(model, "predict")
    if is_class and hasattr(model, "predict_proba") and not (labels_only and has_labels):
        probabilities = np.asarray(model.predict_proba(queries), dtype=float)
        if probabilities.ndim == 1:
            probabilities = np.column_stack([1 - probabilities, probabilities])
        return _probabilities(probabilities, getattr(model, "classes_", None), name)
    return interpret(RecordedResponses(queries, model.predict(queries)), name, is_class)


def _network_responses(model: Any, queries: Any, output: str) -> ObservedResponses:
    """Return the outputs of a zoo of one model, or of a module, and its weights if it has a row."""
    if not is_zoo(model):
        from ...architectures import Architecture
        from ...zoo import ModelZoo

        try:
            architecture = Architecture(model, input_shape=np.shape(queries)[1:])
            model = ModelZoo(architecture.flatten(model), architecture)
        except UnsupportedModuleError:
            return ObservedResponses(_run_module(model, queries), output)
    outputs = model.architecture.forward(model.weights, queries)[0]
    return ObservedResponses(outputs, output, None, model.weights[0], model.architecture)


def _run_module(module: Any, queries: Any) -> np.ndarray:
    """Return the outputs of a module that is no row of weights, a black box."""
    import torch

    was_training = module.training
    try:
        with torch.no_grad():
            inputs = torch.tensor(np.asarray(queries), dtype=torch.get_default_dtype())
            return module.eval()(inputs).reshape(len(inputs), -1).numpy()
    finally:
        module.train(was_training)


def is_zoo(model: Any) -> bool:
    """Return True for a ModelZoo, without the import of torch."""
    return all(hasattr(model, name) for name in ("architecture", "weights", "metadata"))


def _check_kind(model: Any, name: str, is_class: bool) -> None:
    from sklearn.base import is_classifier

    if is_classifier(model) != is_class:
        kinds = ("a classifier", "a regressor")
        shadow, own = kinds if is_class else kinds[::-1]
        raise InvalidInputError(
            f"`{name}` must be {shadow}, as the learner of the shadow models is one; got {own}: "
            f"{model!r}."
        )


def interpret(recorded: RecordedResponses, name: str, is_class: bool) -> ObservedResponses:
    """Return what recorded responses are: numbers of a regressor, probabilities or labels."""
    values = recorded.values
    if not is_class:
        if values.dtype.kind not in "biuf":
            raise InvalidInputError(
                f"`{name}` must respond with numbers, as the learner of the shadow models is a "
                f"regressor; got {values[0].tolist()!r}."
            )
        return ObservedResponses(values.reshape(len(values), -1).astype(float), "number")
    if values.ndim == 1:
        is_inside = values.dtype.kind == "f" and ((values >= 0) & (values <= 1)).all()
        if is_inside and (values % 1).any():
            return ObservedResponses(np.column_stack([1 - values, values]), "proba")
        return ObservedResponses(values, "label")
    return _probabilities(values.astype(float), recorded.columns, name)


def _probabilities(values: np.ndarray, classes: Any, name: str) -> ObservedResponses:
    """Return probabilities of classes ``(n_queries, n_classes)``, checked."""
    sums = values.sum(axis=1)
    inside = (values >= 0) & (values <= 1)  # False for NaN
    if not inside.all() or np.abs(sums - 1).max() > ROUNDING:
        raise InvalidInputError(
            f"`{name}` must respond with probabilities of the classes, which add up to 1 for each "
            f"query; got values from {values.min():g} to {values.max():g} and sums from "
            f"{sums.min():g} to {sums.max():g}."
        )
    return ObservedResponses(values, "proba", classes)
