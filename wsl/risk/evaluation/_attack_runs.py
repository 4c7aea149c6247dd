"""Attacks tried on populations: which view of a model each takes, repeats on halves of the shadows.

Populations are trained in ``_shadows``; what the trials add up to is computed in ``_audit``.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import joblib
import numpy as np
from sklearn.base import clone

from ..._progress import progress_bar
from ..._random import draw_seeds, resolve_random_state
from ..._threads import one_thread
from ...distributions._properties import Properties
from ...exceptions import AttackNotApplicableWarning, InvalidInputError, UnsupportedModuleError
from ..shadows._drawn_sets import QuerySet
from ..shadows._jobs import run_jobs, seeded
from ..shadows._population import Population, View, common_view

if TYPE_CHECKING:
    from ...attacks._strategies import Strategy


@dataclass(frozen=True, eq=False)
class AttackRun:
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
class AttackSpec:
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


def plan_attacks(attacks: Any, is_numeric: bool) -> list[AttackSpec]:
    """Return the plans of attacks given by name or as estimators, perhaps under names of one's own.

    The estimators are those of ``wsl.attacks``.
    """
    if isinstance(attacks, Mapping):
        plans = [replace(_plan(a, is_numeric), name=str(name)) for name, a in attacks.items()]
    else:
        given = (
            list(attacks)
            if isinstance(attacks, (Sequence, set)) and not isinstance(attacks, str)
            else [attacks]
        )
        plans = [_plan(attack, is_numeric) for attack in given]
    if not plans:
        raise InvalidInputError("attacks is empty; wanted at least one")
    names = [plan.name for plan in plans]
    if len(set(names)) < len(names):
        raise InvalidInputError(
            f"attacks names {names}; wanted each once, or a dict from names of your own"
        )
    return plans


def _plan(attack: Any, is_numeric: bool) -> AttackSpec:
    from ...attacks import DistributionInferenceAttack, DistributionInferenceRegressor

    wanted = DistributionInferenceRegressor if is_numeric else DistributionInferenceAttack
    if isinstance(attack, str):
        return AttackSpec(attack, _sees_weights(attack), wanted(strategy=attack))
    if not isinstance(attack, wanted):
        raise UnsupportedModuleError(
            f"attacks holds {attack!r}; wanted names of strategies, or a "
            f"{wanted.__name__}, since the property is {'a number' if is_numeric else 'a class'}"
        )
    return AttackSpec(attack.strategy, _sees_weights(attack.strategy), attack)


def _sees_weights(name: str) -> bool:
    from ...attacks import STRATEGIES

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


def try_attacks(
    plans: Sequence[AttackSpec],
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
) -> tuple[dict[str, AttackRun], dict[str, str]]:
    """Try every attack on trained populations, all on the same halves of the shadows.

    Returns
    -------
    trials : dict from attack to Trial
    skipped : dict from attack to str
        Why it was left out, which is also warned of.
    """
    known = labels_of(shadows.properties, properties)
    halves = halves_of(known, n_repeats, seed)
    trials: dict[str, AttackRun] = {}
    skipped: dict[str, str] = {}
    for plan in plans:
        setup = set_up(plan, shadows, targets, properties, queries, n_selected_queries)
        if isinstance(setup, str):
            skipped[plan.name] = setup
            warnings.warn(
                f"attack {plan.name!r} is left out: {setup}",
                AttackNotApplicableWarning,
                stacklevel=3,
            )
            continue
        own = np.random.SeedSequence([seed, crc32(plan.name.encode())])  # whatever the others are
        jobs = _jobs(setup, known, halves, own)
        results = progress_bar(
            progress, iterable=run_jobs(jobs, n_jobs), desc=f"attack {plan.name}",
            total=n_repeats, leave=False,
        )  # fmt: skip
        guesses, scores = zip(*results, strict=True)
        trials[plan.name] = AttackRun(
            np.stack(guesses), None if scores[0] is None else np.stack(scores)
        )
    return trials, skipped


@dataclass(frozen=True, eq=False)
class AttackInputs:
    """An attack's estimator and what it sees of shadows and targets, one row a model."""

    estimator: Any
    seen: np.ndarray
    attacked: np.ndarray


def set_up(
    plan: AttackSpec,
    shadows: Population,
    targets: Population,
    properties: Properties,
    queries: QuerySet | None = None,
    n_selected_queries: int | None = None,
) -> AttackInputs | str:
    """Return an attack with all that it may know; or why it cannot be tried."""
    if plan.sees_weights:
        if shadows.weights is None or targets.weights is None:
            return "it needs weights, and the learner's models have none that are plain to read"
        if shadows.architecture != targets.architecture:
            return "it needs weights of one meaning, and the architectures differ"
        estimator = _told(plan.estimator, architecture=shadows.architecture)
        return AttackInputs(estimator, shadows.weights, targets.weights)
    view = common_view(shadows, targets)
    if isinstance(view, str):
        return view
    labels = values = None
    if queries is not None:
        labels = _columns_of(queries.labels, view.classes)
        if queries.properties is not None:
            values = labels_of(queries.properties, properties)
    strategy = _strategy_of(plan.estimator)
    if strategy is not None and strategy.needs and (labels is None or values is None):
        return "it needs queries with labels, drawn from the family; these have none"
    selects = strategy is None or strategy.selects_queries
    estimator = _told(
        plan.estimator,
        query_labels=labels,
        query_properties=values,
        n_selected_queries=n_selected_queries if selects else None,
    )
    return _answered(estimator, view)


def _answered(estimator: Any, view: View) -> AttackInputs:
    """Return an attack that knows what the answers are, in the form in which it takes them."""
    output, pair = view.output, (view.seen, view.attacked)
    if output == "label":
        if getattr(estimator, "strategy", None) == "queries" and pair[0].shape[-1] > 2:
            output = "proba"  # a number for each class would put the classes in an order
        else:
            pair = (view.seen.argmax(-1)[..., None], view.attacked.argmax(-1)[..., None])
    seen, attacked = (rows.reshape(len(rows), -1).astype(np.float32, copy=False) for rows in pair)
    if "query_output" in estimator.get_params(deep=False):
        estimator.set_params(query_output=output)
    return AttackInputs(estimator, seen, attacked)


def _strategy_of(estimator: Any) -> "Strategy | None":
    from ...attacks import STRATEGIES

    return STRATEGIES.get(getattr(estimator, "strategy", ""))


def _told(estimator: Any, **known: Any) -> Any:
    """Return a copy of an estimator with what is known, where it takes it and was told nothing."""
    taken = estimator.get_params(deep=False)
    return clone(estimator).set_params(
        **{name: value for name, value in known.items() if name in taken and taken[name] is None}
    )


def _columns_of(labels: np.ndarray | None, classes: np.ndarray | None) -> np.ndarray | None:
    """Return labels as the columns of their classes; None where one of them has no column."""
    if labels is None or classes is None:
        return labels
    columns = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    return columns if np.array_equal(classes[columns], labels) else None


def _jobs(
    setup: AttackInputs, known: np.ndarray, halves: Sequence[np.ndarray], random_state: Any
) -> Iterator[Any]:
    """Yield one job a repeat; arrays go whole, for joblib to map them to all workers once."""
    n_classes = int(known.max()) + 1 if known.dtype.kind == "i" else 0
    seeds = draw_seeds(random_state, len(halves)).tolist()
    for half, seed in zip(halves, seeds, strict=True):
        yield joblib.delayed(_guess)(setup, known, half, seed, n_classes)


def _guess(
    setup: AttackInputs, known: np.ndarray, half: np.ndarray, seed: int, n_classes: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the guesses, and the probabilities where there are classes and the attack has them."""
    with one_thread():
        model = seeded(setup.estimator, seed).fit(setup.seen[half], known[half])
        guesses = model.predict(setup.attacked)
        if not n_classes or not hasattr(model, "predict_proba"):
            return guesses, None
        scores = np.zeros((len(guesses), n_classes), np.float32)
        scores[:, model.classes_] = model.predict_proba(setup.attacked)
        return guesses, scores
