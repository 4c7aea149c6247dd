"""How rows of weights differ: from each other, and from those of a zoo.

Rows are compared place by place: bring hidden units into one order first.
"""

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min

from .._batches import column_moments
from .._validation import check_length
from ..exceptions import InvalidInputError
from ._output_checks import check_array, in_batches, n_ordered_pairs


def diversity(rows) -> float:
    r"""Return the root mean square distance between two different models.

    Parameters
    ----------
    rows : array ``(n_models, n_weights)``
        At least 2 models.

    Notes
    -----
    The mean over pairs of :math:`\|w_i - w_j\|^2` is twice the unbiased variance, summed over
    columns: no matrix of distances is formed.
    """
    rows = check_array(rows, "rows", 2)
    n_ordered_pairs(len(rows))
    _, variance = column_moments(lambda: in_batches(rows))
    return float(np.sqrt(2.0 * variance.sum() * len(rows) / (len(rows) - 1)))


def spread_ratio(rows, rebuilt) -> float:
    """Return the variance of rebuilt or generated models over that of the originals.

    Near 0 where all are the same model, 1 where they differ as much as the originals do.

    Parameters
    ----------
    rows : array ``(n_models, n_weights)``
    rebuilt : array ``(n_rebuilt, n_weights)``
        At least 2 models each.
    """
    original = diversity(rows)
    return (diversity(rebuilt) / original) ** 2 if original > 0 else float("nan")


def nearest_distance(rows, zoo) -> np.ndarray:
    """Return how far each row is from the nearest model of a zoo: 0 is a copy.

    Parameters
    ----------
    rows : array ``(n_models, n_weights)``
        Generated models, for instance.
    zoo : array ``(n_zoo_models, n_weights)``

    Returns
    -------
    ndarray ``(n_models,)``
        Euclidean distances.

    Examples
    --------
    >>> from wsl.metrics import nearest_distance
    >>> nearest_distance([[0.0, 0.0], [3.0, 5.0]], [[0.0, 0.0], [3.0, 1.0]])
    array([0., 4.])
    """
    rows, zoo = check_array(rows, "rows", 2), check_array(zoo, "zoo", 2)
    if rows.shape[1] != zoo.shape[1]:
        raise InvalidInputError(f"zoo has {zoo.shape[1]} columns, but rows has {rows.shape[1]}")
    return pairwise_distances_argmin_min(rows, zoo)[1]


def compression_factor(rows, latents) -> float:
    """Return how many weights stand behind one latent number: weights over latent numbers.

    Parameters
    ----------
    rows : array ``(n_models, n_weights)``
    latents : array ``(n_models, n_latents)``

    Examples
    --------
    >>> import numpy as np
    >>> from wsl.metrics import compression_factor
    >>> compression_factor(np.ones((4, 90)), np.ones((4, 60)))
    1.5
    """
    rows, latents = check_array(rows, "rows", 2), check_array(latents, "latents", 2)
    check_length(latents, len(rows), "latents", "rows")
    return rows.shape[1] / latents.shape[1]
