"""Populations of models trained on a family: the targets of an audit and the adversary's shadows.

What one trained model shows lives in ``_observe``; attacks on populations in ``_trials``.
"""

import copy
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from .._batches import row_slices
from .._random import draw_seed, draw_seeds, resolve_random_state
from ..exceptions import DivergedModelWarning, InvalidInputError
from ._draws import Draws
from ._observe import read_weights, respond, score, score_zoo

if TYPE_CHECKING:
    from ..architectures import Architecture
    from ..zoo import ModelZoo

Test = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Population:
    """Trained models, as far as an adversary or an auditor sees them.

    Attributes
    ----------
    properties : ndarray ``(n_models,)`` or ``(n_models, n_properties)``
    responses : ndarray ``(n_models, n_queries, n_outputs)`` float32
    classes : ndarray ``(n_outputs,)`` or None
        What the columns of the responses stand for, where they are classes.
    weights : ndarray ``(n_models, n_weights)`` float32, or None
    architecture : Architecture or None
        What a row of weights means; None where models have no weights, or not all the same.
    utility : dict from metric to ndarray ``(n_models,)``
    """

    properties: np.ndarray
    responses: np.ndarray
    classes: np.ndarray | None
    weights: np.ndarray | None
    architecture: "Architecture | None"
    utility: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.properties)

    def responses_to(self, classes: np.ndarray | None) -> np.ndarray:
        """Return the responses with one column for each of ``classes``; absent ones answer 0."""
        if classes is None or self.classes is None or np.array_equal(classes, self.classes):
            return self.responses
        return _spread_columns(self.responses, self.classes, classes)


@dataclass(frozen=True)
class Trainer:
    """How models are trained and looked at: everything but their data.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
    queries : ndarray ``(n_queries, n_features)``
    n_jobs : int or None
    progress : bool
    """

    learner: Any
    queries: np.ndarray
    n_jobs: int | None = None
    progress: bool = False

    def train(
        self,
        draws: Draws,
        random_state: Any,
        tests: Draws | Test | None = None,
        name: str = "models",
    ) -> Population:
        """Train one model on each draw.

        Parameters
        ----------
        draws : Draws
        random_state : int, Generator or None
        tests : Draws or (X, y), optional
            What models are scored on, each on a draw of its own or all on one test set.
        name : str
            What the progress bar says.
        """
        train = self._train_zoo if hasattr(self.learner, "fit_zoo") else self._train_each
        return train(draws, random_state, tests, name)

    def _train_each(
        self, draws: Draws, random_state: Any, tests: Draws | Test | None, name: str
    ) -> Population:
        seeds = draw_seeds(random_state, len(draws))
        jobs = (
            joblib.delayed(_train_one)(self.learner, draws, index, seed, self.queries, tests)
            for index, seed in enumerate(seeds.tolist())
        )
        return _gather(
            draws.properties, run_jobs(jobs, len(draws), self.n_jobs, name, self.progress)
        )

    def _train_zoo(
        self, draws: Draws, random_state: Any, tests: Draws | Test | None, name: str
    ) -> Population:
        learner = seeded(self.learner, draw_seed(resolve_random_state(random_state)))
        with tqdm(total=len(draws), desc=name, disable=not self.progress, leave=False) as bar:
            if self.n_jobs is None:
                zoo = learner.fit_zoo(draws, len(draws))
            else:
                with joblib.parallel_config(n_jobs=self.n_jobs):
                    zoo = learner.fit_zoo(draws, len(draws))
            bar.update(len(draws))
        kept = _finite(zoo.weights)
        weights = zoo.weights[kept]
        utility = {} if tests is None else _score_zoo(learner, zoo, kept, draws, tests)
        return Population(
            draws.properties[kept],
            zoo.architecture.forward(weights, self.queries),
            None,
            weights,
            zoo.architecture,
            utility,
        )


@dataclass(frozen=True, eq=False)
class Trace:
    """What one trained model leaves behind."""

    answers: np.ndarray
    classes: np.ndarray | None
    weights: "tuple[np.ndarray, Architecture] | None"
    scores: dict[str, float]


def _train_one(
    learner: Any,
    draws: Draws,
    index: int,
    seed: int,
    queries: np.ndarray,
    tests: Draws | Test | None,
) -> Trace:
    X, y, *environments = draws(index)
    model = seeded(learner, seed)
    known = {}
    if environments and has_fit_parameter(model, "environments"):
        known["environments"] = environments[0]
    with threadpool_limits(1):  # models are spread over workers, and results depend on no count
        model.fit(X, y, **known)
        answers, classes = respond(model, queries)
        scores = {}
        if tests is not None:
            scores = score(model.predict, *_test_of(tests, index), is_classifier(model))
    return Trace(answers, classes, read_weights(model), scores)


def _finite(weights: np.ndarray) -> np.ndarray:
    """Return the indices of the models whose weights are finite; warn of the others."""
    finite = np.isfinite(weights).all(1)
    if not finite.all():
        lost = np.flatnonzero(~finite).tolist()
        warnings.warn(
            f"{len(lost)} of {len(weights)} models diverged and are left out: {lost[:10]}",
            DivergedModelWarning,
            stacklevel=2,
        )
    return np.flatnonzero(finite)


def _score_zoo(
    learner: Any, zoo: "ModelZoo", kept: np.ndarray, draws: Draws, tests: Draws | Test
) -> dict[str, np.ndarray]:
    """Score models on their tests; the first training set tells the classes, as to ``fit_zoo``."""
    labels = draws(0)[1]
    tagged = hasattr(learner, "__sklearn_tags__")
    classifies = is_classifier(learner) if tagged else labels.dtype.kind != "f"
    classes = np.unique(labels) if classifies else None
    weights = zoo.weights[kept]
    n_samples = tests.n_samples if isinstance(tests, Draws) else len(tests[1])
    parts = []
    for part in row_slices(len(kept), 8 * n_samples * zoo.architecture.activation_size):
        if isinstance(tests, Draws):
            own = [_test_of(tests, index) for index in kept[part].tolist()]
        else:
            own = [tests]
        parts.append(score_zoo(zoo.architecture, weights[part], own, classes))
    return {metric: np.concatenate([part[metric] for part in parts]) for metric in parts[0]}


def _test_of(tests: Draws | Test, index: int) -> Test:
    X, y, *_ = tests(index) if isinstance(tests, Draws) else tests
    return X, y


def seeded(learner: Any, seed: int) -> Any:
    """Return an unfitted copy of a learner, every ``random_state`` in it drawn from ``seed``."""
    if not hasattr(learner, "get_params"):
        return copy.deepcopy(learner)
    model = clone(learner)
    rng = resolve_random_state(seed)
    names = sorted(model.get_params(deep=True))
    states = [n for n in names if n == "random_state" or n.endswith("__random_state")]
    return model.set_params(**{name: draw_seed(rng) for name in states})


def run_jobs(jobs: Iterable[Any], n_jobs_total: int, n_jobs: int | None, name: str, progress: bool):
    """Run joblib jobs with a progress bar and return their results in order."""
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    return list(tqdm(results, total=n_jobs_total, desc=name, disable=not progress, leave=False))


def _gather(properties: np.ndarray, traces: list[Trace]) -> Population:
    classes = union_of_classes([t.classes for t in traces])
    answers = [
        t.answers if classes is None else _spread_columns(t.answers, t.classes, classes)
        for t in traces
    ]
    if len({a.shape for a in answers}) > 1:
        raise InvalidInputError(
            "learner answers queries with a number of outputs that changes from model to model; "
            "wanted a learner with predict_proba, or families whose samples hold every class"
        )
    weights, architecture = _common_weights(traces)
    utility = _by_metric([t.scores for t in traces])
    return Population(properties, np.stack(answers), classes, weights, architecture, utility)


def _common_weights(traces: list[Trace]) -> "tuple[np.ndarray | None, Architecture | None]":
    readable = [t.weights for t in traces if t.weights is not None]
    if len(readable) < len(traces) or any(a != readable[0][1] for _, a in readable):
        return None, None
    return np.stack([row for row, _ in readable]), readable[0][1]


def union_of_classes(columns: list[np.ndarray | None]) -> np.ndarray | None:
    """Return all classes that occur, sorted; None where columns are no classes."""
    known = [c for c in columns if c is not None]
    return np.unique(np.concatenate(known)) if known else None


def _spread_columns(answers: np.ndarray, have: Any, wanted: np.ndarray) -> np.ndarray:
    spread = np.zeros((*answers.shape[:-1], len(wanted)), dtype=answers.dtype)
    spread[..., np.searchsorted(wanted, have)] = answers
    return spread


def _by_metric(scores: list[dict[str, float]]) -> dict[str, np.ndarray]:
    names = scores[0] if scores else ()
    return {name: np.array([s[name] for s in scores]) for name in names}
