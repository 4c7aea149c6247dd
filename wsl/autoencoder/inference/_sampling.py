"""New latents from those of anchor models: kernel densities, mixtures and interpolation."""

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from ..._random import draw_seed
from ..._sklearn_compat import arrays_inside

SAMPLING_METHODS = ("kde", "token_kde", "interpolation", "gmm", "ensemble")
WHOLE_MODEL_BANDWIDTH = 0.1
MAX_COMPONENTS = 5


def sample_latents(
    method: str,
    anchors: np.ndarray,
    tokens: Sequence[np.ndarray],
    n_models: int,
    rng: np.random.Generator,
    bandwidth: float | None,
) -> np.ndarray:
    """Draw latents ``(n_models, n_latents)`` by a named method, given each token's columns."""
    if method == "token_kde":
        return sample_kde(anchors, tokens, n_models, rng, bandwidth)
    if method == "gmm":
        return sample_gmm(anchors, n_models, rng)
    if method == "interpolation":
        return draw_mixture_weights(len(anchors), 2, n_models, rng) @ anchors
    whole = [np.arange(anchors.shape[1])]
    width = WHOLE_MODEL_BANDWIDTH if bandwidth is None else bandwidth
    return sample_kde(anchors, whole, n_models, rng, width)


def sample_kde(
    anchors: np.ndarray,
    blocks: Sequence[np.ndarray],
    n_models: int,
    rng: np.random.Generator,
    bandwidth: float | None = None,
) -> np.ndarray:
    """Draw from a Gaussian kernel density estimate over blocks of latent dimensions.

    Parameters
    ----------
    anchors : ndarray ``(n_anchors, n_latents)``
        Centres of the kernels.
    blocks : sequence of ndarray of int
        Columns with a density of their own: one anchor is drawn for all columns of a block, anew
        for each block and each model, and independent noise for every dimension.
    n_models : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.
    bandwidth : float, optional
        Standard deviation of the kernel over that of the anchors, column by column; by Scott's rule
        ``n_anchors ** (-1 / (block size + 4))``.

    Returns
    -------
    ndarray ``(n_models, n_latents)``
    """
    deviation = anchors.std(axis=0, ddof=1) if len(anchors) > 1 else np.zeros(anchors.shape[1])
    drawn = np.empty((n_models, anchors.shape[1]))
    for columns in blocks:
        scott = len(anchors) ** (-1.0 / (len(columns) + 4))
        width = deviation[columns] * (scott if bandwidth is None else bandwidth)
        centers = anchors[rng.integers(len(anchors), size=n_models)][:, columns]
        drawn[:, columns] = centers + width * rng.standard_normal(centers.shape)
    return drawn


def sample_gmm(anchors: np.ndarray, n_models: int, rng: np.random.Generator) -> np.ndarray:
    """Draw from a Gaussian mixture over the principal components of the anchors.

    There are fewer anchors than latent dimensions, so a mixture over the latents themselves would
    be underdetermined. The number of components, 1 to 5, minimises the Bayesian information
    criterion.
    """
    if not np.ptp(anchors, axis=0).any():  # one anchor, or copies of one
        return np.repeat(anchors, n_models, axis=0).astype(np.float64)
    pca = PCA(svd_solver="full").fit(anchors.astype(np.float64))
    kept = pca.explained_variance_ > 1e-10 * pca.explained_variance_[0]
    scale = np.sqrt(pca.explained_variance_[0]) or 1.0
    with arrays_inside():
        scores = pca.transform(anchors)[:, kept] / scale
    seed = draw_seed(rng)
    mixtures = [
        GaussianMixture(k, covariance_type="diag", random_state=seed).fit(scores)
        for k in range(1, min(MAX_COMPONENTS, len(anchors)) + 1)
    ]
    best = min(mixtures, key=lambda mixture: mixture.bic(scores))
    components = rng.choice(best.n_components, size=n_models, p=best.weights_)
    noise = rng.standard_normal((n_models, scores.shape[1]))
    drawn = best.means_[components] + np.sqrt(best.covariances_[components]) * noise
    return pca.mean_ + scale * drawn @ pca.components_[kept]


def draw_mixture_weights(
    n_anchors: int, n_mixed: int, n_models: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the weight of each anchor in each new model ``(n_models, n_anchors)``.

    At most ``n_mixed`` anchors per model have a weight; the weights of a model sum to 1 and are
    uniform on the simplex.
    """
    n_mixed = min(n_mixed, n_anchors)
    weights = np.zeros((n_models, n_anchors))
    for row in weights:
        row[rng.choice(n_anchors, n_mixed, replace=False)] = rng.dirichlet(np.ones(n_mixed))
    return weights
