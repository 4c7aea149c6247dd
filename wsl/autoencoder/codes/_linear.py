"""The best linear code of tokens in closed form: where the autoencoder starts, before any training.

Plain torch on tokens; nothing here is trained by gradient steps.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..tokens._tokens import TokenLayout

RIDGE = 1e-3
N_DRAWS = 4


@dataclass(frozen=True)
class LinearCode:
    """A linear encoder and decoder for each kind of token.

    Parameters
    ----------
    encode : Tensor ``(n_kinds, token_size, max_latents)``
    decode : Tensor ``(n_kinds, max_latents, token_size)``
    sizes : tuple of int
        Latent numbers of a token of each kind; what lies beyond is zero in both matrices.
    """

    encode: Tensor
    decode: Tensor
    sizes: tuple[int, ...]


def output_gradients(
    answer: Callable[[Tensor], Tensor],
    points: Tensor,
    generator: torch.Generator,
    chunk_models: int,
    n_draws: int = N_DRAWS,
) -> Tensor:
    """Return gradients of random projections of what models answer, ``(n_draws * n_models, ...)``.

    With ``s`` standard normal and ``answer`` f, the gradient ``g`` of ``s . f(w)`` has
    ``E[g g'] = J'J``: the second-order cost of an error in a point, in squared output.

    Parameters
    ----------
    answer : callable
        Of models, by points ``(n_models, ...)`` to ``(n_models, n_queries, n_outputs)``.
    """
    gradients = []
    for _ in range(n_draws):
        for chunk in points.split(chunk_models):
            given = chunk.clone().requires_grad_(True)
            outputs = answer(given)
            signs = torch.randn(outputs.shape, generator=generator).to(outputs)
            gradients.append(torch.autograd.grad((outputs * signs).sum(), given)[0])
    return torch.cat(gradients)


def fit_linear_code(
    moments: Sequence[Tensor],
    layout: TokenLayout,
    n_latents: int | Sequence[int],
    sensitivity: Sequence[Tensor] | None = None,
    beta: float = 1.0,
) -> LinearCode:
    """Return the linear code that loses least under the metric of the autoencoder's own loss.

    Parameters
    ----------
    moments : sequence of Tensor ``(length, length)`` float64
        For each kind the second moment of its tokens, centred, from ``second_moments``.
    n_latents : int or sequence of int
        Latent numbers of one model, at most: they go to the directions that matter most, so kinds
        of token get different shares. Or those of a token of each kind, where it is that long.
    sensitivity : sequence of Tensor ``(length, length)`` float64, optional
        For each kind the second moment of the gradients of the outputs by its tokens, from
        ``output_gradients``.
    beta : float
        Weight of the structural part of the metric.

    Notes
    -----
    For each kind, with ``C`` the second moment of its tokens and ``G`` that of the gradients scaled
    to mean 1, the metric is ``M = beta I + (1 - beta) G``: the quadratic form of
    ``beta L_S + (1 - beta) L_B`` near zero error. The optimal code is the principal components of
    ``M^(1/2) C M^(1/2)``; plain PCA where beta is 1. Latents have unit variance.
    """
    counts, lengths = layout.kind_counts, layout.kind_lengths
    metrics: Iterable[Tensor] = (torch.eye(n, dtype=torch.float64) for n in lengths)
    if sensitivity is not None and beta < 1.0:
        total = sum(float(g.trace()) * n for g, n in zip(sensitivity, counts, strict=True))
        mean = total / layout.n_columns or 1.0
        metrics = (
            max(beta, RIDGE) * identity + (1.0 - beta) * g / mean
            for identity, g in zip(metrics, sensitivity, strict=True)
        )
    codes = [_directions(c, m) for c, m in zip(moments, metrics, strict=True)]
    if isinstance(n_latents, int):
        sizes = share_out([importance for importance, _, _ in codes], counts, n_latents)
    else:
        sizes = tuple(map(min, n_latents, lengths))
    encode = torch.zeros(len(codes), layout.token_size, max(sizes))
    decode = torch.zeros(len(codes), max(sizes), layout.token_size)
    for kind, ((_, into, out), n, size) in enumerate(zip(codes, lengths, sizes, strict=True)):
        encode[kind, :n, :size] = into[:, :size]
        decode[kind, :size, :n] = out[:size]
    return LinearCode(encode, decode, sizes)


def second_moments(batches: Iterable[Tensor], layout: TokenLayout) -> list[Tensor]:
    """Return for each kind of token its second moment ``(length, length)`` in float64.

    ``batches`` are rows ``(n_batch, n_weights)``, all of which count alike.
    """
    sums = [torch.zeros(n, n, dtype=torch.float64) for n in layout.kind_lengths]
    n_rows = 0
    for rows in batches:
        n_rows += len(rows)
        for total, own in zip(sums, layout.by_kind(layout.to_tokens(rows)), strict=True):
            flat = own.flatten(0, -2).double().cpu()
            total += flat.T @ flat
    return [total / (n_rows * count) for total, count in zip(sums, layout.kind_counts, strict=True)]


def _directions(moment: Tensor, metric: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return importances ``(length,)``, most first, encoder and decoder ``(length, length)``."""
    values, vectors = torch.linalg.eigh(metric)
    root = (vectors * values.sqrt()) @ vectors.T
    inverse = (vectors / values.sqrt()) @ vectors.T
    importance, axes = torch.linalg.eigh(root @ moment @ root)
    importance, axes = importance.flip(0).clamp_min(0.0), axes.flip(1)
    spread = importance.clamp_min(RIDGE * float(importance[0]) or 1.0).sqrt()
    into, out = root @ axes / spread, spread[:, None] * (axes.T @ inverse)
    return importance, into.float(), out.float()


def share_out(spectra: list[Tensor], counts: list[int], n_latents: int) -> tuple[int, ...]:
    """Give each kind the number of latents whose importances are the largest over all kinds."""
    ranked = sorted(
        (
            (float(value), -kind, -rank)
            for kind, s in enumerate(spectra)
            for rank, value in enumerate(s)
        ),
        reverse=True,
    )
    sizes = [0] * len(spectra)
    left = n_latents
    for _, kind, _ in ranked:
        if counts[-kind] <= left:
            sizes[-kind] += 1
            left -= counts[-kind]
    return tuple(sizes)
