"""Refining the latents of given models by descent on the loss, with the network held fixed."""

import torch
from torch import Tensor

from ..network._autoencoder_objective import AutoencoderObjective
from ..network._network import TokenAutoencoder

STEP_SIZE = 0.05  # latents have about unit variance
STEP_SUM = 10.0  # over all latents: a step moves each alike, however little it matters


def refine_latents(
    objective: AutoencoderObjective,
    network: TokenAutoencoder,
    rows: Tensor,
    latents: Tensor,
    n_steps: int,
) -> Tensor:
    """Return better latents ``(n_models, n_latents)`` of the same normalized rows.

    The latents of each model follow its own loss only, on the same queries for all models, so a
    result does not depend on the other rows. Queries change from step to step in a fixed order.
    """
    latents = latents.clone().requires_grad_(True)
    rate = min(STEP_SIZE, STEP_SUM / latents.shape[1])
    optimizer = torch.optim.Adam([latents], lr=rate, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=n_steps)
    for step in range(n_steps):
        with torch.enable_grad():
            losses = objective.reconstruction_losses(network.decode(latents), rows, step)
            # a sum over models: a mean would couple them
            total = len(rows) * objective.weigh(losses)
        latents.grad = torch.autograd.grad(total, latents)[0]
        optimizer.step()
        schedule.step()
    return latents.detach()
