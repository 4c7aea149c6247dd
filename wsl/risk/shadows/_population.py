"""Trained models as an adversary or an auditor observes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...exceptions import InvalidInputError
from ._class_columns import align_columns, equal_classes, union_of_classes

if TYPE_CHECKING:
    from ...architectures import Architecture


@dataclass(frozen=True, eq=False)
class Population:
    """What is observed of trained models.

    Attributes
    ----------
    properties : ndarray of shape (n_models,) or (n_models, n_properties)
        Value of the property under which each model's training set was drawn.
    models : ndarray of shape (n_models,), int
        Index of each model's training set; those of diverged models are missing.
    responses : ndarray of shape (n_models, n_queries, n_outputs), float32
    output : {"proba", "logits", "label"}
        What responses are: probabilities; logits or continuous predictions; or predicted labels,
        one-hot.
    classes : ndarray of shape (n_classes,) or None
        Classes of the columns of responses. Logits of two classes may be one column, that of the
        second class.
    weights : ndarray of shape (n_models, n_weights), float32, or None
    architecture : Architecture or None
        Of a row of weights; None if models have no weights, or not all the same architecture.
    utility : dict from (test set, metric) to ndarray of shape (n_models,)
        Of one test set for all models also the variance of each metric over its rows.
    """

    properties: np.ndarray
    models: np.ndarray
    responses: np.ndarray
    output: str
    classes: np.ndarray | None
    weights: np.ndarray | None
    architecture: "Architecture | None"
    utility: dict[tuple[str, str], np.ndarray]

    def __len__(self) -> int:
        return len(self.properties)


def join_populations(parts: Sequence[Population]) -> Population:
    """Return one population of the models of all parts, with one column per class of any part.

    Raises InvalidInputError if models have different numbers of outputs.
    """
    first = parts[0]
    classes = union_of_classes([part.classes for part in parts])
    responses = [align_columns(part.responses, part.classes, classes) for part in parts]
    is_aligned = first.output != "logits" or all(
        equal_classes(p.classes, first.classes) for p in parts
    )
    if not is_aligned or len({array.shape[1:] for array in responses}) > 1:
        raise InvalidInputError(
            "`learner` must respond with one number of outputs for all models; got several. Use a "
            "learner with predict_proba, or a family whose samples contain every class."
        )
    weights = [part.weights for part in parts if part.weights is not None]
    has_weights = len(weights) == len(parts) and all(
        part.architecture == first.architecture for part in parts
    )
    return Population(
        np.concatenate([part.properties for part in parts]),
        np.concatenate([part.models for part in parts]),
        np.concatenate(responses),
        first.output,
        classes,
        np.concatenate(weights) if has_weights else None,
        first.architecture if has_weights else None,
        {m: np.concatenate([part.utility[m] for part in parts]) for m in first.utility},
    )


def one_hot(outputs: np.ndarray) -> np.ndarray:
    """Return predicted labels of logits, one-hot, ``(..., n_classes)`` float32."""
    if outputs.shape[-1] == 1:
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=-1)
    predicted = outputs.argmax(-1)[..., None]
    return (predicted == np.arange(outputs.shape[-1])).astype(np.float32)
