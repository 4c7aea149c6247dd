"""Responses of shadow and target models in the same terms."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax

from ..shadows._class_columns import align_columns, equal_classes, union_of_classes
from ..shadows._population import Population


@dataclass(frozen=True, eq=False)
class ComparableResponses:
    """Responses of shadow and target models, column by column of the same meaning."""

    of_shadows: np.ndarray
    of_targets: np.ndarray
    output: str
    classes: np.ndarray | None


def comparable_responses(shadows: Population, targets: Population) -> ComparableResponses | str:
    """Return the responses of both populations, or the reason why they cannot be compared.

    If one responds with logits and the other with probabilities, logits become probabilities.
    """
    pair, output = (shadows, targets), shadows.output
    if output == targets.output and equal_classes(shadows.classes, targets.classes):
        arrays, classes = [population.responses for population in pair], shadows.classes
    else:
        classes = union_of_classes([shadows.classes, targets.classes])
        if classes is None or any(population.classes is None for population in pair):
            return "responses of shadow and target models are of different kinds"
        output = output if output == targets.output == "label" else "proba"
        arrays = [align_columns(probabilities(p), p.classes, classes) for p in pair]
    if arrays[0].shape[1:] != arrays[1].shape[1:]:
        return "shadow and target models have different numbers of outputs"
    shadow_responses, target_responses = arrays
    return ComparableResponses(shadow_responses, target_responses, output, classes)


def probabilities(population: Population) -> np.ndarray:
    """Return the responses of models of classes; logits as probabilities."""
    responses = population.responses
    if population.output != "logits":
        return responses
    if responses.shape[-1] == 1:
        return np.concatenate([expit(-responses), expit(responses)], axis=-1)
    return softmax(responses, axis=-1)
