"""New latents from those of anchor models: kernel density estimates with independent draws.

Encoding and decoding live elsewhere; only numpy here.
"""

from collections.abc import Sequence

import numpy as np


def scott_bandwidth(anchors: np.ndarray, n_features: int) -> np.ndarray:
    """Return Scott's bandwidth of each column for a density over ``n_features`` numbers."""
    factor = len(anchors) ** (-1.0 / (n_features + 4))
    spread = anchors.std(axis=0, ddof=1) if len(anchors) > 1 else np.zeros(anchors.shape[1])
    return factor * spread


def sample_kde(
    anchors: np.ndarray,
    blocks: Sequence[np.ndarray],
    n_models: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw latents from a Gaussian kernel density estimate of each block of columns.

    Parameters
    ----------
    anchors : ndarray ``(n_anchors, n_latents)``
    blocks : sequence of int arrays
        Columns that are drawn together: one anchor for all columns of a block, chosen anew for each
        block and model, and noise of its own for every number.
    n_models : int

    Returns
    -------
    ndarray ``(n_models, n_latents)``
    """
    drawn = np.empty((n_models, anchors.shape[1]))
    for columns in blocks:
        chosen = anchors[rng.integers(len(anchors), size=n_models)][:, columns]
        bandwidth = scott_bandwidth(anchors[:, columns], len(columns))
        drawn[:, columns] = chosen + bandwidth * rng.standard_normal(chosen.shape)
    return drawn


SAMPLERS = {"kde": sample_kde}
