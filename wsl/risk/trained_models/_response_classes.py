"""Classes of responses: those of the shadow models, in their order."""

from dataclasses import replace
from typing import Any

import numpy as np

from ...exceptions import InvalidInputError
from ..shadows._drawn_sets import DrawnSets
from ._model_responses import ObservedResponses


def check_known_classes(observed: ObservedResponses, training_sets: DrawnSets, name: str) -> None:
    """Raise InvalidInputError if no training sets have the classes that a model responds with."""
    if observed.output == "number":
        return
    own = _own_classes(observed)
    known: set[Any] = set()
    for index in range(len(training_sets)):
        known |= set(np.unique(np.asarray(training_sets(index)[1])).tolist())
        if own is not None and None not in _matches(own, known).values():
            return
        if own is None and len(known) >= observed.values.shape[1] > 1:
            break
    classes = np.array(sorted(known))
    if own is not None:
        _match_classes(own, classes.tolist(), name)
    else:
        _check_n_outputs(observed, classes.tolist(), name)


def _own_classes(observed: ObservedResponses) -> list | None:
    """Return the classes that a model knows; None if it does not say or has none."""
    if observed.output == "number":
        return None
    if observed.output == "label":
        return np.unique(observed.values).tolist()
    return None if observed.classes is None else list(observed.classes)


def _matches(own: Any, known: Any) -> dict[Any, Any]:
    """Return the known class of each, which may be text where that is not; None for no class."""
    by_text = {str(value): value for value in known}
    return {value: value if value in known else by_text.get(str(value)) for value in own}


def _match_classes(own: Any, known: Any, name: str) -> dict[Any, Any]:
    matches = _matches(own, known)
    unknown = [value for value, match in matches.items() if match is None]
    if unknown:
        raise InvalidInputError(
            f"`{name}` must respond with classes of the family's training sets, {known}; got also "
            f"{unknown}."
        )
    return matches


def _check_n_outputs(observed: ObservedResponses, known: list, name: str) -> None:
    n_outputs = observed.values.shape[1]
    is_one_logit = observed.output == "logits" and n_outputs == 1 and len(known) == 2
    if n_outputs != len(known) and not is_one_logit:
        raise InvalidInputError(
            f"`{name}` must have one output per class of the shadow models, {known}, or name the "
            f"class of each; got {n_outputs}."
        )


def name_classes(observed: ObservedResponses, classes: np.ndarray, name: str) -> ObservedResponses:
    """Return responses whose labels or columns are classes of the shadow models, in their order.

    Raises
    ------
    InvalidInputError
        If the model knows a class that no shadow model does, or has another number of outputs.
    """
    known, own = classes.tolist(), _own_classes(observed)
    if own is None:
        _check_n_outputs(observed, known, name)
        return replace(observed, classes=classes)
    matches = _match_classes(own, known, name)
    if observed.output == "label":
        values = np.array([matches[value] for value in observed.values.tolist()])
        return replace(observed, values=values, classes=classes)
    order = sorted(range(len(own)), key=lambda column: known.index(matches[own[column]]))
    named = np.array([matches[own[column]] for column in order])
    return replace(observed, values=observed.values[:, order], classes=named)
