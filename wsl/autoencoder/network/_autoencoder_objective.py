"""What training minimises: views of a batch, the losses, their scales and weights.

The formulas of the losses live in ``_losses``, the loop around this in ``_training``.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...architectures import Architecture
from ..codes._linear import output_gradients
from ..tokens._tokens import TokenLayout
from ._losses import BEHAVIORAL_LOSSES, contrastive_loss, cycle_loss, seen_outputs, structural_loss
from ._network import TokenAutoencoder
from ._query_sets import QuerySets

LOSS_NAMES = ("total", "structural", "behavioral", "contrastive", "cycle")
NOISE = 0.5
EXACT = 1e-9
GRADIENT_ROWS = 64
GRADIENT_BYTES = 256 * 2**20


@dataclass(frozen=True)
class LossWeights:
    """The constants of the loss, in the paper's symbols; an arm of weight zero is not computed."""

    gamma: float
    beta: float
    temperature: float
    behavioral_loss: str
    n_queries: int
    cycle: float = 0.0


class AutoencoderObjective(nn.Module):
    r"""The weighted loss of a batch of rows.

    .. math:: L = \gamma L_C + (1 - \gamma) (\beta L_S + (1 - \beta) L_B) + \lambda L_{cycle}

    each term divided by its scale.

    Parameters
    ----------
    layout : TokenLayout
    mean, scale : Tensor ``(n_weights,)``
        A weight is ``mean + scale * column`` of the rows that arrive here.
    weighting : Weighting
    architecture : Architecture or None
        Needed for the behavioral and the contrastive term.
    queries : Queries or None
    permuted : bool
        Whether models have copies with hidden units in other orders: views of the contrastive term.
    ordered : bool
        Whether units come in one order and have codes of their own. If not, and ``permuted``,
        copies are rebuilt too.
    generator : torch.Generator
        On CPU; draws queries, views and noise.
    """

    def __init__(
        self,
        layout: TokenLayout,
        mean: Tensor,
        scale: Tensor,
        weighting: LossWeights,
        architecture: Architecture | None,
        queries: QuerySets | None,
        permuted: bool,
        ordered: bool,
        generator: torch.Generator,
    ):
        super().__init__()
        self.layout, self.weighting, self.architecture = layout, weighting, architecture
        self.permuted, self.ordered, self.generator = permuted, ordered, generator
        self.mean: Tensor
        self.scale: Tensor
        self.mask: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.register_buffer("mask", torch.from_numpy(layout.mask))
        self.queries = queries
        self.scales: dict[str, float] = dict.fromkeys(LOSS_NAMES[1:], 1.0)

    @property
    def contrasts(self) -> bool:
        """Whether the contrastive term is on."""
        return self.permuted and self.weighting.gamma > 0

    def weights(self, rows: Tensor) -> Tensor:
        """Undo the scaling of rows ``(n_models, n_weights)``."""
        return self.mean + self.scale * rows

    def fit_scales(self, batches: Iterable[Tensor], batch_size: int) -> dict[str, float]:
        """Set each term's scale to its value for the mean of the zoo, an embedding of one point.

        That of the cycle stays 1, the variance of latents at the start.

        ``batches`` are rows ``(n_batch, n_weights)``; ``batch_size`` models stand in a step.
        """
        sums, n_rows = dict.fromkeys(LOSS_NAMES[1:], 0.0), 0
        for rows in batches:
            n_rows += len(rows)
            for name, loss in self._losses_of_mean(rows).items():
                sums[name] += len(rows) * loss
        scales = {name: total / n_rows for name, total in sums.items()}
        if self.contrasts:
            scales["contrastive"] = math.log(max(2, 2 * batch_size - 1))
        self.scales = {name: value or 1.0 for name, value in scales.items()}
        return self.scales

    def gradients(
        self, points: Tensor, rows: Callable[[Tensor], Tensor] = lambda rows: rows
    ) -> Tensor:
        """Return gradients of the outputs by points, of which ``rows`` makes rows in the frame.

        That is ``(n_draws * n_models, ...)``; by the rows themselves where nothing is told.
        """
        assert self.architecture is not None
        assert self.queries is not None
        architecture, queries = (
            self.architecture,
            self.queries.few(self.architecture.forward_pass.activation_size),
        )
        seen = seen_outputs(self.weighting.behavioral_loss)

        def answer(own: Tensor) -> Tensor:
            return seen(architecture.forward(self.weights(rows(own)), queries))

        model_bytes = 4 * architecture.forward_pass.activation_size * len(queries)
        chunk_models = max(1, min(GRADIENT_ROWS, GRADIENT_BYTES // model_bytes))
        return output_gradients(answer, points, self.generator, chunk_models)

    def is_met(self, network: TokenAutoencoder, batches: Iterable[Tensor]) -> bool:
        """Whether the network rebuilds rows exactly, and that is all that is asked.

        ``batches`` are rows ``(n_batch, n_weights)``; the first that is not rebuilt ends it.
        """
        if self.contrasts or self.queries is not None or self.weighting.cycle > 0:
            return False
        with torch.no_grad():
            for rows in batches:
                tokens = self.layout.to_tokens(rows)
                loss = structural_loss(network(tokens), tokens, self.mask).item()
                if loss > EXACT * self.scales["structural"]:
                    return False
        return True

    def forward(
        self, network: TokenAutoencoder, rows: Tensor, training: bool = True
    ) -> dict[str, Tensor]:
        """Return the total and each term that is on, before its scale.

        Parameters
        ----------
        rows : Tensor ``(n_models, n_weights)``, scaled
        training : bool
            Whether to show noisy and permuted copies, and fresh queries.
        """
        rows, other = self._views(rows, training)
        tokens = self.layout.to_tokens(rows)
        views = tokens if other is None else torch.cat([tokens, self.layout.to_tokens(other)])
        latents = network.encode(views)
        rebuilt = network.decode(latents[: len(rows)])
        losses = self.rebuilding_losses(rebuilt, rows, None if training else 0)
        if other is not None:
            view, other_view = network.project(latents).split(len(rows))
            losses["contrastive"] = contrastive_loss(view, other_view, self.weighting.temperature)
        if self.weighting.cycle > 0:
            losses["cycle"] = cycle_loss(network.encode(rebuilt), latents[: len(rows)])
        return {"total": self.weigh(losses), **losses}

    def rebuilding_losses(
        self, rebuilt: Tensor, rows: Tensor, step: int | None = None
    ) -> dict[str, Tensor]:
        """Return the structural and, where it is on, the behavioral loss of rebuilt tokens.

        Parameters
        ----------
        rebuilt : Tensor ``(n_models, n_tokens, token_size)``
        rows : Tensor ``(n_models, n_weights)``, scaled
        step : int, optional
            Picks the queries; they are drawn at random without it.
        """
        tokens = self.layout.to_tokens(rows)
        losses = {"structural": structural_loss(rebuilt, tokens, self.mask)}
        if self.queries is not None:
            rebuilt_rows = self.layout.to_rows(rebuilt)
            n_queries = self.weighting.n_queries
            if step is None:
                queries = self.queries.draw(n_queries, self.generator)
            else:
                queries = self.queries.pick(n_queries, step)
            losses["behavioral"] = self._behavioral(rebuilt_rows, rows, queries)
        return losses

    def weigh(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the terms that are given, each over its scale."""
        scaled = {name: loss / self.scales[name] for name, loss in losses.items()}
        beta, gamma = self.weighting.beta, self.weighting.gamma
        rebuild = scaled["structural"]
        if "behavioral" in scaled:
            rebuild = beta * rebuild + (1 - beta) * scaled["behavioral"]
        if "contrastive" in scaled:
            rebuild = gamma * scaled["contrastive"] + (1 - gamma) * rebuild
        if "cycle" in scaled:
            rebuild = rebuild + self.weighting.cycle * scaled["cycle"]
        return rebuild

    def _losses_of_mean(self, rows: Tensor) -> dict[str, float]:
        """Return the losses of rebuilding every row as the mean of the zoo."""
        losses = {"structural": rows.square().mean().item()}
        if self.queries is not None:
            assert self.architecture is not None
            queries = self.queries.few(self.architecture.forward_pass.activation_size)
            with torch.no_grad():
                loss = self._behavioral(torch.zeros_like(rows), rows, queries)
            losses["behavioral"] = loss.item()
        return losses

    def lost_by(self, rows: Tensor) -> Callable[[Tensor], float]:
        """Return the behavioral loss of rebuilds of rows ``(n_models, n_weights)``, on few queries.

        The originals are run once.
        """
        assert self.queries is not None
        assert self.architecture is not None
        queries = self.queries.few(self.architecture.forward_pass.activation_size, 1)
        original = self._outputs(rows, queries)

        def loss(rebuilt: Tensor) -> float:
            return float(self._distance(self._outputs(rebuilt, queries), original))

        return loss

    def _behavioral(self, rebuilt: Tensor, rows: Tensor, queries: Tensor) -> Tensor:
        with torch.no_grad():
            original = self._outputs(rows, queries)
        return self._distance(self._outputs(rebuilt, queries), original)

    def _outputs(self, rows: Tensor, queries: Tensor) -> Tensor:
        assert self.architecture is not None
        return self.architecture.forward(self.weights(rows), queries)

    def _distance(self, rebuilt: Tensor, original: Tensor) -> Tensor:
        return BEHAVIORAL_LOSSES[self.weighting.behavioral_loss](rebuilt, original)

    def _views(self, rows: Tensor, training: bool) -> tuple[Tensor, Tensor | None]:
        """Return rows to rebuild and, for the contrastive term, other copies of the same models."""
        if training and self.architecture is not None:
            amount = NOISE * torch.rand(len(rows), 1, generator=self.generator)
            noise = torch.randn(rows.shape, generator=self.generator)
            rows = rows + (amount * noise).to(rows)
        mixed = training and self.permuted and not self.ordered
        if not (self.contrasts or mixed):
            return rows, None
        other = self._permute(rows)
        if mixed:  # half of the batch is rebuilt from a random order, so that orders do not matter
            half = torch.arange(len(rows), device=rows.device)[:, None] < len(rows) // 2
            rows, other = torch.where(half, other, rows), torch.where(half, rows, other)
        return rows, other if self.contrasts else None

    def _permute(self, rows: Tensor) -> Tensor:
        assert self.architecture is not None
        permuted = self.architecture.permute(self.weights(rows), self.generator)
        return (permuted - self.mean) / self.scale
