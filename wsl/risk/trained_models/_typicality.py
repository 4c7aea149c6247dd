"""Whether a trained model is like the shadow models, as the adversary assumes."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ..evaluation._comparable_responses import comparable_responses
from ..shadows._population import Population

N_NEIGHBORS = 5


def typicality(shadows: Population, targets: Population) -> np.ndarray:
    """Return how usual each target is among the shadow models, ``(n_targets,)`` from 0 to 1.

    It is the fraction of models, the target among them, that are at least as far from their
    nearest shadow models as the target is, in the space of responses to the queries. So it is
    uniform between 0 and 1 for a target that was trained as the shadow models were, and near 0 for
    one that is unlike all of them. NaN if responses cannot be compared.
    """
    responses = comparable_responses(shadows, targets)
    if isinstance(responses, str):
        return np.full(len(targets), np.nan)
    rows, own = (
        array.reshape(len(array), -1).astype(float)
        for array in (responses.of_shadows, responses.of_targets)
    )
    deviations = rows.std(axis=0)
    scale = np.where(deviations > 0, deviations, 1.0)
    neighbors = NearestNeighbors(n_neighbors=min(N_NEIGHBORS, len(rows) - 1)).fit(rows / scale)
    of_shadows = neighbors.kneighbors()[0].mean(axis=1)  # each without itself
    of_targets = neighbors.kneighbors(own / scale)[0].mean(axis=1)
    n_farther = (of_shadows >= of_targets[:, None]).sum(axis=1)
    return (n_farther + 1) / (len(rows) + 1)
