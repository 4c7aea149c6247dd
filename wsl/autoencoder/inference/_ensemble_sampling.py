"""Distilling ensembles of anchor models into new models, by descent on the latents."""

import numpy as np
import torch
from torch import Tensor, nn

from ..._batches import row_slices
from ..._validation import owned_tensor
from .._codec import Codec
from ..losses._losses import cross_entropy_loss
from ..losses._query_sets import few_queries

STEP_SIZE = 0.1  # latents have about unit variance
LEAST_PROBABILITY = 1e-12
KEPT_COPIES = 8  # of a model's tokens in the decoder, for the backward pass


def distil_anchors(
    codec: Codec,
    latents: np.ndarray,
    anchors: np.ndarray,
    mixture_weights: np.ndarray,
    queries: np.ndarray,
    n_steps: int,
    rng: np.random.Generator,
    device: torch.device,
) -> np.ndarray:
    """Move latents by descent until their models predict what their anchors predict on average.

    The network is held fixed, so the result is something that it can decode. No labels are used.

    Parameters
    ----------
    codec : Codec
        Decodes latents and runs models.
    latents : ndarray ``(n_models, n_latents)``
        Where the descent starts.
    anchors : ndarray ``(n_anchors, n_weights)``
        The models that are averaged.
    mixture_weights : ndarray ``(n_models, n_anchors)``
        Weight of each anchor in the average.
    queries : ndarray ``(n_queries, n_inputs)``
        Each step uses ``few_queries`` of them, the same for all models.
    n_steps : int
        Steps of descent.
    rng : numpy.random.Generator
        Draws the queries of each step.
    device : torch.device
        Where to compute.

    Returns
    -------
    ndarray ``(n_models, n_latents)`` float32
    """
    size = min(few_queries(codec.architecture.forward_pass.activation_size), len(queries))
    steps = [torch.from_numpy(rng.permutation(len(queries))[:size]) for _ in range(n_steps)]
    inputs = owned_tensor(queries).to(device)
    moved = np.empty(latents.shape, np.float32)
    codec.move(device)
    try:
        for part in row_slices(len(latents), _model_bytes(codec, size, len(queries))):
            targets = averaged_logits(codec, anchors, mixture_weights[part], queries).to(device)
            start = owned_tensor(latents[part]).to(device)
            moved[part] = _descend(codec, start, inputs, targets, steps).cpu()
    finally:
        codec.rest()
    return moved


def averaged_logits(
    codec: Codec, rows: np.ndarray, mixture_weights: np.ndarray, queries: np.ndarray
) -> Tensor:
    """Return logits of averaged predictions ``(n_models, n_queries, n_outputs)``.

    ``mixture_weights`` are ``(n_models, n_rows)``. Probabilities are averaged; single outputs and
    those of a regression are averaged as they are.
    """
    architecture = codec.architecture
    raw = architecture.n_outputs == 1 or codec.regresses
    used = np.flatnonzero(mixture_weights.any(axis=0))
    total = torch.zeros(len(mixture_weights), len(queries), architecture.n_outputs)
    for part in row_slices(len(used), 4 * len(queries) * architecture.forward_pass.activation_size):
        indices = used[part]
        outputs = torch.from_numpy(architecture.forward(rows[indices], queries))
        outputs = outputs if raw else outputs.softmax(-1)
        total += torch.einsum("ma,aqc->mqc", owned_tensor(mixture_weights[:, indices]), outputs)
    return total if raw else total.clamp_min(LEAST_PROBABILITY).log()


def _descend(
    codec: Codec, latents: Tensor, inputs: Tensor, targets: Tensor, steps: list[Tensor]
) -> Tensor:
    """Follow each model's own loss against ``targets`` ``(n_models, n_queries, n_outputs)``."""
    loss = nn.functional.mse_loss if codec.regresses else cross_entropy_loss
    latents = latents.requires_grad_(True)
    optimizer = torch.optim.Adam([latents], lr=STEP_SIZE, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, max(1, len(steps)))
    for chosen in steps:
        chosen = chosen.to(inputs.device)
        with torch.enable_grad():
            rows = codec.layout.to_rows(codec.network.decode(latents))
            weights = codec.objective.scaling.inverse_transform(rows)
            outputs = codec.architecture.forward(weights, inputs[chosen])
            total = len(latents) * loss(outputs, targets[:, chosen])  # a sum over models
        latents.grad = torch.autograd.grad(total, latents)[0]
        optimizer.step()
        schedule.step()
    return latents.detach()


def _model_bytes(codec: Codec, n_run: int, n_queries: int) -> int:
    """Return the memory per model of the descent, which decides how many models go at once."""
    tokens = 4 * codec.layout.n_tokens * codec.network.d_model * KEPT_COPIES
    activations = 4 * n_run * codec.architecture.forward_pass.activation_size
    return tokens + activations + 4 * n_queries * codec.architecture.n_outputs
