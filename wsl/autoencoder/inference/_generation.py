"""The latents of new models, by the method that is asked for."""

import numpy as np
import torch

from .._codec import Codec
from ._ensemble_sampling import distil_anchors
from ._sampling import draw_mixture_weights, sample_latents
from ._sampling_arguments import SamplingRequest

N_ENSEMBLE = 3  # anchors per model


def draw_latents(
    codec: Codec,
    request: SamplingRequest,
    latents: np.ndarray,
    anchors: np.ndarray | None,
    rng: np.random.Generator,
    device: torch.device,
) -> np.ndarray:
    """Return new latents ``(n_drawn, n_latents)`` float32.

    ``latents`` are those of the anchors, ``anchors`` their rows, where models are run.
    """
    if request.method == "ensemble":
        assert anchors is not None
        assert request.queries is not None
        weights = draw_mixture_weights(len(latents), N_ENSEMBLE, request.n_drawn, rng)
        return distil_anchors(
            codec, weights @ latents, anchors, weights, request.queries, request.n_steps, rng,
            device,
        )  # fmt: skip
    blocks = codec.network.latent_blocks
    drawn = sample_latents(request.method, latents, blocks, request.n_drawn, rng, request.bandwidth)
    return drawn.astype(np.float32)
