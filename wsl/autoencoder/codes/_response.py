"""A code of layers by the responses of their units to what they take: closed form, front to back.

Plain torch on tokens; nothing here is trained by gradient steps. The code that does not look at
responses lives in ``_linear_code``, how latents are shared out among tokens in ``_sharing``.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ._layerwise_forward import LayerwiseForward

SHARED = 1e-3  # weight of the zoo's moment beside the model's own, which may be singular
FLOOR = 1e-4  # of the zoo's moment, for inputs that are never on
LEAST = 1e-6  # of the prior, for weights that are alike in all models
N_TURNS = 2


class ResponseCode(nn.Module):
    r"""Tokens to latents and back, in a basis of its own for each layer of each model.

    Parameters
    ----------
    walk : Walk
        The layers, and the inputs on which they are compared.
    priors : sequence of Tensor ``(length, length)`` float64
        For each kind of token the second moment of its tokens.
    moments : sequence of Tensor ``(length, length)`` float64
        From ``mean_moments``.
    sizes : sequence of int
        Latent numbers of each token.

    Notes
    -----
    Let a layer of a model take the columns of A, n of them, and let :math:`M = A A' / n`. An error
    e in the weights of a unit is an error :math:`e' M e` in its responses. With S the second moment
    of the zoo's tokens, r numbers a unit lose least in the subspace of the leading eigenvectors of
    :math:`S M`. The basis B comes from ``N_TURNS`` of the power method, which starts from the
    eigenvectors of the zoo's mean M; it is made orthonormal in M by Gram and Schmidt. So it is
    smooth in the model, and latents of two models mean about the same. A unit that has fewer
    latents than another of its layer has the first ones.

    Decoding goes from the first layer to the last: what has been decoded is run on the inputs, and
    gives the next layer's M. So a basis costs no latents. Encoding follows the decoder, and fits
    the responses of the original to the columns that the decoder sees, which makes up for the
    errors of earlier layers. It is exact where a token has as many latents as numbers.

    Layers that are no product have the principal components of their tokens.
    """

    def __init__(
        self,
        walk: LayerwiseForward,
        priors: Sequence[Tensor],
        moments: Sequence[Tensor],
        sizes: Sequence[int],
    ):
        super().__init__()
        self.walk, self.sizes = walk, tuple(sizes)
        by_kind = torch.tensor(self.sizes).split(walk.layout.kind_counts)
        for kind, (prior, moment, own) in enumerate(zip(priors, moments, by_kind, strict=True)):
            size = int(own.max())
            start = leading_directions(prior, moment)[1][:, :size]
            prior = prior + LEAST * (prior.diagonal().mean() or 1.0) * torch.eye(len(prior))
            self.register_buffer(f"prior_{kind}", prior.float())
            self.register_buffer(f"moment_{kind}", moment.float())
            self.register_buffer(f"start_{kind}", start.float())
            self.register_buffer(f"spread_{kind}", torch.ones(size))
            self.register_buffer(f"used_{kind}", torch.arange(size) < own[:, None])

    @property
    def model_bytes(self) -> int:
        """What one model takes beside its tokens."""
        return self.walk.model_bytes

    def fit_spread(self, batches: Iterable[Tensor]) -> None:
        """Scale latents to unit variance over tokens ``(n_models, n_tokens, token_size)``."""
        squares = [(len(tokens), self.encode(tokens).square().sum(0)) for tokens in batches]
        n_models = sum(n for n, _ in squares)
        mean = torch.stack([total for _, total in squares]).sum(0) / n_models
        by_kind = mean.split(self.walk.layout.kind_counts)
        for kind, own in enumerate(by_kind):
            used = self.get_buffer(f"used_{kind}")
            spread = (own[:, : used.shape[1]].sum(0) / used.sum(0)).sqrt()
            self.get_buffer(f"spread_{kind}").copy_(torch.where(spread > 0, spread, 1.0))

    def encode(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, token_size)`` to ``max(sizes)`` latents each."""
        return self.fit(tokens, self.walk.responses(tokens))[0]

    def fit(self, tokens: Tensor, wanted: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """Return latents of tokens with known responses, and what ``decode`` makes of them."""
        walk, originals = self.walk, self.walk.layout.by_kind(tokens)
        latents: dict[int, Tensor] = {}
        rebuilt: dict[int, Tensor] = {}

        def follow(kind: int, columns: Tensor | None) -> Tensor:
            basis, moment = self._basis(kind, columns)
            against = originals[kind] @ moment
            if columns is not None:
                missed = wanted[kind] - walk.weights(kind, originals[kind]) @ columns
                missed = missed / (walk.scale_of(kind) * columns.shape[2])
                against = against + missed @ columns.mT
            found = (against @ basis) * self.get_buffer(f"used_{kind}")
            latents[kind] = found / self.get_buffer(f"spread_{kind}")
            rebuilt[kind] = found @ basis.mT
            return rebuilt[kind]

        walk(follow)
        return _join(latents, max(self.sizes)), _join(rebuilt, walk.layout.token_size)

    def decode(self, latents: Tensor) -> Tensor:
        """Map latents ``(n_models, n_tokens, n_latents)`` to tokens of ``token_size`` numbers."""
        parts = latents.split(self.walk.layout.kind_counts, dim=1)
        tokens: dict[int, Tensor] = {}

        def rebuild(kind: int, columns: Tensor | None) -> Tensor:
            basis, _ = self._basis(kind, columns)
            spread = self.get_buffer(f"spread_{kind}")
            own = parts[kind][..., : len(spread)] * spread
            tokens[kind] = own @ basis.mT
            return tokens[kind]

        self.walk(rebuild)
        return _join(tokens, self.walk.layout.token_size)

    def _basis(self, kind: int, columns: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return bases ``(n_models or 1, length, size)``, and the moments they are orthonormal in.

        In double precision within, where the device has it: powers spread eigenvalues far apart.
        """
        wide = torch.float32 if self.walk.mean.device.type == "mps" else torch.float64
        prior, shared, start = (
            self.get_buffer(f"{name}_{kind}").to(wide) for name in ("prior", "moment", "start")
        )
        moment = shared[None]
        if columns is not None:
            moment = SHARED * moment + (columns @ columns.mT).to(wide) / columns.shape[2]
        basis = orthonormal(start, moment)
        if start.shape[1] < start.shape[0]:
            for _ in range(N_TURNS):
                basis = orthonormal(prior @ (moment @ basis), moment)
        return basis.float(), moment.float()


def orthonormal(vectors: Tensor, moment: Tensor) -> Tensor:
    """Return a basis of the span of ``vectors`` ``(..., length, size)``, orthonormal in ``moment``.

    By Gram and Schmidt from the first to the last, as a Cholesky factor.
    """
    vectors = vectors / vectors.norm(dim=-2, keepdim=True)
    gram = vectors.mT @ moment @ vectors
    ridge = 1e-9 * gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    factor = torch.linalg.cholesky(gram + ridge * torch.eye(gram.shape[-1]).to(gram))
    return torch.linalg.solve_triangular(factor, vectors.mT, upper=False).mT


def leading_directions(prior: Tensor, moment: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues ``(length,)`` of ``prior @ moment``, largest first, and eigenvectors."""
    root = torch.linalg.cholesky(moment)
    values, axes = torch.linalg.eigh(root.mT @ prior @ root)
    vectors = torch.linalg.solve_triangular(root.mT, axes.flip(1), upper=True)
    return values.flip(0).clamp_min(0.0), vectors


def mean_moments(walk: LayerwiseForward, batches: Iterable[Tensor]) -> list[Tensor]:
    """Return for each kind the mean second moment of what its layer takes, ``(length, length)``.

    ``batches`` are tokens ``(n_models, n_tokens, token_size)``. The unit matrix where a layer is no
    product; elsewhere a small multiple of it is added.
    """
    layout = walk.layout
    totals = [torch.zeros(n, n, dtype=torch.float64) for n in layout.kind_lengths]
    counts = [0] * len(totals)
    for tokens in batches:
        parts = layout.by_kind(tokens)

        def add(kind: int, columns: Tensor | None, parts: Sequence[Tensor] = parts) -> Tensor:
            if columns is not None:
                squares = (columns @ columns.mT).double() / columns.shape[2]
                totals[kind] += squares.sum(0)
                counts[kind] += len(columns)
            return parts[kind]

        walk(add)
    moments = []
    for total, count in zip(totals, counts, strict=True):
        identity = torch.eye(len(total), dtype=torch.float64)
        mean = total / max(count, 1)
        moments.append(mean + FLOOR * mean.diagonal().mean() * identity if count else identity)
    return moments


def _join(parts: dict[int, Tensor], width: int) -> Tensor:
    """Return the tokens of all kinds, each filled up to ``width`` with zeros."""
    filled = [nn.functional.pad(parts[k], (0, width - parts[k].shape[2])) for k in sorted(parts)]
    n_models = max(map(len, filled))
    return torch.cat([part.expand(n_models, -1, -1) for part in filled], dim=1)
