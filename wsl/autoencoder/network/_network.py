"""The network: a transformer over the tokens of one model, around a closed-form code of each.

Losses, scaling and training live elsewhere; nothing here knows what a weight means.
"""

import numpy as np
import torch
from torch import Tensor, nn

from ..codes._linear import LinearCode
from ..codes._response import ResponseCode
from ..tokens._tokens import TokenLayout

INITIAL_SPREAD = 0.02


class GroupLinear(nn.Module):
    """A linear map of its own for each kind of token.

    Parameters
    ----------
    kind_counts : list of int
        Tokens of each kind; tokens of one kind lie together.
    weight : Tensor ``(n_kinds, n_in, n_out)``
        Initial weights; biases start at zero.
    """

    def __init__(self, kind_counts: list[int], weight: Tensor):
        super().__init__()
        self.kind_counts = kind_counts
        self.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(weight.new_zeros(len(weight), weight.shape[2]))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, n_in)`` to ``(n_models, n_tokens, n_out)``."""
        parts = tokens.split(self.kind_counts, dim=1)
        maps = zip(parts, self.weight, self.bias, strict=True)
        return torch.cat([part @ weight + bias for part, weight, bias in maps], dim=1)


class GroupCode(nn.Module):
    """A linear code of each kind of token, trained on from where it starts."""

    def __init__(self, kind_counts: list[int], code: LinearCode):
        super().__init__()
        self.sizes = tuple(np.repeat(code.sizes, kind_counts).tolist())
        self.model_bytes = 0  # beside the tokens
        self.into = GroupLinear(kind_counts, code.encode)
        self.out = GroupLinear(kind_counts, code.decode)

    def encode(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, token_size)`` to ``n_latents`` numbers each."""
        return self.into(tokens)

    def decode(self, latents: Tensor) -> Tensor:
        """Map latents ``(n_models, n_tokens, n_latents)`` to tokens of ``token_size`` numbers."""
        return self.out(latents)


class TokenTransformer(nn.Module):
    """Attention among the tokens of a model, told by position which token is which.

    What it returns is added to a code of the same tokens, and it starts at zero. With
    ``mixed_precision`` it is trained in bfloat16, which needs no scaling of the loss; the code,
    which carries most of what is known, stays in float32, and so does all but training.
    """

    mixed_precision = False

    def __init__(
        self, layout: TokenLayout, n_in: int, n_out: int, d_model: int, n_layers: int, n_heads: int
    ):
        super().__init__()
        counts = layout.kind_counts
        n_kinds = len(counts)
        self.embed = GroupLinear(counts, torch.randn(n_kinds, n_in, d_model) / n_in**0.5)
        self.positions: Tensor
        self.register_buffer("positions", torch.from_numpy(layout.positions.T.copy()))
        sizes = (layout.positions.max(axis=0) + 1).tolist()  # layers, units, parts
        self.position_tables = nn.ModuleList(nn.Embedding(size, d_model) for size in sizes)
        for table in self.position_tables.parameters():
            nn.init.normal_(table, std=INITIAL_SPREAD)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                d_model,
                n_heads,
                dim_feedforward=2 * d_model,
                dropout=0.0,
                activation="gelu",
                batch_first=True,  # attention runs over tokens, never over the models of a batch
                norm_first=True,
            )
            for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.project = GroupLinear(counts, torch.zeros(n_kinds, d_model, n_out))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(n_models, n_tokens, n_in)`` to ``(n_models, n_tokens, n_out)``."""
        reduced = self.mixed_precision and self.training
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=reduced):
            hidden = self.embed(tokens)
            for table, index in zip(self.position_tables, self.positions, strict=True):
                hidden = hidden + table(index)
            for block in self.blocks:
                hidden = block(hidden)
            return self.project(self.norm(hidden)).float()


class TokenAutoencoder(nn.Module):
    """Encoder, bottleneck, decoder and projection head.

    ``z = C_e(x) + T_e(x)`` and ``x' = C_d(z) + T_d(z)``, with C a code in closed form and T
    transformers. T starts at zero, so training starts from that code and not from noise.

    Parameters
    ----------
    layout : TokenLayout
    code : KindCode or ResponseCode
    d_model, n_layers, n_heads : int
        Of the encoder and of the decoder each.
    """

    def __init__(
        self,
        layout: TokenLayout,
        code: GroupCode | ResponseCode,
        d_model: int,
        n_layers: int,
        n_heads: int,
    ):
        super().__init__()
        self.d_model = d_model
        n_in, n_latent = layout.token_size, max(code.sizes)
        self.code = code
        self.encoder = TokenTransformer(layout, n_in, n_latent, d_model, n_layers, n_heads)
        self.decoder = TokenTransformer(layout, n_latent, n_in, d_model, n_layers, n_heads)
        used = torch.arange(n_latent) < torch.tensor(code.sizes)[:, None]
        kinds = torch.from_numpy(layout.kinds)
        self.used: Tensor
        self.register_buffer("used", used)  # (n_tokens, n_latent)
        self.kind_of_latent: Tensor
        places = kinds[:, None] * n_latent + torch.arange(n_latent)
        ranks = torch.unique(places[self.used], return_inverse=True)[1]
        self.register_buffer("kind_of_latent", ranks)  # (n_latents,)
        self.n_pooled = int(ranks.max()) + 1
        counts = torch.tensor(layout.kind_counts)[kinds][:, None].expand_as(self.used)[self.used]
        self.share: Tensor
        self.register_buffer("share", 1 / counts)  # of a latent in the mean over its layer
        self.head = nn.Sequential(
            nn.Linear(self.n_pooled, d_model), nn.GELU(), nn.Linear(d_model, d_model)
        )

    def prepare(self, mixed_precision: bool, compiled: bool) -> None:
        """Choose how the two transformers are run in training."""
        for part in (self.encoder, self.decoder):
            part.mixed_precision = mixed_precision
            if compiled:
                part.compile()

    @property
    def n_latents(self) -> int:
        """Latent numbers of one model."""
        return len(self.kind_of_latent)

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
        spread = latents.new_zeros(len(latents), *self.used.shape)
        spread[:, self.used] = latents
        return self.code.decode(spread) + self.decoder(spread)

    def pool(self, latents: Tensor) -> Tensor:
        """Average latents over the tokens of one kind, ``(n_models, n_pooled)``.

        A latent that a token does not have is 0.
        """
        sums = latents.new_zeros(len(latents), self.n_pooled)
        return sums.index_add(1, self.kind_of_latent, self.share * latents)

    def project(self, latents: Tensor) -> Tensor:
        """Map latents to the space of the contrastive loss, ``(n_models, d_model)``."""
        return self.head(self.pool(latents))

    def forward(self, tokens: Tensor) -> Tensor:
        """Rebuild tokens, ``(n_models, n_tokens, token_size)``."""
        return self.decode(self.encode(tokens))
