"""The fitted parts of an autoencoder together: rows to latents and back, run in chunks."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .. import _batches
from .._batches import row_slices
from ..architectures import Architecture
from .inference._refinement import refine_latents
from .network._autoencoder_objective import AutoencoderObjective
from .network._network import TokenAutoencoder
from .tokens._dataset import NormalizedRows, working_bytes
from .tokens._normalization import Normalization
from .tokens._tokens import TokenLayout
from .tokens._unit_order import Orders

CHUNK_MODELS = 256


@dataclass(frozen=True, eq=False)
class Codec:
    """Rows to latents and back; the parts rest on CPU and move to a device for a call.

    Parameters
    ----------
    layout : TokenLayout
        Rows to tokens and back.
    normalization : Normalization
        Order of units, mean and scale.
    network : TokenAutoencoder
        Tokens to latents and back.
    objective : AutoencoderObjective
        The loss that training and refinement minimise.
    behavioral_loss : str
        How outputs are compared.
    structure : mapping
        Parameters of the estimator that a continued fit keeps, by name.
    """

    layout: TokenLayout
    normalization: Normalization
    network: TokenAutoencoder
    objective: AutoencoderObjective
    behavioral_loss: str
    structure: Mapping[str, Any]

    @property
    def architecture(self) -> Architecture:
        """Architecture of the rows, where models are run."""
        assert self.objective.architecture is not None
        return self.objective.architecture

    @property
    def regresses(self) -> bool:
        """True where outputs are continuous targets, and not logits."""
        single = self.architecture.n_outputs == 1
        return self.behavioral_loss == "squared_error" or (single and self.behavioral_loss == "l2")

    @property
    def row_bytes(self) -> int:
        """Working memory per row, which decides how many rows are embedded or rebuilt at once."""
        return working_bytes(self.layout, self.normalization.ordering)

    @property
    def chunk_models(self) -> int:
        """Models that run through the network at once."""
        hidden_bytes = 4 * self.layout.n_tokens * self.network.d_model
        model_bytes = max(hidden_bytes, self.network.code.model_bytes)
        return max(1, min(CHUNK_MODELS, _batches.BATCH_BYTES // model_bytes))

    def is_exact(self, rows: NormalizedRows) -> bool:
        """Return True if rows are rebuilt exactly and no other loss is on."""
        chunks = (chunk for batch in rows.batches() for chunk in batch.split(self.chunk_models))
        return self.objective.is_solved(self.network, chunks)

    def encode(self, rows: Tensor, device: torch.device, refine_steps: int = 0) -> Tensor:
        """Return latents ``(n_models, n_latents)`` of normalized rows."""

        def step(chunk: Tensor) -> Tensor:
            latents = self.network.encode(self.layout.to_tokens(chunk))
            if refine_steps:
                latents = refine_latents(self.objective, self.network, chunk, latents, refine_steps)
            return latents

        return self._run(step, rows, device)

    def encode_all(self, rows: NormalizedRows, device: torch.device) -> Tensor:
        """Return the latents ``(n_models, n_latents)`` of all rows of a zoo."""
        latents = torch.empty(len(rows), self.network.n_latents)
        for part in row_slices(len(rows), rows.row_bytes):
            latents[part] = self.encode(rows.take(part), device)
        return latents

    def decode(self, latents: Tensor, device: torch.device, orders: Orders = ()) -> Tensor:
        """Return rows of weights ``(n_models, n_weights)``, units in ``orders`` if given."""

        def step(chunk: Tensor) -> Tensor:
            return self.layout.to_rows(self.network.decode(chunk))

        return self.normalization.inverse_transform(self._run(step, latents, device), orders)

    def copy(self) -> "Codec":
        """Return a codec whose training leaves this one as it is."""
        shared = (self.layout, self.normalization, self.objective.architecture)
        memo: dict[int, Any] = {id(part): part for part in shared}
        network, objective = copy.deepcopy((self.network, self.objective), memo)
        return replace(self, network=network, objective=objective)

    def rest(self) -> None:
        """Move all parts back to CPU: a pickle must load on a machine without the device."""
        self.network.to("cpu").eval()
        self.objective.to("cpu")

    def move(self, device: torch.device) -> None:
        """Move all parts to a device, in evaluation mode."""
        self.network.to(device).eval()
        self.objective.to(device)

    def _run(
        self, step: Callable[[Tensor], Tensor], values: Tensor, device: torch.device
    ) -> Tensor:
        self.move(device)
        try:
            with torch.no_grad():
                chunks = values.split(self.chunk_models)
                return torch.cat([step(chunk.to(device)).cpu() for chunk in chunks])
        finally:
            self.rest()
