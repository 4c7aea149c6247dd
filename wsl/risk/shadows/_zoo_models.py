"""Training of networks by learners with ``fit_zoo``, many models per call."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from ..._batches import row_slices
from ..._diverged import nonfinite_rows, warn_of_diverged
from ..._random import draw_seed
from ...distributions._table_rows import plain_column
from ...exceptions import InvalidInputError
from .._input_checks import is_zoo_classifier
from ._drawn_sets import DrawnSets, TestSet, TestSets
from ._jobs import seeded
from ._population import Population, one_hot
from ._utility import score_zoo, utility_entries

if TYPE_CHECKING:
    from ...zoo import ModelZoo


def train_zoo_chunk(
    learner: Any,
    queries: np.ndarray,
    labels_only: bool,
    drawn_sets: DrawnSets,
    chunk: range,
    seed: int,
    test_sets: TestSets,
    n_jobs: int | None,
) -> Population | None:
    """Train the models of one chunk, and return those that did not diverge; None if all did."""
    # the seed of a chunk depends on its first model, and not on how many chunks there are
    learner = seeded(learner, draw_seed(np.random.default_rng([seed, chunk.start])))
    training_sets = drawn_sets.part(chunk)
    with nullcontext() if n_jobs is None else joblib.parallel_config(n_jobs=n_jobs):
        zoo = learner.fit_zoo(training_sets, len(chunk))
    finite = _finite_models(zoo.weights, chunk.start)
    if not len(finite):
        return None
    test_sets = {
        name: test.part(chunk) if isinstance(test, DrawnSets) else test
        for name, test in test_sets.items()
    }
    classes = _classes_of(learner, training_sets)
    if labels_only and classes is None:
        raise InvalidInputError(
            f"`adversary.labels_only` must be False for a regressor, which predicts no labels; got "
            f"True for {learner!r}."
        )
    responses = zoo.architecture.forward(zoo.weights[finite], queries)
    return Population(
        training_sets.properties[finite],
        chunk.start + finite,
        one_hot(responses) if labels_only else responses,
        "label" if labels_only else "logits",
        classes,
        zoo.weights[finite],
        zoo.architecture,
        {
            key: values
            for name, test in test_sets.items()
            for key, values in utility_entries(
                name, _score_models(zoo, finite, test, classes), not isinstance(test, DrawnSets)
            ).items()
        },
    )


def _classes_of(learner: Any, training_sets: DrawnSets) -> np.ndarray | None:
    """Return the classes of a classifier's outputs: those of the first set, as in ``fit_zoo``."""
    labels = training_sets(0)[1]
    if not is_zoo_classifier(learner, labels):
        return None
    return plain_column(np.unique(labels), objects=True)


def _finite_models(weights: np.ndarray, start: int) -> np.ndarray:
    """Return the indices of the models whose weights are finite; warn of the others."""
    diverged = nonfinite_rows([weights])
    indices = (start + np.flatnonzero(diverged)).tolist()
    warn_of_diverged(indices, len(weights), "They are left out.")
    return np.flatnonzero(~diverged)


def _score_models(
    zoo: "ModelZoo", finite: np.ndarray, test: DrawnSets | TestSet, classes: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Return what ``score_zoo`` does for some models, in batches of bounded memory."""
    weights = zoo.weights[finite]
    n_samples = test.n_samples if isinstance(test, DrawnSets) else len(test[1])
    batches = []
    n_bytes = 8 * n_samples * zoo.architecture.forward_pass.activation_size
    for rows in row_slices(len(finite), n_bytes):
        if isinstance(test, DrawnSets):
            draws = [test(index) for index in finite[rows].tolist()]
            sets = [(X, y) for X, y, *_ in draws]
        else:
            sets = [test]
        batches.append(score_zoo(zoo.architecture, weights[rows], sets, classes))
    return {metric: np.concatenate([batch[metric] for batch in batches]) for metric in batches[0]}
