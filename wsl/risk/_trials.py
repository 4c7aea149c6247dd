"""Attacks tried on populations: which view of a model each takes, repeats on halves of the shadows.

Populations are trained in ``_shadows``; what the trials add up to is computed in ``_audit``.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from .._random import draw_seeds, resolve_random_state
from ..distributions._properties import Properties
from ..exceptions import AttackNotApplicableWarning, InvalidInputError, UnsupportedModuleError
from ._shadows import Population, run_jobs, seeded, union_of_classes


@dataclass(frozen=True, eq=False)
class Trial:
    """What an attack said of every target, in each of its repeats.

    Attributes
    ----------
    guesses : ndarray ``(n_repeats, n_targets)``, or ``(n_repeats, n_targets, n_properties)``
        Classes by their index, or numbers.
    scores : ndarray ``(n_repeats, n_targets, n_classes)`` float32, or None
        Probabilities, where the attack has them.
    """

    guesses: np.ndarray
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class Plan:
    """One attack of an audit.

    Parameters
    ----------
    name : str
    sees_weights : bool
        Whether it takes rows of weights, and not responses to queries.
    estimator : estimator
        Learns the property from one row a model.
    """

    name: str
    sees_weights: bool
    estimator: Any


def plan_attacks(attacks: Any, is_numeric: bool) -> list[Plan]:
    """Return the plans of attacks given by name or as estimators of ``wsl.attacks``."""
    given = [attacks] if isinstance(attacks, str) else list(attacks)
    if not given:
        raise InvalidInputError("attacks is empty; wanted at least one")
    plans = [_plan(attack, is_numeric) for attack in given]
    names = [plan.name for plan in plans]
    if len(set(names)) < len(names):
        raise InvalidInputError(f"attacks names {names}; wanted each once")
    return plans


def _plan(attack: Any, is_numeric: bool) -> Plan:
    from ..attacks import DistributionInferenceAttack, DistributionInferenceRegressor

    wanted = DistributionInferenceRegressor if is_numeric else DistributionInferenceAttack
    if isinstance(attack, str):
        return Plan(attack, _sees_weights(attack), wanted(strategy=attack))
    if not isinstance(attack, wanted):
        raise UnsupportedModuleError(
            f"attacks holds {attack!r}; wanted names of strategies, or a "
            f"{wanted.__name__}, since the property is {'a number' if is_numeric else 'a class'}"
        )
    return Plan(attack.strategy, _sees_weights(attack.strategy), attack)


def _sees_weights(name: str) -> bool:
    from ..attacks import STRATEGIES

    if name not in STRATEGIES:
        raise InvalidInputError(f"attacks holds {name!r}; wanted names among {sorted(STRATEGIES)}")
    return STRATEGIES[name].white_box


def labels_of(values: np.ndarray, properties: Properties) -> np.ndarray:
    """Return classes as their index in ``properties``, and numbers as they are.

    A share of .2 or .5 that is a class must not pass for a number.
    """
    if isinstance(properties, tuple):
        return np.array([properties.index(value) for value in values.tolist()])
    return values


def halves_of(labels: np.ndarray, n_repeats: int, random_state: Any) -> list[np.ndarray]:
    """Draw for each repeat a random half of the shadows, of each class where labels are classes."""
    rng = resolve_random_state(random_state)
    groups = [np.arange(len(labels))]
    if labels.dtype.kind == "i":
        groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return [
        np.concatenate([rng.permutation(group)[: (len(group) + 1) // 2] for group in groups])
        for _ in range(n_repeats)
    ]


def features_for(
    plan: Plan, shadows: Population, targets: Population
) -> tuple[np.ndarray, np.ndarray] | str:
    """Return what an attack sees of shadows and targets, one row a model; or why it cannot be."""
    if not plan.sees_weights:
        classes = union_of_classes([shadows.classes, targets.classes])
        pair = [p.responses_to(classes) for p in (shadows, targets)]
        if pair[0].shape[1:] != pair[1].shape[1:]:
            return "targets and shadows answer with different numbers of outputs"
        seen, attacked = (responses.reshape(len(responses), -1) for responses in pair)
        return seen, attacked
    if shadows.weights is None or targets.weights is None:
        return "it needs weights, and the learner's models have none that are plain to read"
    if shadows.architecture != targets.architecture:
        return "it needs weights of one meaning, and the architectures differ"
    return shadows.weights, targets.weights


def try_attack(
    plan: Plan,
    shadows: Population,
    targets: Population,
    known: np.ndarray,
    halves: Sequence[np.ndarray],
    *,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Trial | str:
    """Train an attack on each half of the shadows and let it guess every target's property.

    Parameters
    ----------
    plan : Plan
    shadows, targets : Population
    known : ndarray ``(n_shadows,)`` or ``(n_shadows, n_properties)``
        The shadows' labels.
    halves : sequence of ndarray of int
    random_state, n_jobs, progress : as in ``audit``

    Returns
    -------
    Trial
        Or, as a str, why the attack cannot be tried, which is also warned of.
    """
    features = features_for(plan, shadows, targets)
    if isinstance(features, str):
        warnings.warn(
            f"attack {plan.name!r} is left out: {features}",
            AttackNotApplicableWarning,
            stacklevel=4,
        )
        return features
    seen, attacked = features
    estimator = plan.estimator
    if plan.sees_weights and hasattr(estimator, "architecture"):
        estimator = seeded(estimator, 0).set_params(architecture=shadows.architecture)
    seeds = draw_seeds(random_state, len(halves)).tolist()
    n_classes = int(known.max()) + 1 if known.dtype.kind == "i" else 0
    jobs = (  # arrays go whole: joblib maps them into the workers' memory once, for all repeats
        joblib.delayed(_guess)(estimator, seen, known, half, attacked, seed, n_classes)
        for half, seed in zip(halves, seeds, strict=True)
    )
    trials = run_jobs(jobs, len(halves), n_jobs, f"attack {plan.name}", progress)
    guesses, scores = zip(*trials, strict=True)
    return Trial(np.stack(guesses), None if scores[0] is None else np.stack(scores))


def _guess(
    estimator: Any,
    seen: np.ndarray,
    known: np.ndarray,
    half: np.ndarray,
    attacked: np.ndarray,
    seed: int,
    n_classes: int,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the guesses, and the probabilities where there are classes and the attack has them."""
    with threadpool_limits(1):
        model = seeded(estimator, seed).fit(seen[half], known[half])
        guesses = model.predict(attacked)
        if not n_classes or not hasattr(model, "predict_proba"):
            return guesses, None
        scores = np.zeros((len(attacked), n_classes), np.float32)
        scores[:, model.classes_] = model.predict_proba(attacked)
        return guesses, scores
