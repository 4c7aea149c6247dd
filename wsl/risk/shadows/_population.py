"""Trained models as an adversary or an auditor sees them, and two populations seen alike.

Training lives in ``_shadows``, storage in ``_cache``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, softmax

from ...exceptions import InvalidInputError

if TYPE_CHECKING:
    from ...architectures import Architecture


@dataclass(frozen=True, eq=False)
class Population:
    """Trained models, as far as an adversary or an auditor sees them.

    Attributes
    ----------
    properties : ndarray ``(n_models,)`` or ``(n_models, n_properties)``
    models : ndarray ``(n_models,)`` of int
        Which draws they were trained on; those of diverged models are missing.
    responses : ndarray ``(n_models, n_queries, n_outputs)`` float32
    output : {"proba", "logits", "label"}
        What an answer is: probabilities; logits or predicted numbers; the decided class, as 1 in
        its column.
    classes : ndarray ``(n_classes,)`` or None
        The classes that the columns of the responses stand for. Logits of two classes may be one
        column, that of the second.
    weights : ndarray ``(n_models, n_weights)`` float32, or None
    architecture : Architecture or None
        What a row of weights means; None where models have no weights, or not all the same.
    utility : dict from (test set, metric) to ndarray ``(n_models,)``
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


def join(parts: Sequence[Population]) -> Population:
    """Return one population of the models of all parts, each class a column.

    Raises InvalidInputError where models answer with different numbers of outputs.
    """
    first = parts[0]
    classes = _union([part.classes for part in parts])
    responses = [_in_columns(part.responses, part.classes, classes) for part in parts]
    unlike = first.output == "logits" and not all(_same(p.classes, first.classes) for p in parts)
    if unlike or len({answers.shape[1:] for answers in responses}) > 1:
        raise InvalidInputError(
            "learner answers queries with a number of outputs that changes from model to model; "
            "wanted a learner with predict_proba, or families whose samples hold every class"
        )
    weights = [part.weights for part in parts if part.weights is not None]
    alike = len(weights) == len(parts)
    alike = alike and all(part.architecture == first.architecture for part in parts)
    return Population(
        np.concatenate([part.properties for part in parts]),
        np.concatenate([part.models for part in parts]),
        np.concatenate(responses),
        first.output,
        classes,
        np.concatenate(weights) if alike else None,
        first.architecture if alike else None,
        {m: np.concatenate([part.utility[m] for part in parts]) for m in first.utility},
    )


@dataclass(frozen=True, eq=False)
class View:
    """The answers of two populations in the same terms, and what those are."""

    seen: np.ndarray
    attacked: np.ndarray
    output: str
    classes: np.ndarray | None


def common_view(shadows: Population, targets: Population) -> View | str:
    """Return the answers of both, column by column the same; or why they cannot be compared.

    Logits and probabilities of the same classes meet as probabilities.
    """
    pair, output = (shadows, targets), shadows.output
    if output == targets.output and _same(shadows.classes, targets.classes):
        seen, attacked, classes = shadows.responses, targets.responses, shadows.classes
    else:
        classes = _union([shadows.classes, targets.classes])
        if classes is None or any(population.classes is None for population in pair):
            return "targets and shadows answer in terms that cannot be compared"
        output = output if output == targets.output == "label" else "proba"
        seen, attacked = (_in_columns(_probabilities(p), p.classes, classes) for p in pair)
    if seen.shape[1:] != attacked.shape[1:]:
        return "targets and shadows answer with different numbers of outputs"
    return View(seen, attacked, output, classes)


def one_hot(outputs: np.ndarray) -> np.ndarray:
    """Return the decided class of logits as 1 in its column, ``(..., n_classes)`` float32."""
    if outputs.shape[-1] == 1:
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=-1)
    decided = outputs.argmax(-1)[..., None]
    return (decided == np.arange(outputs.shape[-1])).astype(np.float32)


def _probabilities(population: Population) -> np.ndarray:
    responses = population.responses
    if population.output != "logits":
        return responses
    if responses.shape[-1] == 1:
        return np.concatenate([expit(-responses), expit(responses)], axis=-1)
    return softmax(responses, axis=-1)


def _same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _union(columns: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [classes for classes in columns if classes is not None]
    return np.unique(np.concatenate(known)) if known else None


def _in_columns(
    answers: np.ndarray, have: np.ndarray | None, wanted: np.ndarray | None
) -> np.ndarray:
    """Give each of the wanted classes a column; one that a model does not know is answered 0."""
    if have is None or wanted is None or len(have) == len(wanted):
        return answers
    spread = np.zeros((*answers.shape[:-1], len(wanted)), dtype=answers.dtype)
    spread[..., np.searchsorted(wanted, have)] = answers
    return spread
