"""The parts of a fitted autoencoder together: frame, tokens, network and objective, run in chunks.

Plain torch on rows; parameters are checked and training is started in ``_learning``.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import _batches
from .._batches import row_slices
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from .codes._latent_budget import evenly, fit_response_code
from .codes._layerwise_forward import LayerwiseForward
from .codes._linear import N_DRAWS, fit_linear_code, second_moments
from .codes._response import ResponseCode
from .inference._refinement import refine_latents
from .network._autoencoder_objective import AutoencoderObjective, LossWeights
from .network._network import GroupCode, TokenAutoencoder
from .network._query_sets import QuerySets
from .tokens._dataset import NormalizedRows, largest_row, working_bytes
from .tokens._normalization import Normalization
from .tokens._tokens import TokenLayout, architecture_layout, plain_layout
from .tokens._unit_order import Alignment, Orders, Ranking

CHUNK_MODELS = 256
START_MODELS = 2048
SHARING_MODELS = 256


@dataclass(frozen=True)
class NetworkSize:
    """The code, sizes of the tokens, and of the network around them."""

    code: str
    latent_dim: int | Sequence[int]
    d_model: int
    n_layers: int
    n_heads: int
    token_size: int | None


@dataclass(frozen=True)
class Symmetries:
    """What is done about the order of hidden units.

    ``align``: in which order they come, as ``WeightSpaceAutoencoder`` takes it; ``permuted``:
    copies in other orders are shown in training.
    """

    align: bool | str
    permuted: bool


@dataclass(frozen=True, eq=False)
class Codec:
    """Rows to latents and back; the parts rest on CPU and move to a device for a call."""

    layout: TokenLayout
    frame: Normalization
    network: TokenAutoencoder
    objective: AutoencoderObjective

    @classmethod
    def start(
        cls,
        rows: np.ndarray,
        training: np.ndarray,
        size: NetworkSize,
        weighting: LossWeights,
        architecture: Architecture | None,
        queries: QuerySets | None,
        symmetries: Symmetries,
        generator: torch.Generator,
    ) -> tuple["Codec", NormalizedRows]:
        """Return the codec before training, a code in closed form, and the rows in its frame.

        ``rows`` are ``(n_models, n_weights)``, as they come; the code is that of those with
        indices ``training``.
        """
        if architecture is None:
            layout = plain_layout(rows.shape[1], size.token_size)
        else:
            layout = architecture_layout(architecture, size.token_size)
        walks = _can_walk(size.code, layout, architecture, queries)
        permuted = symmetries.permuted and _have_symmetries(architecture)
        found, least = None, np.inf
        for ordering in _orderings(symmetries.align, walks, rows, training, architecture, queries):
            framed = NormalizedRows.fit(rows, training, layout, ordering)
            frame = framed.frame
            objective = AutoencoderObjective(
                layout, frame.mean, frame.scale, weighting, architecture, queries, permuted,
                walks and ordering is not None, generator,
            )  # fmt: skip
            code, lost = _fit_code(size, objective, framed, training, walks)
            if found is None or lost < least:
                found, least = (code, objective, framed), lost
        assert found is not None
        code, objective, framed = found
        network = TokenAutoencoder(layout, code, size.d_model, size.n_layers, size.n_heads)
        return cls(layout, framed.frame, network, objective), framed.keep()

    def fit_scales(
        self, rows: NormalizedRows, training: np.ndarray, batch_size: int
    ) -> dict[str, float]:
        """Set the scales of the losses from the training rows, and return them."""
        few = sample_rows(training, self.objective.generator)
        return self.objective.fit_scales(rows.batches(few), min(batch_size, len(training)))

    def is_exact(self, rows: NormalizedRows) -> bool:
        """Whether the code rebuilds all rows, and nothing more is asked."""
        chunks = (chunk for rows in rows.batches() for chunk in rows.split(self.chunk_models))
        return self.objective.is_met(self.network, chunks)

    @property
    def row_bytes(self) -> int:
        """What work on one row takes, to choose how many rows are embedded or rebuilt at once."""
        return working_bytes(self.layout, self.frame.ordering)

    @property
    def chunk_models(self) -> int:
        """How many models run through the network at once."""
        hidden_bytes = 4 * self.layout.n_tokens * self.network.d_model
        model_bytes = max(hidden_bytes, self.network.code.model_bytes)
        return max(1, min(CHUNK_MODELS, _batches.BATCH_BYTES // model_bytes))

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

    def encode_all(self, rows: NormalizedRows, device: torch.device) -> Tensor:
        """Return the latents ``(n_models, n_latents)`` of all rows of a zoo."""
        latents = torch.empty(len(rows), self.network.n_latents)
        for part in row_slices(len(rows), rows.row_bytes):
            latents[part] = self.encode(rows.take(part), device)
        return latents

    def decode(self, latents: Tensor, device: torch.device, orders: Orders = ()) -> Tensor:
        """Return rows of weights ``(n_models, n_weights)``; ``orders`` lead out of the frame."""

        def step(chunk: Tensor) -> Tensor:
            return self.layout.to_rows(self.network.decode(chunk))

        return self.frame.leave(self._run(step, latents, device), orders)

    def copy(self) -> "Codec":
        """Return a codec whose training leaves this one as it is."""
        frozen = (self.layout, self.frame, self.objective.architecture)
        memo: dict[int, Any] = {id(part): part for part in frozen}
        network, objective = copy.deepcopy((self.network, self.objective), memo)
        return replace(self, network=network, objective=objective)

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
                chunks = values.split(self.chunk_models)
                return torch.cat([step(chunk.to(device)).cpu() for chunk in chunks])
        finally:
            self.rest()


def _orderings(
    align: bool | str,
    walks: bool,
    rows: np.ndarray,
    training: np.ndarray,
    architecture: Architecture | None,
    queries: QuerySets | None,
) -> Iterator[Alignment | Ranking | None]:
    """Yield the orders of hidden units that are to be tried, of which one is kept.

    The reference is the row of largest norm: its units differ most from each other. Raises
    InvalidInputError where units are to be ranked and models cannot be run.
    """
    if architecture is None or align is False:
        yield None
        return
    runs = queries is not None and architecture.forward_pass.plan is not None
    if align == "importance" and not runs:
        raise InvalidInputError(
            "align='importance' needs queries, beta below 1 and an architecture whose layers can "
            "be run one by one; wanted those, or align='reference'"
        )
    if align == "importance" or (align is True and walks and _have_symmetries(architecture)):
        assert queries is not None
        yield Ranking(architecture, queries.few(architecture.forward_pass.activation_size))
    if align != "importance":
        yield Alignment(architecture, largest_row(rows, training))


def _fit_code(
    size: NetworkSize,
    objective: AutoencoderObjective,
    framed: NormalizedRows,
    training: np.ndarray,
    walks: bool,
) -> tuple[GroupCode | ResponseCode, float]:
    """Return the code in closed form of the rows with indices ``training``, and what it loses.

    The loss is that of the code by responses; 0 of the linear one.
    """
    layout, architecture, queries = objective.layout, objective.architecture, objective.queries
    few = sample_rows(training, objective.generator)
    n_latents = layout.n_latents(size.latent_dim)
    moments = second_moments(framed.batches(training), layout)
    if walks:
        assert architecture is not None
        assert queries is not None
        inputs = queries.few(architecture.forward_pass.activation_size)
        walk = LayerwiseForward(layout, architecture, objective.mean, objective.scale, inputs)
        tried = framed.take(evenly(few, SHARING_MODELS))
        return fit_response_code(
            walk, lambda: framed.batches(few, walk.model_bytes), moments, n_latents, tried,
            objective.gradients, objective.lost_by,
        )  # fmt: skip
    sensitivity = None
    if queries is not None:
        chunks = framed.batches(few, N_DRAWS * framed.row_bytes)
        sensitivity = second_moments(map(objective.gradients, chunks), layout)
    linear = fit_linear_code(moments, layout, n_latents, sensitivity, objective.weighting.beta)
    return GroupCode(layout.kind_counts, linear), 0.0


def _can_walk(
    code: str, layout: TokenLayout, architecture: Architecture | None, queries: QuerySets | None
) -> bool:
    """Tell whether the code is by responses, for which models are run layer by layer.

    Raises InvalidInputError where responses are asked for and cannot be had.
    """
    if architecture is None or queries is None:
        lacking = "an architecture, queries and beta below 1"
    elif architecture.forward_pass.plan is None:
        lacking = "an architecture whose layers can be run one by one"
    elif len(layout.kind_counts) > int(layout.positions[:, 0].max()) + 1:
        lacking = f"whole units as tokens, and no token_size={layout.token_size}"
    else:
        return code != "linear"
    if code == "responses":
        raise InvalidInputError(f"code='responses' needs {lacking}; wanted that, or code='linear'")
    return False


def _have_symmetries(architecture: Architecture | None) -> bool:
    return architecture is not None and len(architecture.permutation_groups) > 0


def sample_rows(training: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Return the indices ``training``, or ``START_MODELS`` drawn from them where there are more.

    Running a model on the queries costs far more than reading it, and some thousand models tell
    how outputs react to weights.
    """
    if len(training) <= START_MODELS:
        return training
    return training[torch.randperm(len(training), generator=generator)[:START_MODELS].numpy()]
