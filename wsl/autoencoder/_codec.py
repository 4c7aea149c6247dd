"""The parts of a fitted autoencoder together: frame, tokens, network and objective, run in chunks.

Plain torch on rows; parameters are checked and training is started in ``_estimator``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..architectures import Architecture
from ._frame import Frame
from ._linear_code import fit_linear_code
from ._network import TokenAutoencoder
from ._objective import Objective, Weighting
from ._refinement import refine_latents
from ._tokens import TokenLayout, architecture_layout, plain_layout

CHUNK_MODELS = 256


@dataclass(frozen=True)
class NetworkSize:
    """Sizes of the tokens and of the network around them."""

    latent_dim: int
    d_model: int
    n_layers: int
    n_heads: int
    token_size: int | None


@dataclass(frozen=True, eq=False)
class Codec:
    """Rows to latents and back; the parts rest on CPU and move to a device for a call."""

    layout: TokenLayout
    frame: Frame
    network: TokenAutoencoder
    objective: Objective

    @classmethod
    def start(
        cls,
        rows: Tensor,
        size: NetworkSize,
        weighting: Weighting,
        architecture: Architecture | None,
        queries: Tensor | None,
        permutations: bool,
        generator: torch.Generator,
    ) -> "Codec":
        """Return the codec before training: the optimal linear code of rows.

        ``rows`` are ``(n_models, n_weights)``, as they come.
        """
        if architecture is None:
            layout = plain_layout(rows.shape[1], size.token_size)
        else:
            layout = architecture_layout(architecture, size.token_size)
        aligned = architecture if permutations else None
        frame = Frame.fit(rows, layout, aligned)
        permuted = aligned is not None and len(aligned.permutation_groups) > 0
        objective = Objective(
            layout, frame.mean, frame.scale, weighting, architecture, queries, permuted, generator
        )
        rows, _ = frame.enter(rows)
        gradients = None if queries is None else layout.to_tokens(objective.gradients(rows))
        n_latents = layout.n_tokens * size.latent_dim
        code = fit_linear_code(layout.to_tokens(rows), layout, n_latents, gradients, weighting.beta)
        network = TokenAutoencoder(layout, code, size.d_model, size.n_layers, size.n_heads)
        return cls(layout, frame, network, objective)

    def encode(
        self, rows: Tensor, device: torch.device, refine_steps: int = 0, pooled: bool = False
    ) -> Tensor:
        """Return latents ``(n_models, n_latents)`` of rows in the frame, or means by layer."""

        def step(chunk: Tensor) -> Tensor:
            latents = self.network.encode(self.layout.to_tokens(chunk))
            if refine_steps:
                latents = refine_latents(self.objective, self.network, chunk, latents, refine_steps)
            return self.network.pool(latents) if pooled else latents

        return self._run(step, rows, device)

    def decode(
        self, latents: Tensor, device: torch.device, columns: Tensor | None = None
    ) -> Tensor:
        """Return rows of weights ``(n_models, n_weights)``; ``columns`` lead out of the frame."""

        def step(chunk: Tensor) -> Tensor:
            return self.layout.to_rows(self.network.decode(chunk))

        return self.frame.leave(self._run(step, latents, device), columns)

    def rest(self) -> None:
        """Bring all parts back to CPU: a pickle must load on a machine without the device."""
        self.network.to("cpu").eval()
        self.objective.to("cpu")

    def _run(
        self, step: Callable[[Tensor], Tensor], values: Tensor, device: torch.device
    ) -> Tensor:
        self.network.to(device).eval()
        self.objective.to(device)
        try:
            with torch.no_grad():
                return torch.cat([step(c.to(device)).cpu() for c in values.split(CHUNK_MODELS)])
        finally:
            self.rest()
