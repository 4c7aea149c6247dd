"""What an attack learns from and is applied to: one row of weights or responses per model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from ..._caller_warnings import warn_caller
from ...distributions._properties import Properties
from ...exceptions import AttackNotApplicableWarning
from ..shadows._adversary_queries import QuerySet
from ..shadows._population import Population
from ._attack_specs import AttackSpec
from ._comparable_responses import ComparableResponses, comparable_responses


@dataclass(frozen=True, eq=False)
class AttackInputs:
    """An unfitted attack and the rows that it takes.

    Attributes
    ----------
    estimator : estimator
        With all parameters that the adversary knows.
    shadow_rows, target_rows : ndarray of shape (n_models, n_columns)
    """

    estimator: Any
    shadow_rows: np.ndarray
    target_rows: np.ndarray


def encode_properties(values: np.ndarray, properties: Properties) -> np.ndarray:
    """Return classes as their indices in ``properties``, and continuous properties unchanged.

    So a class that is a number, such as .2 or .5, is not taken for a continuous property.
    """
    if isinstance(properties, tuple):
        return np.array([properties.index(value) for value in values.tolist()])
    return values


def prepare_attacks(
    specs: Sequence[AttackSpec],
    shadows: Population,
    targets: Population,
    properties: Properties,
    queries: QuerySet | None = None,
    n_selected_queries: int | None = None,
) -> tuple[dict[str, AttackInputs], dict[str, str]]:
    """Return the inputs of the attacks that are applicable, and why others are skipped, by name."""
    if queries is not None and queries.properties is not None:
        queries = replace(queries, properties=encode_properties(queries.properties, properties))
    inputs = {
        spec.name: prepare_inputs(spec, shadows, targets, queries, n_selected_queries)
        for spec in specs
    }
    skipped = {name: reason for name, reason in inputs.items() if isinstance(reason, str)}
    for name, reason in skipped.items():
        message = f"attack {name!r} skipped: {reason}."
        warn_caller(message, AttackNotApplicableWarning)
    return {name: own for name, own in inputs.items() if not isinstance(own, str)}, skipped


def prepare_inputs(
    spec: AttackSpec,
    shadows: Population,
    targets: Population,
    queries: QuerySet | None = None,
    n_selected_queries: int | None = None,
) -> AttackInputs | str:
    """Return the inputs of an attack, or the reason why it is not applicable.

    The properties of the queries, of which attacks learn, are encoded.
    """
    if spec.is_white_box:
        return _white_box_inputs(spec, shadows, targets)
    return _black_box_inputs(spec, shadows, targets, queries, n_selected_queries)


def _white_box_inputs(
    spec: AttackSpec, shadows: Population, targets: Population
) -> AttackInputs | str:
    if shadows.weights is None or targets.weights is None:
        whose = "the learner's models" if shadows.weights is None else "the target models"
        return f"it needs weights, and {whose} have none that can be read"
    if shadows.architecture != targets.architecture:
        return "shadow and target models have different architectures"
    estimator = _with_knowledge(spec.estimator, architecture=shadows.architecture)
    return AttackInputs(estimator, shadows.weights, targets.weights)


def _black_box_inputs(
    spec: AttackSpec,
    shadows: Population,
    targets: Population,
    queries: QuerySet | None,
    n_selected_queries: int | None,
) -> AttackInputs | str:
    from ...attacks import STRATEGIES

    responses = comparable_responses(shadows, targets)
    if isinstance(responses, str):
        return responses
    query_labels = query_properties = None
    if queries is not None:
        query_labels = _class_indices(queries.labels, responses.classes)
        query_properties = queries.properties
    strategy = STRATEGIES.get(getattr(spec.estimator, "strategy", ""))
    lacks_labels = query_labels is None or query_properties is None
    if strategy is not None and strategy.needs and lacks_labels:
        return "it needs queries with labels, which are drawn from the family"
    selects = strategy is None or strategy.selects_queries
    estimator = _with_knowledge(
        spec.estimator,
        query_labels=query_labels,
        query_properties=query_properties,
        n_selected_queries=n_selected_queries if selects else None,
    )
    return _response_rows(estimator, responses)


def _response_rows(estimator: Any, responses: ComparableResponses) -> AttackInputs:
    """Return responses in the form that the attack takes, and tell it what form that is."""
    output, pair = responses.output, (responses.of_shadows, responses.of_targets)
    if output == "label":
        if getattr(estimator, "strategy", None) == "queries" and pair[0].shape[-1] > 2:
            output = "proba"  # indices of classes would be taken for an order
        else:
            pair = tuple(one_hot.argmax(-1)[..., None] for one_hot in pair)
    shadow_rows, target_rows = (
        array.reshape(len(array), -1).astype(np.float32, copy=False) for array in pair
    )
    if "query_output" in estimator.get_params(deep=False):
        estimator.set_params(query_output=output)
    return AttackInputs(estimator, shadow_rows, target_rows)


def _with_knowledge(estimator: Any, **knowledge: Any) -> Any:
    """Return a copy of an estimator with parameters that it has and that are None."""
    parameters = estimator.get_params(deep=False)
    return clone(estimator).set_params(
        **{
            name: value
            for name, value in knowledge.items()
            if name in parameters and parameters[name] is None
        }
    )


def _class_indices(labels: np.ndarray | None, classes: np.ndarray | None) -> np.ndarray | None:
    """Return labels as indices of classes; None if one of them is not among the classes."""
    if labels is None or classes is None:
        return labels
    indices = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    return indices if np.array_equal(classes[indices], labels) else None
