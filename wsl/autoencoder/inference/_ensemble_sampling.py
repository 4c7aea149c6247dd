"""What generated models are held to: labelled data, or the averaged answers of their anchors.

Plain torch, given latents and shares; those are drawn in ``_sampling``.
"""

import numpy as np
import torch
from torch import Tensor, nn

from ..._batches import row_slices
from ..._validation import owned_tensor
from ...architectures import Architecture
from ...zoo.training._losses import LOSSES, resolve_loss
from .._codec import Codec
from ..network._losses import cross_entropy_loss
from ..network._query_sets import few_queries

STEP_SIZE = 0.1  # latents have about unit variance
LEAST_PROBABILITY = 1e-12
KEPT_COPIES = 8  # of a model's tokens in the decoder, for the backward pass


def imitate_parents(
    codec: Codec,
    latents: np.ndarray,
    parents: np.ndarray,
    shares: np.ndarray,
    queries: np.ndarray,
    n_steps: int,
    rng: np.random.Generator,
    device: torch.device,
) -> np.ndarray:
    """Move latents by descent until their models answer as their parents do on average.

    The network is held fixed, so what comes out is what it can decode. Queries have no labels.

    Parameters
    ----------
    latents : ndarray ``(n_models, n_latents)``
        Where the descent starts.
    parents : ndarray ``(n_anchors, n_weights)``
    shares : ndarray ``(n_models, n_anchors)``
        The weight of each parent in the average.
    queries : ndarray ``(n_queries, n_features)``
        Each step takes ``few_queries`` of them, the same for all models.

    Returns
    -------
    ndarray ``(n_models, n_latents)`` float32
    """
    size = min(few_queries(_architecture(codec).forward_pass.activation_size), len(queries))
    steps = [torch.from_numpy(rng.permutation(len(queries))[:size]) for _ in range(n_steps)]
    inputs = owned_tensor(queries).to(device)
    moved = np.empty(latents.shape, np.float32)
    codec.network.to(device).eval()
    codec.objective.to(device)
    try:
        for part in row_slices(len(latents), _chunk_bytes(codec, size, len(queries))):
            wanted = _averaged(codec, parents, shares[part], queries).to(device)
            start = owned_tensor(latents[part]).to(device)
            moved[part] = _descend(codec, start, inputs, wanted, steps).cpu()
    finally:
        codec.rest()
    return moved


def averaged_labels(codec: Codec, rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return what models answer on average: classes, or numbers where outputs are regressed."""
    shares = np.full((1, len(rows)), 1.0 / len(rows))
    average = _averaged(codec, rows, shares, queries)[0]
    if _regresses(codec):
        return average.numpy()
    if average.shape[-1] > 1:
        return average.argmax(-1).numpy()
    return (average[:, 0] > 0).long().numpy()


def data_losses(
    codec: Codec, rows: np.ndarray, queries: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return each model's mean loss on labelled queries ``(n_models,)``.

    Cross-entropy for labels, squared error for targets of float type.
    """
    architecture = _architecture(codec)
    loss = LOSSES[resolve_loss("auto", labels, architecture.n_outputs)]
    targets = loss.targets(labels, architecture.n_outputs)
    losses = []
    for part in row_slices(len(rows), 4 * len(queries) * architecture.forward_pass.activation_size):
        outputs = torch.from_numpy(architecture.forward(rows[part], queries))
        losses.append(loss.value(outputs, targets.expand(len(outputs), *targets.shape)).mean(1))
    return torch.cat(losses).numpy()


def _descend(
    codec: Codec, latents: Tensor, inputs: Tensor, wanted: Tensor, steps: list[Tensor]
) -> Tensor:
    """Follow each model's own loss against ``wanted`` ``(n_models, n_queries, n_outputs)``."""
    architecture = _architecture(codec)
    loss = nn.functional.mse_loss if _regresses(codec) else cross_entropy_loss
    latents = latents.requires_grad_(True)
    optimizer = torch.optim.Adam([latents], lr=STEP_SIZE, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, max(1, len(steps)))
    for chosen in steps:
        chosen = chosen.to(inputs.device)
        with torch.enable_grad():
            rows = codec.objective.weights(codec.layout.to_rows(codec.network.decode(latents)))
            outputs = architecture.forward(rows, inputs[chosen])
            total = len(latents) * loss(outputs, wanted[:, chosen])  # a sum over models
        latents.grad = torch.autograd.grad(total, latents)[0]
        optimizer.step()
        schedule.step()
    return latents.detach()


def _averaged(codec: Codec, rows: np.ndarray, shares: np.ndarray, queries: np.ndarray) -> Tensor:
    """Return logits of averaged predictions ``(n_models, n_queries, n_outputs)``.

    ``shares`` are ``(n_models, n_anchors)``. Probabilities are averaged, or outputs as they stand.
    """
    architecture = _architecture(codec)
    as_they_stand = architecture.n_outputs == 1 or _regresses(codec)
    used = np.flatnonzero(shares.any(axis=0))
    total = torch.zeros(len(shares), len(queries), architecture.n_outputs)
    for part in row_slices(len(used), 4 * len(queries) * architecture.forward_pass.activation_size):
        own = used[part]
        outputs = torch.from_numpy(architecture.forward(rows[own], queries))
        outputs = outputs if as_they_stand else outputs.softmax(-1)
        total += torch.einsum("ma,aqc->mqc", owned_tensor(shares[:, own]), outputs)
    return total if as_they_stand else total.clamp_min(LEAST_PROBABILITY).log()


def _architecture(codec: Codec) -> Architecture:
    assert codec.objective.architecture is not None
    return codec.objective.architecture


def _regresses(codec: Codec) -> bool:
    """Whether outputs are numbers that stand for themselves, and no logits."""
    loss, single = codec.objective.weighting.behavioral_loss, _architecture(codec).n_outputs == 1
    return loss == "squared_error" or (single and loss == "l2")


def _chunk_bytes(codec: Codec, n_run: int, n_queries: int) -> int:
    """Return what the descent of one model takes, to choose how many go at once."""
    tokens = 4 * codec.layout.n_tokens * codec.network.d_model * KEPT_COPIES
    run = 4 * n_run * _architecture(codec).forward_pass.activation_size
    return tokens + run + 4 * n_queries * _architecture(codec).n_outputs
