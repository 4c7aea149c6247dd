"""How rows of weights differ: from each other, and from those of a zoo.

Rows are compared weight by weight: bring hidden units into one order first.
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
    rows : array-like of shape (n_models, n_weights)
        The weights of at least 2 models, with hidden units in one order
        (see ``Architecture.canonicalize``).

    Returns
    -------
    float
        A distance in weight space; 0 where all models are equal.

    See Also
    --------
    variance_ratio : Compares the diversity of rebuilt models with that of their originals.
    disagreement : How models differ in what they predict.

    Notes
    -----
    The mean over pairs of :math:`\|w_i - w_j\|^2` is twice the unbiased variance, summed over
    columns, so no matrix of distances is formed.

    Examples
    --------
    >>> from wsl.metrics import diversity
    >>> diversity([[0.0, 0.0], [3.0, 4.0]])
    5.0
    """
    rows = check_array(rows, "rows", 2)
    n_ordered_pairs(len(rows))
    _, variance = column_moments(lambda: in_batches(rows))
    return float(np.sqrt(2.0 * variance.sum() * len(rows) / (len(rows) - 1)))


def variance_ratio(rows, rebuilt) -> float:
    """Return the variance of rebuilt or generated models over that of the originals.

    Parameters
    ----------
    rows : array-like of shape (n_models, n_weights)
        The weights of at least 2 original models.
    rebuilt : array-like of shape (n_rebuilt, n_weights)
        The weights of at least 2 rebuilt or generated models.

    Returns
    -------
    float
        Near 0 where all rebuilt models are the same, 1 where they differ as much as the originals
        do; NaN where the originals do not differ.

    See Also
    --------
    diversity : The distance whose square is compared.

    Examples
    --------
    >>> from wsl.metrics import variance_ratio
    >>> variance_ratio([[0.0], [4.0]], [[1.0], [3.0]])
    0.25
    """
    original = diversity(rows)
    return (diversity(rebuilt) / original) ** 2 if original > 0 else float("nan")


def nearest_distance(rows, zoo) -> np.ndarray:
    """Return the distance of each model from the nearest model of a zoo.

    Parameters
    ----------
    rows : array-like of shape (n_models, n_weights)
        The weights of models, for instance generated ones.
    zoo : array-like of shape (n_zoo_models, n_weights)
        The weights of the models to compare them with.

    Returns
    -------
    ndarray of shape (n_models,)
        Euclidean distances; 0 means that the model is a copy.

    Raises
    ------
    InvalidInputError
        If the numbers of weights differ.

    See Also
    --------
    diversity : The distance of models from each other.

    Examples
    --------
    >>> from wsl.metrics import nearest_distance
    >>> nearest_distance([[0.0, 0.0], [3.0, 5.0]], [[0.0, 0.0], [3.0, 1.0]])
    array([0., 4.])
    """
    rows, zoo = check_array(rows, "rows", 2), check_array(zoo, "zoo", 2)
    if rows.shape[1] != zoo.shape[1]:
        raise InvalidInputError(
            f"`zoo` must have {rows.shape[1]} columns, as `rows` has; got {zoo.shape[1]}."
        )
    return pairwise_distances_argmin_min(rows, zoo)[1]


def compression_factor(rows, latents) -> float:
    """Return the number of weights per latent dimension.

    Parameters
    ----------
    rows : array-like of shape (n_models, n_weights)
        The weights of models.
    latents : array-like of shape (n_models, n_latents)
        The latents of the same models.

    Returns
    -------
    float
        ``n_weights / n_latents``.

    See Also
    --------
    behavioral_r2 : How well the rebuilt models behave.

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
