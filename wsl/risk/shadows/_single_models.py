"""Training of scikit-learn models, one job per model."""

from typing import Any

import numpy as np
from sklearn.base import is_classifier

from ..._interrupts import interrupts_reach_caller
from ..._threads import one_thread
from ._drawn_sets import DrawnSets, TestSets
from ._environments import environments_parameter
from ._jobs import seeded, torch_seeded
from ._observation import respond
from ._population import Population
from ._utility import score_model, utility_entries
from ._weight_reading import read_weights


def train_single(
    learner: Any,
    queries: np.ndarray,
    labels_only: bool,
    drawn_sets: DrawnSets,
    index: int,
    seed: int,
    test_sets: TestSets,
) -> Population:
    """Train the model of one data set, and return a population of this model."""
    X, y, *environments = drawn_sets(index)
    model = seeded(learner, seed)
    fit_params = {}
    if environments and (parameter := environments_parameter(model)) is not None:
        fit_params[parameter] = environments[0]
    # one thread: workers train models in parallel, and results must not depend on their number
    with one_thread(), torch_seeded(model, seed):
        with interrupts_reach_caller():
            model.fit(X, y, **fit_params)
        observed = respond(model, queries, labels_only)
        utility: dict[tuple[str, str], np.ndarray] = {}
        for name, test in test_sets.items():
            X_test, y_test, *_ = test(index) if isinstance(test, DrawnSets) else test
            scores = score_model(model, X_test, y_test, is_classifier(model))
            utility |= utility_entries(name, scores, not isinstance(test, DrawnSets))
    weights, architecture = read_weights(model, queries.shape[1]) or (None, None)
    return Population(
        drawn_sets.properties[[index]],
        np.array([index]),
        observed.responses[None],
        observed.output,
        observed.classes,
        None if weights is None else weights[None],
        architecture,
        utility,
    )
