"""The models of an audit of trained models: their names, their learner, and what is observed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from ...exceptions import InvalidInputError, UnsupportedModuleError
from .._input_checks import check_learner, is_fitted
from ..evaluation._comparable_responses import probabilities
from ..shadows._jobs import seeded
from ..shadows._population import Population, join_populations, one_hot
from ._model_responses import ObservedResponses, is_zoo
from ._recorded_responses import RecordedResponses
from ._response_classes import name_classes

ONLY = "model"  # the name of a model that is audited alone


def resolve_models(model: Any) -> dict[str, Any]:
    """Return models by name, after a check that each is trained and responds to queries."""
    if isinstance(model, Mapping):
        models = {str(name): each for name, each in model.items()}
    elif isinstance(model, (list, tuple)) or (is_zoo(model) and len(model) != 1):
        models = {str(index): each for index, each in enumerate(model)}
    else:
        models = {ONLY: model}
    if not models:
        raise InvalidInputError("`model` must be at least one model; got none.")
    for name, each in models.items():
        _check_model(each, argument_of(name))
    return models


def argument_of(name: str) -> str:
    """Return what errors call a model."""
    return "model" if name == ONLY else f"model[{name!r}]"


def _check_model(model: Any, name: str) -> None:
    if isinstance(model, RecordedResponses) or is_zoo(model):
        return
    responds = any(hasattr(model, name) for name in ("predict", "predict_proba", "parameters"))
    if isinstance(model, type) or not responds:
        raise UnsupportedModuleError(
            f"`{name}` must be a trained model with predict or predict_proba, a torch module, or "
            f"RecordedResponses; got {model!r}."
        )
    if hasattr(model, "__sklearn_tags__") and not is_fitted(model):
        raise InvalidInputError(
            f"`{name}` must be fitted; got {model!r}. To audit a learner and not one model, use "
            "wsl.audit."
        )


def resolve_shadow_learner(models: Mapping[str, Any], learner: Any) -> Any:
    """Return the learner of the shadow models: by default an unfitted copy of the models."""
    if learner is not None:
        check_learner(learner, "learner")
        return learner
    copies = {name: _unfitted_copy(model, argument_of(name)) for name, model in models.items()}
    first, *others = copies.values()
    settings = repr(seeded(first, 0).get_params())
    for other in others:
        if type(other) is not type(first) or repr(seeded(other, 0).get_params()) != settings:
            raise InvalidInputError(
                "`learner` must be given for models of several learners; got none, with "
                f"{first!r} and {other!r}. Audit them one by one to train shadow models of each."
            )
    return first


def _unfitted_copy(model: Any, name: str) -> Any:
    reason = f"a {type(model).__name__} cannot be trained again"
    if hasattr(model, "get_params") and hasattr(model, "fit"):
        try:
            copy = clone(model)
            check_learner(copy, "learner")
        except (TypeError, RuntimeError) as error:
            reason = str(error)
        else:
            if not is_fitted(copy):
                return copy
            reason = "its clone is trained already"
    raise InvalidInputError(
        f"`learner` must be given, as shadow models cannot be trained by a copy of `{name}`: "
        f"{reason}."
    )


def target_population(observed: Mapping[str, ObservedResponses], shadows: Population) -> Population:
    """Return the models as a population, with responses in terms of the shadow models'.

    Their properties are unknown, NaN.
    """
    parts = [
        _population_of(index, responses, shadows, argument_of(name))
        for index, (name, responses) in enumerate(observed.items())
    ]
    if len({part.output for part in parts}) > 1:
        parts = [replace(part, responses=probabilities(part), output="proba") for part in parts]
    return join_populations(parts)


def _population_of(
    index: int, observed: ObservedResponses, shadows: Population, name: str
) -> Population:
    classes = shadows.classes
    if observed.output != "number" and classes is not None:
        observed = name_classes(observed, classes, name)
        classes = np.asarray(observed.classes)
    output = "logits" if observed.output == "number" else observed.output
    values = observed.values
    if output == "label" and classes is not None:
        values = values[:, None] == classes
    elif shadows.output == "label":
        values, output = one_hot(values), "label"
    elif output == "logits" and shadows.output == "proba" and _are_probabilities(values):
        output = "proba"
    weights = observed.weights
    return Population(
        np.array([np.nan]),
        np.array([index]),
        np.asarray(values, dtype=np.float32).reshape(1, len(values), -1),
        output,
        None if observed.output == "number" else classes,
        None if weights is None else weights[None],
        observed.architecture,
        {},
    )


def _are_probabilities(outputs: np.ndarray) -> bool:
    """Return True for outputs of a network that ends in a softmax."""
    sums = outputs.sum(axis=1)
    return outputs.shape[1] > 1 and bool((outputs >= 0).all() and np.abs(sums - 1).max() < 1e-4)
