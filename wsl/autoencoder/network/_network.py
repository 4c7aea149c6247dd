"""The network: transformers over the tokens of a model, added to a closed-form code."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ..._seeded_modules import seeded_module
from ..codes._fit_code import Code
from ..codes._linear import GroupLinear
from ..tokens._tokens import TokenLayout

INITIAL_DEVIATION = 0.02


@dataclass(frozen=True)
class NetworkSize:
    """Width, layers and heads of the encoder and of the decoder."""

    d_model: int
    n_layers: int
    n_heads: int


class TokenTransformer(nn.Module):
    """Attention among the tokens of a model, each with an embedding of its position.

    Its output is added to a code of the same tokens, and is zero before training.
    """

    def __init__(
        self,
        layout: TokenLayout,
        n_in: int,
        n_out: int,
        size: NetworkSize,
        generator: torch.Generator,
    ):
        super().__init__()
        counts, d_model = layout.group_counts, size.d_model
        shape = (len(counts), n_in, d_model)
        self.embed = GroupLinear(counts, torch.randn(shape, generator=generator) / n_in**0.5)
        self.positions: Tensor
        self.register_buffer("positions", torch.from_numpy(layout.positions.T.copy()))
        sizes = (layout.positions.max(axis=0) + 1).tolist()  # layers, units, parts
        self.position_tables = nn.ModuleList(
            seeded_module(partial(nn.Embedding, n_rows, d_model), generator) for n_rows in sizes
        )
        for table in self.position_tables.parameters():
            nn.init.normal_(table, std=INITIAL_DEVIATION, generator=generator)
        block = partial(
            nn.TransformerEncoderLayer,
            d_model,
            size.n_heads,
            dim_feedforward=2 * d_model,
            dropout=0.0,
            activation="gelu",
            batch_first=True,  # attention runs over tokens, never over the models of a batch
            norm_first=True,
        )
        self.blocks = nn.ModuleList(seeded_module(block, generator) for _ in range(size.n_layers))
        self.norm = nn.LayerNorm(d_model)
        self.project = GroupLinear(counts, torch.zeros(len(counts), d_model, n_out))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, n_in)`` to ``(n_models, n_tokens, n_out)``."""
        hidden = self.embed(tokens)
        for table, index in zip(self.position_tables, self.positions, strict=True):
            hidden = hidden + table(index)
        for block in self.blocks:
            hidden = block(hidden)
        return self.project(self.norm(hidden))


class TokenAutoencoder(nn.Module):
    """Encoder, bottleneck, decoder and projection head.

    ``z = C_e(x) + T_e(x)`` and ``x' = C_d(z) + T_d(z)``, with C a closed-form code and T
    transformers. T is zero before training, so training starts from that code.

    Parameters
    ----------
    layout : TokenLayout
        Tokens of a model.
    code : LinearCode or ActivationAwareCode
        The closed-form code.
    size : NetworkSize
        Width, layers and heads of the transformers.
    generator : torch.Generator
        On CPU; draws initial weights.
    """

    def __init__(
        self, layout: TokenLayout, code: Code, size: NetworkSize, generator: torch.Generator
    ):
        super().__init__()
        self.d_model = size.d_model
        n_in, n_latent = layout.token_size, max(code.sizes)
        self.code = code
        self.encoder = TokenTransformer(layout, n_in, n_latent, size, generator)
        self.decoder = TokenTransformer(layout, n_latent, n_in, size, generator)
        used = torch.arange(n_latent) < torch.tensor(code.sizes)[:, None]
        groups = torch.from_numpy(layout.group_of_token)
        self.used: Tensor
        self.register_buffer("used", used)  # (n_tokens, n_latent)
        self.pooled_index: Tensor
        flat_index = groups[:, None] * n_latent + torch.arange(n_latent)
        ranks = torch.unique(flat_index[self.used], return_inverse=True)[1]
        self.register_buffer("pooled_index", ranks)  # (n_latents,)
        self.n_pooled = int(ranks.max()) + 1
        counts = torch.tensor(layout.group_counts)[groups][:, None].expand_as(used)[used]
        self.pooled_weight: Tensor
        self.register_buffer("pooled_weight", 1 / counts)  # of a latent in the mean of its group
        widths = (self.n_pooled, size.d_model, size.d_model)
        self.head = seeded_module(
            lambda: nn.Sequential(nn.Linear(*widths[:2]), nn.GELU(), nn.Linear(*widths[1:])),
            generator,
        )

    @property
    def n_latents(self) -> int:
        """Latent dimensions per model."""
        return len(self.pooled_index)

    @property
    def latent_blocks(self) -> list[np.ndarray]:
        """The columns of the latents that belong to each token."""
        token = self.used.nonzero()[:, 0].cpu().numpy()
        return [np.flatnonzero(token == t) for t in np.unique(token)]

    def encode(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, token_size)`` to latents ``(n_models, n_latents)``."""
        return (self.code.encode(tokens) + self.encoder(tokens))[:, self.used]

    def decode(self, latents: Tensor) -> Tensor:
        """Map latents ``(n_models, n_latents)`` to tokens ``(n_models, n_tokens, token_size)``."""
        by_token = latents.new_zeros(len(latents), *self.used.shape)
        by_token[:, self.used] = latents
        return self.code.decode(by_token) + self.decoder(by_token)

    def pool(self, latents: Tensor) -> Tensor:
        """Average latents over the tokens of each group, ``(n_models, n_pooled)``.

        A latent that a token does not have counts as 0.
        """
        sums = latents.new_zeros(len(latents), self.n_pooled)
        return sums.index_add(1, self.pooled_index, self.pooled_weight * latents)

    def project(self, latents: Tensor) -> Tensor:
        """Map latents to the space of the contrastive loss, ``(n_models, d_model)``."""
        return self.head(self.pool(latents))

    def forward(self, tokens: Tensor) -> Tensor:
        """Rebuild tokens, ``(n_models, n_tokens, token_size)``."""
        return self.decode(self.encode(tokens))
