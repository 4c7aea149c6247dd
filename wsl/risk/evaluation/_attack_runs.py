"""Attacks run on trained models: each is trained repeatedly, on random halves of the shadows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import joblib
import numpy as np

from ..._interrupts import interrupts_reach_caller
from ..._progress import progress_bar
from ..._random import draw_seeds, resolve_random_state
from ..._threads import one_thread
from ..._workers import run_jobs
from ...distributions._properties import Properties
from ..shadows._adversary_queries import QuerySet
from ..shadows._jobs import Configured, seeded
from ..shadows._population import Population
from ._attack_inputs import AttackInputs, encode_properties, prepare_attacks
from ._attack_specs import AttackSpec


@dataclass(frozen=True, eq=False)
class AttackRun:
    """What an attack inferred about every target, in each repeat.

    Attributes
    ----------
    guesses : ndarray of shape (n_repeats, n_targets) or (n_repeats, n_targets, n_properties)
        Class indices, or values of continuous properties.
    scores : ndarray of shape (n_repeats, n_targets, n_classes), float32, or None
        Probabilities, if the attack has them.
    """

    guesses: np.ndarray
    scores: np.ndarray | None = None


class AttackResults(NamedTuple):
    """The truth about each target, the runs by attack, and why attacks were skipped."""

    truth: np.ndarray
    runs: dict[str, AttackRun]
    skipped: dict[str, str]


def run_attacks(
    specs: Sequence[AttackSpec],
    shadows: Population,
    targets: Population,
    properties: Properties,
    *,
    queries: QuerySet | None = None,
    n_selected_queries: int | None = None,
    n_repeats: int,
    seed: int,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> AttackResults:
    """Run every attack on trained models, all on the same halves of the shadow models."""
    labels = encode_properties(shadows.properties, properties)
    truth = encode_properties(targets.properties, properties)
    inputs, skipped = prepare_attacks(
        specs, shadows, targets, properties, queries, n_selected_queries
    )
    halves = draw_halves(labels, n_repeats, seed)
    runs = {
        name: run_attack(name, own_inputs, labels, halves, seed, n_jobs, progress)
        for name, own_inputs in inputs.items()
    }
    return AttackResults(truth, runs, skipped)


def run_attack(
    name: str,
    inputs: AttackInputs,
    labels: np.ndarray,
    subsets: Sequence[np.ndarray],
    seed: int,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> AttackRun:
    """Train an attack on each subset of the shadow models, and apply it to all targets."""
    # a seed of its own, so that an attack does not depend on the others
    own_seed = np.random.SeedSequence([seed, crc32(name.encode())])
    results = progress_bar(
        progress,
        iterable=run_jobs(_jobs(inputs, labels, subsets, own_seed), n_jobs, n_total=len(subsets)),
        desc=f"attack {name}",
        total=len(subsets),
        leave=False,
    )
    guesses, scores = zip(*results, strict=True)
    return AttackRun(np.stack(guesses), None if scores[0] is None else np.stack(scores))


def draw_halves(labels: np.ndarray, n_repeats: int, random_state: Any) -> list[np.ndarray]:
    """Draw indices of a random half of the shadow models per repeat, stratified by class."""
    rng = resolve_random_state(random_state)
    groups = [np.arange(len(labels))]
    if labels.dtype.kind == "i":
        groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return [
        np.concatenate([rng.permutation(group)[: (len(group) + 1) // 2] for group in groups])
        for _ in range(n_repeats)
    ]


def _jobs(
    inputs: AttackInputs, labels: np.ndarray, halves: Sequence[np.ndarray], random_state: Any
) -> Iterator[Any]:
    """Yield one job per repeat; each gets whole arrays, which joblib maps to workers once."""
    n_classes = int(labels.max()) + 1 if labels.dtype.kind == "i" else 0
    seeds = draw_seeds(random_state, len(halves)).tolist()
    run_once = Configured(_run_once)
    for half, seed in zip(halves, seeds, strict=True):
        yield joblib.delayed(run_once)(inputs, labels, half, seed, n_classes)


def _run_once(
    inputs: AttackInputs, labels: np.ndarray, half: np.ndarray, seed: int, n_classes: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return guesses for all targets, and probabilities ``(n_targets, n_classes)`` or None."""
    with one_thread():
        with interrupts_reach_caller():
            attack = seeded(inputs.estimator, seed).fit(inputs.shadow_rows[half], labels[half])
        guesses = attack.predict(inputs.target_rows)
        if not n_classes or not hasattr(attack, "predict_proba"):
            return guesses, None
        scores = np.zeros((len(guesses), n_classes), np.float32)
        scores[:, attack.classes_] = attack.predict_proba(inputs.target_rows)
        return guesses, scores
