"""Keys of the cache: digests of all that decides a population."""

from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np

from ..._digest import digest_of, identify
from ._drawn_sets import DrawnSets, TestSets
from ._utility import CLASS_METRICS


def chunk_keys(
    learner: Any,
    drawn_sets: DrawnSets,
    seed: int,
    queries: np.ndarray,
    labels_only: bool,
    test_sets: TestSets,
    chunks: Sequence[range],
) -> dict[range, str]:
    """Return the key of each chunk of models."""
    parts = {chunk: _parts_of(chunk, drawn_sets, test_sets) for chunk in chunks}
    common = {
        "learner": identify(learner, "learner"),
        "family": identify(drawn_sets.family, "family"),
        "n_samples": drawn_sets.n_samples,
        "queries": joblib.hash(queries),
        "labels_only": labels_only,
        "tests": {
            name: identify(test.family, "test_set")
            if isinstance(test, DrawnSets)
            else joblib.hash(test[:2])
            for name, test in test_sets.items()
        },
        "seed": seed,
        **({"metrics": CLASS_METRICS} if test_sets else {}),
    }
    return {chunk: digest_of(common | own) for chunk, own in parts.items()}


def _parts_of(chunk: range, drawn_sets: DrawnSets, test_sets: TestSets) -> dict[str, Any]:
    """Return what decides the models of one chunk alone."""
    rows = slice(chunk.start, chunk.stop)
    return {
        "models": [chunk.start, chunk.stop],
        "properties": joblib.hash(drawn_sets.properties[rows].tolist()),
        "draws": drawn_sets.seeds[rows].tolist(),
        "own_tests": [
            test.seeds[rows].tolist() for test in test_sets.values() if isinstance(test, DrawnSets)
        ],
    }
