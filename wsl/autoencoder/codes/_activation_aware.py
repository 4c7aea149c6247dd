"""The activation-aware low-rank code of layers, fitted to the responses of their units."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ..._diverged import refuse_overflow
from ._layerwise_forward import LayerwiseForward

ZOO_WEIGHT = 1e-3  # of the zoo's moment beside the model's own, which may be singular
FLOOR = 1e-4  # of the zoo's moment, for inputs that are never active
LEAST = 1e-6  # of the prior, for weights that are equal in all models
N_ITERATIONS = 2
RIDGES = (1e-9, 1e-7, 1e-5, 1e-3)  # of the mean of a diagonal: the first that gives a factor


class ActivationAwareCode(nn.Module):
    r"""Tokens to latents and back, in a basis that each layer of each model determines.

    Parameters
    ----------
    layers : LayerwiseForward
        The layers, and the inputs on which they are compared.
    priors : sequence of Tensor ``(length, length)`` float64
        For each token group the second moment of its tokens.
    moments : sequence of Tensor ``(length, length)`` float64
        For each token group the mean second moment of its inputs, from ``mean_moments``.
    sizes : sequence of int
        Latent dimensions of each token.

    Notes
    -----
    Let a layer of a model take the columns of A, n of them, and let :math:`M = A A' / n`. An error
    e in the weights of a unit is an error :math:`e' M e` in its responses. With S the second moment
    of the zoo's tokens, r latents per unit lose least in the subspace of the leading eigenvectors
    of :math:`S M`. The basis B comes from ``N_ITERATIONS`` of the power method, which starts from
    the eigenvectors of the zoo's mean M; it is made orthonormal in M by Gram and Schmidt. So it is
    smooth in the model, and latents of two models have about the same meaning. A unit that has
    fewer latents than another of its layer has the first ones.

    Decoding goes from the first layer to the last: what has been decoded is run on the inputs, and
    gives the next layer's M. So a basis costs no latents. Encoding follows the decoder, and fits
    the responses of the original to the columns that the decoder sees, which makes up for the
    errors of earlier layers. It is exact where a token has as many latents as weights.

    Layers that are not affine have the principal components of their tokens.
    """

    def __init__(
        self,
        layers: LayerwiseForward,
        priors: Sequence[Tensor],
        moments: Sequence[Tensor],
        sizes: Sequence[int],
    ):
        super().__init__()
        self.layers, self.sizes = layers, tuple(sizes)
        by_group = torch.tensor(self.sizes).split(layers.layout.group_counts)
        for group, (prior, moment, counts) in enumerate(
            zip(priors, moments, by_group, strict=True)
        ):
            size = int(counts.max())
            start = leading_directions(prior, moment)[1][:, :size]
            prior = prior + LEAST * (prior.diagonal().mean() or 1.0) * torch.eye(len(prior))
            self.register_buffer(f"prior_{group}", prior.float())
            self.register_buffer(f"moment_{group}", moment.float())
            self.register_buffer(f"start_{group}", start.float())
            self.register_buffer(f"deviation_{group}", torch.ones(size))
            self.register_buffer(f"used_{group}", torch.arange(size) < counts[:, None])

    @property
    def model_bytes(self) -> int:
        """Memory per model beside its tokens."""
        return self.layers.model_bytes

    def fit_deviations(self, batches: Iterable[Tensor]) -> None:
        """Scale latents to unit variance over tokens ``(n_models, n_tokens, token_size)``."""
        squares = [(len(tokens), self.encode(tokens).square().sum(0)) for tokens in batches]
        n_models = sum(n for n, _ in squares)
        mean = torch.stack([total for _, total in squares]).sum(0) / n_models
        by_group = mean.split(self.layers.layout.group_counts)
        for group, mean_squares in enumerate(by_group):
            used = self.get_buffer(f"used_{group}")
            deviation = (mean_squares[:, : used.shape[1]].sum(0) / used.sum(0)).sqrt()
            self.get_buffer(f"deviation_{group}").copy_(torch.where(deviation > 0, deviation, 1.0))

    def encode(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, token_size)`` to ``max(sizes)`` latents each."""
        return self.project(tokens, self.layers.responses(tokens))[0]

    def project(self, tokens: Tensor, responses: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the latents of tokens with known responses, and the tokens decoded from them."""
        layers, originals = self.layers, self.layers.layout.by_group(tokens)
        latents: dict[int, Tensor] = {}
        rebuilt: dict[int, Tensor] = {}

        def provide(group: int, columns: Tensor | None) -> Tensor:
            basis, moment = self._basis(group, columns)
            target = originals[group] @ moment
            if columns is not None:
                missing = responses[group] - layers.weights(group, originals[group]) @ columns
                missing = missing / (layers.scale_of(group) * columns.shape[2])
                target = target + missing @ columns.mT
            coefficients = (target @ basis) * self.get_buffer(f"used_{group}")
            latents[group] = coefficients / self.get_buffer(f"deviation_{group}")
            rebuilt[group] = coefficients @ basis.mT
            return rebuilt[group]

        layers(provide)
        return _join(latents, max(self.sizes)), _join(rebuilt, layers.layout.token_size)

    def decode(self, latents: Tensor) -> Tensor:
        """Map latents ``(n_models, n_tokens, n_latents)`` to tokens."""
        parts = latents.split(self.layers.layout.group_counts, dim=1)
        tokens: dict[int, Tensor] = {}

        def provide(group: int, columns: Tensor | None) -> Tensor:
            basis, _ = self._basis(group, columns)
            deviation = self.get_buffer(f"deviation_{group}")
            tokens[group] = (parts[group][..., : len(deviation)] * deviation) @ basis.mT
            return tokens[group]

        self.layers(provide)
        return _join(tokens, self.layers.layout.token_size)

    def _basis(self, group: int, columns: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return bases ``(n_models or 1, length, size)``, and the moments they are orthonormal in.

        Computed in double precision where the device has it: powers spread eigenvalues far apart.
        """
        wide = torch.float32 if self.layers.inputs.device.type == "mps" else torch.float64
        prior, zoo_moment, start = (
            self.get_buffer(f"{name}_{group}").to(wide) for name in ("prior", "moment", "start")
        )
        moment = zoo_moment[None]
        if columns is not None:
            moment = ZOO_WEIGHT * moment + (columns @ columns.mT).to(wide) / columns.shape[2]
        basis = orthonormal(start, moment)
        if start.shape[1] < start.shape[0]:
            for _ in range(N_ITERATIONS):
                basis = orthonormal(prior @ (moment @ basis), moment)
        return basis.float(), moment.float()


def orthonormal(vectors: Tensor, moment: Tensor) -> Tensor:
    """Return a basis of the span of ``vectors`` ``(..., length, size)``, orthonormal in ``moment``.

    By Gram and Schmidt from the first to the last, as a Cholesky factor. Where rounding errors make
    the moment indefinite, as for models that are all equal, more is added to its diagonal. Not a
    number where the moment overflows.
    """
    vectors = vectors / vectors.norm(dim=-2, keepdim=True)
    gram = vectors.mT @ moment @ vectors
    size = gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    identity = torch.eye(gram.shape[-1]).to(gram)
    ridge = torch.full_like(size, RIDGES[0])
    factor, failed = torch.linalg.cholesky_ex(gram + ridge * size * identity)
    for larger in RIDGES[1:]:
        if not failed.any():
            break
        ridge = torch.where(failed[..., None, None] > 0, larger, ridge)
        factor, failed = torch.linalg.cholesky_ex(gram + ridge * size * identity)
    factor = torch.where(failed[..., None, None] > 0, torch.nan, factor)  # overflow
    return torch.linalg.solve_triangular(factor, vectors.mT, upper=False).mT


def leading_directions(prior: Tensor, moment: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues ``(length,)`` of ``prior @ moment``, descending, and eigenvectors."""
    root = torch.linalg.cholesky(moment)
    values, axes = torch.linalg.eigh(root.mT @ prior @ root)
    vectors = torch.linalg.solve_triangular(root.mT, axes.flip(1), upper=True)
    return values.flip(0).clamp_min(0.0), vectors


def mean_moments(layers: LayerwiseForward, batches: Iterable[Tensor]) -> list[Tensor]:
    """Return the mean second moment of the inputs of each token group, ``(length, length)``.

    ``batches`` are tokens ``(n_models, n_tokens, token_size)``. The identity where a layer is not
    affine or all inputs are 0; elsewhere a small multiple of it is added.
    """
    layout = layers.layout
    totals = [torch.zeros(n, n, dtype=torch.float64) for n in layout.group_lengths]
    counts = [0] * len(totals)
    for tokens in batches:
        parts = layout.by_group(tokens)

        def provide(group: int, columns: Tensor | None, parts: Sequence[Tensor] = parts) -> Tensor:
            if columns is not None:
                squares = (columns @ columns.mT).double() / columns.shape[2]
                totals[group] += squares.sum(0)
                counts[group] += len(columns)
            return parts[group]

        layers(provide)
    moments = []
    for total, count in zip(totals, counts, strict=True):
        identity = torch.eye(len(total), dtype=torch.float64)
        mean = total / max(count, 1)
        refuse_overflow(bool(mean.isfinite().all()))
        floor = FLOOR * mean.diagonal().mean()
        moments.append(mean + floor * identity if floor > 0 else identity)
    return moments


def _join(parts: dict[int, Tensor], width: int) -> Tensor:
    """Return the tokens of all groups, each padded to ``width`` with zeros."""
    filled = [nn.functional.pad(parts[k], (0, width - parts[k].shape[2])) for k in sorted(parts)]
    n_models = max(map(len, filled))
    return torch.cat([part.expand(n_models, -1, -1) for part in filled], dim=1)
