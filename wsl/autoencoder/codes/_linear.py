"""The optimal linear code of tokens in closed form: PCA per layer, weighted by sensitivity."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..tokens._tokens import TokenLayout

RIDGE = 1e-3


class GroupLinear(nn.Module):
    """One linear map per token group.

    Parameters
    ----------
    group_counts : list of int
        Tokens in each group; the tokens of a group follow each other.
    weight : Tensor ``(n_groups, n_in, n_out)``
        Initial weights; biases start at zero.
    """

    def __init__(self, group_counts: list[int], weight: Tensor):
        super().__init__()
        self.group_counts = group_counts
        self.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(weight.new_zeros(len(weight), weight.shape[2]))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, n_in)`` to ``(n_models, n_tokens, n_out)``."""
        parts = tokens.split(self.group_counts, dim=1)
        maps = zip(parts, self.weight, self.bias, strict=True)
        return torch.cat([part @ weight + bias for part, weight, bias in maps], dim=1)


class LinearCode(nn.Module):
    """A linear encoder and decoder per token group, trained on from their initial weights.

    Parameters
    ----------
    group_counts : list of int
        Tokens in each group.
    encoder : Tensor ``(n_groups, token_size, max_latents)``
        Initial weights of the encoder.
    decoder : Tensor ``(n_groups, max_latents, token_size)``
        Initial weights of the decoder.
    group_sizes : sequence of int
        Latent dimensions of a token of each group; beyond them both matrices are zero.
    """

    def __init__(
        self,
        group_counts: list[int],
        encoder: Tensor,
        decoder: Tensor,
        group_sizes: Sequence[int],
    ):
        super().__init__()
        self.sizes = tuple(np.repeat(group_sizes, group_counts).tolist())
        self.model_bytes = 0  # beside the tokens
        self.encoder = GroupLinear(group_counts, encoder)
        self.decoder = GroupLinear(group_counts, decoder)

    def encode(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, token_size)`` to ``max(sizes)`` latents each."""
        return self.encoder(tokens)

    def decode(self, latents: Tensor) -> Tensor:
        """Map latents ``(n_models, n_tokens, n_latents)`` to tokens."""
        return self.decoder(latents)


def fit_linear_code(
    moments: Sequence[Tensor],
    layout: TokenLayout,
    n_latents: int | Sequence[int],
    sensitivity: Sequence[Tensor] | None = None,
    beta: float = 1.0,
) -> LinearCode:
    """Return the linear code of least loss under the metric of the autoencoder's own loss.

    Parameters
    ----------
    moments : sequence of Tensor ``(length, length)`` float64
        For each token group the second moment of its tokens, centred, from ``second_moments``.
    layout : TokenLayout
        Where tokens come from.
    n_latents : int or sequence of int
        Latent dimensions per model, at most, given to the directions of largest importance over
        all groups; or those of a token of each group, at most its length.
    sensitivity : sequence of Tensor ``(length, length)`` float64, optional
        For each group the second moment of the gradients of the outputs, from
        ``output_gradients``.
    beta : float
        Weight of the structural part of the metric.

    Notes
    -----
    For each group, with ``C`` the second moment of its tokens and ``G`` that of the gradients
    scaled to mean 1, the metric is ``M = beta I + (1 - beta) G``: the quadratic form of
    ``beta L_S + (1 - beta) L_B`` near zero error. The optimal code is the principal components of
    ``M^(1/2) C M^(1/2)``; plain PCA where beta is 1. Latents have unit variance.
    """
    counts, lengths = layout.group_counts, layout.group_lengths
    metrics = _metrics(layout, sensitivity, beta)
    codes = [_principal_directions(c, m) for c, m in zip(moments, metrics, strict=True)]
    if isinstance(n_latents, int):
        sizes = allocate_latents([importance for importance, _, _ in codes], counts, n_latents)
    else:
        sizes = tuple(map(min, n_latents, lengths))
    encoder = torch.zeros(len(codes), layout.token_size, max(sizes))
    decoder = torch.zeros(len(codes), max(sizes), layout.token_size)
    for group, ((_, into, out), n, size) in enumerate(zip(codes, lengths, sizes, strict=True)):
        encoder[group, :n, :size] = into[:, :size]
        decoder[group, :size, :n] = out[:size]
    return LinearCode(counts, encoder, decoder, sizes)


def second_moments(batches: Iterable[Tensor], layout: TokenLayout) -> list[Tensor]:
    """Return the second moment of the tokens of each group, ``(length, length)`` float64.

    ``batches`` are rows ``(n_batch, n_weights)``, all of equal weight.
    """
    sums = [torch.zeros(n, n, dtype=torch.float64) for n in layout.group_lengths]
    n_rows = 0
    for rows in batches:
        n_rows += len(rows)
        for total, tokens in zip(sums, layout.by_group(layout.to_tokens(rows)), strict=True):
            flat = tokens.flatten(0, -2).double().cpu()
            total += flat.T @ flat
    return [
        total / (n_rows * count) for total, count in zip(sums, layout.group_counts, strict=True)
    ]


def allocate_latents(
    importances: list[Tensor], counts: list[int], n_latents: int
) -> tuple[int, ...]:
    """Return the latent dimensions of each group, those of largest importance over all groups.

    ``importances`` are ``(length,)`` per group, in descending order.
    """
    ranked = sorted(
        (
            (float(value), -group, -rank)
            for group, values in enumerate(importances)
            for rank, value in enumerate(values)
        ),
        reverse=True,
    )
    sizes = [0] * len(importances)
    left = n_latents
    for _, group, _ in ranked:
        if counts[-group] <= left:
            sizes[-group] += 1
            left -= counts[-group]
    return tuple(sizes)


def _metrics(
    layout: TokenLayout, sensitivity: Sequence[Tensor] | None, beta: float
) -> Iterable[Tensor]:
    """Yield the metric of each group, ``(length, length)``."""
    lengths = layout.group_lengths
    identities = (torch.eye(n, dtype=torch.float64) for n in lengths)
    if sensitivity is None or beta == 1.0:
        return identities
    total = sum(
        float(g.trace()) * count for g, count in zip(sensitivity, layout.group_counts, strict=True)
    )
    mean = total / layout.n_columns or 1.0
    return (
        max(beta, RIDGE) * identity + (1.0 - beta) * g / mean
        for identity, g in zip(identities, sensitivity, strict=True)
    )


def _principal_directions(moment: Tensor, metric: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return importances ``(length,)``, descending, encoder and decoder ``(length, length)``."""
    values, vectors = torch.linalg.eigh(metric)
    root = (vectors * values.sqrt()) @ vectors.T
    inverse = (vectors / values.sqrt()) @ vectors.T
    importance, axes = torch.linalg.eigh(root @ moment @ root)
    importance, axes = importance.flip(0).clamp_min(0.0), axes.flip(1)
    deviation = importance.clamp_min(RIDGE * float(importance[0]) or 1.0).sqrt()
    into, out = root @ axes / deviation, deviation[:, None] * (axes.T @ inverse)
    return importance, into.float(), out.float()
