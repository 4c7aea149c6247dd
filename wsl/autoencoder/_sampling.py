"""New latents from those of anchor models: kernel density estimates with independent draws.

Encoding and decoding live elsewhere; only numpy here.
"""

from collections.abc import Sequence

import numpy as np

WHOLE_MODEL_BANDWIDTH = 0.1


def sample_kde(
    anchors: np.ndarray,
    blocks: Sequence[np.ndarray],
    n_models: int,
    rng: np.random.Generator,
    bandwidth: float | None = None,
) -> np.ndarray:
    """Draw from a Gaussian kernel density estimate over blocks of latent numbers.

    Parameters
    ----------
    anchors : ndarray ``(n_anchors, n_latents)``
    blocks : sequence of int arrays
        Columns with a density of their own: one anchor is drawn for all columns of a block, anew
        for each block and each model, and noise for every number by itself.
    n_models : int
    bandwidth : float, optional
        Spread of the kernel over the spread of the anchors, column by column; by Scott's rule
        ``n_anchors ** (-1 / (block size + 4))``.

    Returns
    -------
    ndarray ``(n_models, n_latents)``
    """
    spread = anchors.std(axis=0, ddof=1) if len(anchors) > 1 else np.zeros(anchors.shape[1])
    drawn = np.empty((n_models, anchors.shape[1]))
    for columns in blocks:
        scott = len(anchors) ** (-1.0 / (len(columns) + 4))
        width = spread[columns] * (scott if bandwidth is None else bandwidth)
        centers = anchors[rng.integers(len(anchors), size=n_models)][:, columns]
        drawn[:, columns] = centers + width * rng.standard_normal(centers.shape)
    return drawn


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
    whole = [np.arange(anchors.shape[1])]
    width = WHOLE_MODEL_BANDWIDTH if bandwidth is None else bandwidth
    return sample_kde(anchors, whole, n_models, rng, width)


SAMPLING_METHODS = ("kde", "token_kde")
