"""What training minimises: views of a batch, the losses, their scales and weights."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...architectures import Architecture
from ..losses._behavioral_loss import BehavioralLoss
from ..losses._losses import contrastive_loss, structural_loss
from ..tokens._normalization import Scaling
from ..tokens._tokens import TokenLayout
from ._network import TokenAutoencoder

LOSS_NAMES = ("total", "structural", "behavioral", "contrastive")
MAX_NOISE = 0.5
EXACT = 1e-9


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses, in the paper's symbols; a term of weight 0 is not computed."""

    gamma: float
    beta: float


class AutoencoderObjective(nn.Module):
    r"""The weighted loss of a batch of normalized rows.

    .. math:: L = \gamma L_C + (1 - \gamma) (\beta L_S + (1 - \beta) L_B)

    each term divided by its scale.

    Parameters
    ----------
    layout : TokenLayout
        Leads from rows to tokens.
    scaling : Scaling
        Leads from normalized rows to weights.
    weighting : LossWeights
        Weights of the terms.
    architecture : Architecture or None
        Needed for the behavioral and the contrastive term, and for noise.
    behavior : BehavioralLoss or None
        The behavioral term; None where it is off.
    permuted : bool
        Whether copies with permuted hidden units are the views of the contrastive term.
    ordered : bool
        Whether units come in one order and have codes of their own. If not, and ``permuted``,
        copies are rebuilt too.
    generator : torch.Generator
        On CPU; draws views, noise and the order of rows.
    """

    def __init__(
        self,
        layout: TokenLayout,
        scaling: Scaling,
        weighting: LossWeights,
        architecture: Architecture | None,
        behavior: BehavioralLoss | None,
        permuted: bool,
        ordered: bool,
        generator: torch.Generator,
    ):
        super().__init__()
        self.layout, self.scaling, self.weighting = layout, scaling, weighting
        self.architecture, self.behavior = architecture, behavior
        self.permuted, self.ordered, self.generator = permuted, ordered, generator
        self.mask: Tensor
        self.register_buffer("mask", torch.from_numpy(layout.mask))
        self.scales: dict[str, float] = dict.fromkeys(LOSS_NAMES[1:], 1.0)

    @property
    def contrasts(self) -> bool:
        """True where the contrastive term is on."""
        return self.permuted and self.weighting.gamma > 0

    def fit_scales(self, batches: Iterable[Tensor], batch_size: int) -> None:
        """Set the scale of each term: its value before anything is learned.

        That is the loss of the zoo's mean row, and of an embedding of chance for the contrastive
        term. ``batches`` are rows ``(n_batch, n_weights)``; a training step has ``batch_size``.
        """
        sums, n_rows = dict.fromkeys(LOSS_NAMES[1:], 0.0), 0
        for rows in batches:
            n_rows += len(rows)
            sums["structural"] += len(rows) * rows.square().mean().item()
            if self.behavior is not None:
                sums["behavioral"] += len(rows) * self.behavior.of_mean(rows).item()
        scales = {name: total / n_rows for name, total in sums.items()}
        if self.contrasts:
            scales["contrastive"] = math.log(max(2, 2 * batch_size - 1))
        self.scales = {name: value or 1.0 for name, value in scales.items()}

    def is_solved(self, network: TokenAutoencoder, batches: Iterable[Tensor]) -> bool:
        """Return True if only the structural loss is on and the network rebuilds rows exactly.

        ``batches`` are rows ``(n_batch, n_weights)``; they are read up to the first that is not.
        """
        if self.contrasts or self.behavior is not None:
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
        network : TokenAutoencoder
            Rebuilds the rows.
        rows : Tensor ``(n_models, n_weights)``
            Normalized rows.
        training : bool
            Whether noisy and permuted copies and fresh queries are used.
        """
        rows, other = self._views(rows, training)
        tokens = self.layout.to_tokens(rows)
        views = tokens if other is None else torch.cat([tokens, self.layout.to_tokens(other)])
        latents = network.encode(views)
        rebuilt = network.decode(latents[: len(rows)])
        losses = self.reconstruction_losses(rebuilt, rows, None if training else 0)
        if other is not None:
            losses["contrastive"] = contrastive_loss(*network.project(latents).split(len(rows)))
        return {"total": self.weigh(losses), **losses}

    def reconstruction_losses(
        self, rebuilt: Tensor, rows: Tensor, step: int | None = None
    ) -> dict[str, Tensor]:
        """Return the structural and, where it is on, the behavioral loss of rebuilt tokens.

        Parameters
        ----------
        rebuilt : Tensor ``(n_models, n_tokens, token_size)``
            Rebuilt tokens.
        rows : Tensor ``(n_models, n_weights)``
            Normalized rows.
        step : int, optional
            Picks the queries; they are drawn at random without it.
        """
        losses = {"structural": structural_loss(rebuilt, self.layout.to_tokens(rows), self.mask)}
        if self.behavior is not None:
            losses["behavioral"] = self.behavior(self.layout.to_rows(rebuilt), rows, step)
        return losses

    def weigh(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the given terms, each divided by its scale."""
        scaled = {name: loss / self.scales[name] for name, loss in losses.items()}
        beta, gamma = self.weighting.beta, self.weighting.gamma
        total = scaled["structural"]
        if "behavioral" in scaled:
            total = beta * total + (1 - beta) * scaled["behavioral"]
        if "contrastive" in scaled:
            total = gamma * scaled["contrastive"] + (1 - gamma) * total
        return total

    def _views(self, rows: Tensor, training: bool) -> tuple[Tensor, Tensor | None]:
        """Return rows to rebuild and, for the contrastive term, other copies of the same models."""
        if training and self.architecture is not None:
            amount = MAX_NOISE * torch.rand(len(rows), 1, generator=self.generator)
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
        weights = self.scaling.inverse_transform(rows)
        return self.scaling.transform(self.architecture.permute(weights, self.generator))
