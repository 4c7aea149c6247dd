"""Scores of shadow models by attacks that were trained without them, and of trained models."""

from dataclasses import dataclass, replace

import numpy as np

from ..._random import resolve_random_state
from ...attacks.meta_classifiers._temperature_scaling import TINY
from ...distributions._properties import Properties
from ...exceptions import InvalidInputError
from ..evaluation._attack_inputs import AttackInputs
from ..evaluation._attack_runs import AttackRun, run_attack

N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class HeldOutScores:
    """What an attack says of models that it was not trained on.

    Attributes
    ----------
    of_shadows : ndarray of shape (n_shadows, n_columns)
        By the attack that was trained without the fold of the shadow model. A column per class,
        larger for more probable ones, or a guessed value per continuous property.
    of_targets : ndarray of shape (n_folds, n_targets, n_columns)
        By each of these attacks.
    """

    of_shadows: np.ndarray
    of_targets: np.ndarray


def check_frequencies(labels: np.ndarray, properties: Properties) -> None:
    """Raise InvalidInputError unless each class has two shadow models, one to hold out."""
    if not isinstance(properties, tuple):
        return
    counts = np.bincount(labels, minlength=len(properties))
    if counts.min() < 2:
        raise InvalidInputError(
            f"The shadow models must be at least 2 for each of {properties}; got {counts.tolist()} "
            "that were trained and did not diverge."
        )


def draw_folds(labels: np.ndarray, random_state: int) -> list[np.ndarray]:
    """Divide shadow models into folds, each class evenly; return the indices of each fold."""
    order = resolve_random_state(random_state).permutation(len(labels))
    n_folds = min(N_FOLDS, len(labels))
    if labels.dtype.kind == "i":
        order = order[labels[order].argsort(kind="stable")]
        n_folds = min(n_folds, int(np.unique(labels, return_counts=True)[1].min()))
    return [order[start::n_folds] for start in range(n_folds)]


def cross_fit(
    name: str,
    inputs: AttackInputs,
    labels: np.ndarray,
    folds: list[np.ndarray],
    seed: int,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> HeldOutScores:
    """Train an attack once without each fold, and apply it to that fold and to the targets."""
    everything = np.arange(len(labels))
    subsets = [np.setdiff1d(everything, fold) for fold in folds]
    rows = np.concatenate([inputs.shadow_rows, inputs.target_rows])
    run = run_attack(
        name, replace(inputs, target_rows=rows), labels, subsets, seed, n_jobs, progress
    )
    scores = _scores_of(run, labels)
    of_shadows = np.empty(scores.shape[1:])[: len(labels)]
    for fold, own_scores in zip(folds, scores, strict=True):
        of_shadows[fold] = own_scores[fold]
    return HeldOutScores(of_shadows, scores[:, len(labels) :])


def _scores_of(run: AttackRun, labels: np.ndarray) -> np.ndarray:
    """Return scores ``(n_folds, n_models, n_columns)``: log-probabilities, or guessed values.

    An attack without probabilities scores the class that it guesses 1, and others 0.
    """
    if labels.dtype.kind != "i":
        return run.guesses.reshape(*run.guesses.shape[:2], -1).astype(float)
    if run.scores is None:
        return (run.guesses[..., None] == np.unique(labels)).astype(float)
    return np.log(np.maximum(run.scores.astype(float), TINY))
