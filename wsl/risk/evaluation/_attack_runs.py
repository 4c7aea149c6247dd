"""Attacks on populations of models: what each observes, and repeats on halves of the shadows."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import joblib
import numpy as np
from sklearn.base import clone

from ..._interrupts import interrupts_reach_caller
from ..._progress import progress_bar
from ..._random import draw_seeds, resolve_random_state
from ..._threads import one_thread
from ..._workers import run_jobs
from ...distributions._properties import Properties
from ...exceptions import AttackNotApplicableWarning, InvalidInputError, UnsupportedModuleError
from ..shadows._drawn_sets import QuerySet
from ..shadows._jobs import seeded
from ..shadows._population import Population, View, common_view

if TYPE_CHECKING:
    from ...attacks._strategies import Strategy


@dataclass(frozen=True, eq=False)
class AttackRun:
    """Guesses of an attack on every target, in each of its repeats.

    Attributes
    ----------
    guesses : ndarray of shape (n_repeats, n_targets) or (n_repeats, n_targets, n_properties)
        Classes by their index, or numbers.
    scores : ndarray of shape (n_repeats, n_targets, n_classes), or None
        Probabilities in float32, for attacks that have them.
    """

    guesses: np.ndarray
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class AttackSpec:
    """One attack of an audit.

    Parameters
    ----------
    name : str
        Its name in the report.
    is_white_box : bool
        Whether it observes rows of weights instead of responses to queries.
    estimator : estimator
        Learns the property from one row per model.
    """

    name: str
    is_white_box: bool
    estimator: Any


def attack_specs(attacks: Any, is_numeric: bool) -> list[AttackSpec]:
    """Return the specs of strategies or attack estimators, a dict of them under its own names."""
    if isinstance(attacks, Mapping):
        specs = [replace(_spec(a, is_numeric), name=str(name)) for name, a in attacks.items()]
    else:
        several = isinstance(attacks, (Sequence, set)) and not isinstance(attacks, str)
        specs = [_spec(attack, is_numeric) for attack in (attacks if several else [attacks])]
    if not specs:
        raise InvalidInputError("`attacks` must hold at least one attack; got none.")
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise InvalidInputError(
            f"`attacks` must name each attack once; got {names}. Pass a dict to give two of one "
            "strategy different names."
        )
    return specs


def _spec(attack: Any, is_numeric: bool) -> AttackSpec:
    from ...attacks import DistributionInferenceAttack, DistributionInferenceRegressor

    expected = DistributionInferenceRegressor if is_numeric else DistributionInferenceAttack
    if isinstance(attack, str):
        return AttackSpec(attack, _is_white_box(attack), expected(strategy=attack))
    if not isinstance(attack, expected):
        raise UnsupportedModuleError(
            f"`attacks` must hold names of strategies or estimators of type {expected.__name__}, "
            f"as the property is {'continuous' if is_numeric else 'a class'}; got {attack!r}."
        )
    return AttackSpec(attack.strategy, _is_white_box(attack.strategy), attack)


def _is_white_box(name: str) -> bool:
    from ...attacks import STRATEGIES

    if name not in STRATEGIES:
        raise InvalidInputError(
            f"`attacks` must name strategies among {sorted(STRATEGIES)}; got {name!r}."
        )
    return STRATEGIES[name].white_box


def encode_properties(values: np.ndarray, properties: Properties) -> np.ndarray:
    """Return classes as their index in ``properties``, continuous values as they are.

    The classes may be numbers, such as proportions of .2 and .5.
    """
    if isinstance(properties, tuple):
        return np.array([properties.index(value) for value in values.tolist()])
    return values


def draw_halves(labels: np.ndarray, n_repeats: int, random_state: Any) -> list[np.ndarray]:
    """Draw a random half of the shadows per repeat, stratified if labels are classes."""
    rng = resolve_random_state(random_state)
    groups = [np.arange(len(labels))]
    if labels.dtype.kind == "i":
        groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return [
        np.concatenate([rng.permutation(group)[: (len(group) + 1) // 2] for group in groups])
        for _ in range(n_repeats)
    ]


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
) -> tuple[dict[str, AttackRun], dict[str, str]]:
    """Run every attack on trained populations, all on the same halves of the shadows.

    Returns
    -------
    runs : dict from attack to AttackRun
    skipped : dict from attack to str
        Why it was skipped; a warning says the same.
    """
    labels = encode_properties(shadows.properties, properties)
    halves = draw_halves(labels, n_repeats, seed)
    runs: dict[str, AttackRun] = {}
    skipped: dict[str, str] = {}
    for spec in specs:
        inputs = attack_inputs(spec, shadows, targets, properties, queries, n_selected_queries)
        if isinstance(inputs, str):
            skipped[spec.name] = inputs
            warnings.warn(
                f"attack {spec.name!r} skipped: {inputs}.",
                AttackNotApplicableWarning,
                stacklevel=3,
            )
            continue
        # by name, so that an attack does not depend on which others run
        stream = np.random.SeedSequence([seed, crc32(spec.name.encode())])
        jobs = _jobs(inputs, labels, halves, stream)
        results = progress_bar(
            progress, iterable=run_jobs(jobs, n_jobs), desc=f"attack {spec.name}",
            total=n_repeats, leave=False,
        )  # fmt: skip
        guesses, scores = zip(*results, strict=True)
        runs[spec.name] = AttackRun(
            np.stack(guesses), None if scores[0] is None else np.stack(scores)
        )
    return runs, skipped


@dataclass(frozen=True, eq=False)
class AttackInputs:
    """The estimator of an attack, and what it observes of shadows and of targets.

    Attributes
    ----------
    estimator : estimator
    shadow_rows : ndarray of shape (n_shadows, n_observed)
    target_rows : ndarray of shape (n_targets, n_observed)
    """

    estimator: Any
    shadow_rows: np.ndarray
    target_rows: np.ndarray


def attack_inputs(
    spec: AttackSpec,
    shadows: Population,
    targets: Population,
    properties: Properties,
    queries: QuerySet | None = None,
    n_selected_queries: int | None = None,
) -> AttackInputs | str:
    """Return what an attack observes, or why it cannot be run."""
    if spec.is_white_box:
        if shadows.weights is None or targets.weights is None:
            return "it needs weights, and those of the learner's models cannot be read"
        if shadows.architecture != targets.architecture:
            return "shadow and target models have different architectures"
        estimator = _with_parameters(spec.estimator, architecture=shadows.architecture)
        return AttackInputs(estimator, shadows.weights, targets.weights)
    view = common_view(shadows, targets)
    if isinstance(view, str):
        return view
    labels = values = None
    if queries is not None:
        labels = _columns_of(queries.labels, view.classes)
        if queries.properties is not None:
            values = encode_properties(queries.properties, properties)
    strategy = _strategy_of(spec.estimator)
    if strategy is not None and strategy.needs and (labels is None or values is None):
        return "it needs queries with labels, drawn from the family; these have no labels"
    selects = strategy is None or strategy.selects_queries
    estimator = _with_parameters(
        spec.estimator,
        query_labels=labels,
        query_properties=values,
        n_selected_queries=n_selected_queries if selects else None,
    )
    return _response_inputs(estimator, view)


def _response_inputs(estimator: Any, view: View) -> AttackInputs:
    """Return responses in the form that the attack takes, which its ``query_output`` names."""
    output, pair = view.output, (view.seen, view.attacked)
    if output == "label":
        if getattr(estimator, "strategy", None) == "queries" and pair[0].shape[-1] > 2:
            output = "proba"  # a number per class would order the classes
        else:
            pair = (view.seen.argmax(-1)[..., None], view.attacked.argmax(-1)[..., None])
    shadow_rows, target_rows = (
        rows.reshape(len(rows), -1).astype(np.float32, copy=False) for rows in pair
    )
    if "query_output" in estimator.get_params(deep=False):
        estimator.set_params(query_output=output)
    return AttackInputs(estimator, shadow_rows, target_rows)


def _strategy_of(estimator: Any) -> "Strategy | None":
    from ...attacks import STRATEGIES

    return STRATEGIES.get(getattr(estimator, "strategy", ""))


def _with_parameters(estimator: Any, **values: Any) -> Any:
    """Return a copy of an estimator with values for those of its parameters that are None."""
    parameters = estimator.get_params(deep=False)
    return clone(estimator).set_params(
        **{name: value for name, value in values.items() if parameters.get(name, 0) is None}
    )


def _columns_of(labels: np.ndarray | None, classes: np.ndarray | None) -> np.ndarray | None:
    """Return labels as the columns of their classes; None if a label has no column."""
    if labels is None or classes is None:
        return labels
    columns = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    return columns if np.array_equal(classes[columns], labels) else None


def _jobs(
    inputs: AttackInputs, labels: np.ndarray, halves: Sequence[np.ndarray], random_state: Any
) -> Iterator[Any]:
    """Yield one job per repeat, with whole arrays, which joblib maps to all workers once."""
    n_classes = int(labels.max()) + 1 if labels.dtype.kind == "i" else 0
    seeds = draw_seeds(random_state, len(halves)).tolist()
    for half, seed in zip(halves, seeds, strict=True):
        yield joblib.delayed(_guess)(inputs, labels, half, seed, n_classes)


def _guess(
    inputs: AttackInputs, labels: np.ndarray, half: np.ndarray, seed: int, n_classes: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return guesses ``(n_targets,)``, and probabilities if the attack has them."""
    with one_thread():
        with interrupts_reach_caller():
            attack = seeded(inputs.estimator, seed).fit(inputs.shadow_rows[half], labels[half])
        guesses = attack.predict(inputs.target_rows)
        if not n_classes or not hasattr(attack, "predict_proba"):
            return guesses, None
        scores = np.zeros((len(guesses), n_classes), np.float32)
        scores[:, attack.classes_] = attack.predict_proba(inputs.target_rows)
        return guesses, scores
