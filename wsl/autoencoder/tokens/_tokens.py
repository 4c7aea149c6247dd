"""Rows of weights to tokens and back: one token a neuron or channel, its incoming weights and bias.

The layout is a fixed gather in both directions; nothing is learned or scaled here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ...architectures import Architecture
from ...exceptions import InvalidInputError

PLAIN_TOKEN_SIZE = 64


@dataclass(frozen=True, eq=False)
class TokenLayout:
    """Where each column of a row lies among the tokens.

    Parameters
    ----------
    columns : ndarray ``(n_tokens, token_size)`` int64
        The column of the row that each place of each token holds; ``n_columns`` for padding.
    positions : ndarray ``(n_tokens, 3)`` int64
        Layer, unit in the layer, and part of a unit that was too long for one token.
    n_columns : int

    Notes
    -----
    Tokens are ordered by layer, then part, then unit, so that tokens of one kind lie together.
    """

    columns: np.ndarray
    positions: np.ndarray
    n_columns: int

    @property
    def n_tokens(self) -> int:
        """Tokens in a row."""
        return self.columns.shape[0]

    @property
    def token_size(self) -> int:
        """Places in a token, padding included."""
        return self.columns.shape[1]

    @property
    def mask(self) -> np.ndarray:
        """``(n_tokens, token_size)`` bool, False where a place is padding."""
        return self.columns < self.n_columns

    @cached_property
    def kinds(self) -> np.ndarray:
        """``(n_tokens,)`` int64, not decreasing; a kind is one part of all units of a layer."""
        return np.unique(self.positions[:, [0, 2]], axis=0, return_inverse=True)[1].reshape(-1)

    @cached_property
    def kind_counts(self) -> list[int]:
        """Tokens of each kind."""
        return np.bincount(self.kinds).tolist()

    @cached_property
    def kind_lengths(self) -> list[int]:
        """Numbers that a token of each kind holds, padding not counted."""
        firsts = np.unique(self.kinds, return_index=True)[1]
        return self.mask[firsts].sum(axis=1).tolist()

    def n_latents(self, latent_dim: int | Sequence[int]) -> int | list[int]:
        """Return how many latents a model has, or a token of each kind if told layer by layer.

        Raises InvalidInputError if there is another number of layers.
        """
        if isinstance(latent_dim, int):
            return self.n_tokens * latent_dim
        n_layers = int(self.positions[:, 0].max()) + 1
        if len(latent_dim) != n_layers:
            raise InvalidInputError(
                f"latent_dim has {len(latent_dim)} entries, but the rows have {n_layers} layers"
            )
        firsts = np.unique(self.kinds, return_index=True)[1]
        return [int(latent_dim[layer]) for layer in self.positions[firsts, 0]]

    @cached_property
    def layer_of_column(self) -> np.ndarray:
        """``(n_columns,)`` int64: the layer of each column of a row."""
        layers = np.broadcast_to(self.positions[:, :1], self.columns.shape)
        return layers.reshape(-1)[self._places.numpy()]

    @cached_property
    def _gather(self) -> Tensor:
        return torch.from_numpy(self.columns.reshape(-1))

    @cached_property
    def _places(self) -> Tensor:
        flat = self.columns.reshape(-1)
        places = np.empty(self.n_columns + 1, dtype=np.int64)
        places[flat] = np.arange(flat.size)
        return torch.from_numpy(places[:-1].copy())

    def to_tokens(self, rows: Tensor) -> Tensor:
        """Cut rows ``(n_models, n_columns)`` into tokens ``(n_models, n_tokens, token_size)``.

        Padding is zero.
        """
        padded = torch.nn.functional.pad(rows, (0, 1))
        tokens = padded.index_select(1, self._gather.to(rows.device))
        return tokens.unflatten(1, self.columns.shape)

    def by_kind(self, tokens: Tensor) -> list[Tensor]:
        """Return the tokens of each kind without padding, ``(n_models, n_units, length)``."""
        parts = tokens.split(self.kind_counts, dim=1)
        return [part[..., :n] for part, n in zip(parts, self.kind_lengths, strict=True)]

    def to_rows(self, tokens: Tensor) -> Tensor:
        """Join tokens ``(n_models, n_tokens, token_size)`` to rows; padding is dropped."""
        return tokens.flatten(1).index_select(1, self._places.to(tokens.device))


def architecture_layout(architecture: Architecture, token_size: int | None = None) -> TokenLayout:
    """Return the layout with one token for each unit of each layer.

    A layer is the parameters of one module that share their first axis, a unit one index of it.
    Units that hold more than ``token_size`` numbers are split into several tokens.
    """
    units = list(_units(architecture))
    size = token_size or max(len(columns) for _, _, columns in units)
    return _layout(units, size, architecture.n_weights)


def plain_layout(n_columns: int, token_size: int | None = None) -> TokenLayout:
    """Return the layout that cuts a row of ``n_columns`` unnamed numbers into pieces in order."""
    size = min(token_size or PLAIN_TOKEN_SIZE, n_columns)
    return _layout([(0, 0, np.arange(n_columns))], size, n_columns)


def _units(architecture: Architecture) -> Iterator[tuple[int, int, np.ndarray]]:
    layers: dict[tuple[str, int], list[np.ndarray]] = {}
    for name, shape in zip(
        architecture.parameter_names, architecture.parameter_shapes, strict=True
    ):
        part = architecture.slices[name]
        n_units = shape[0] if shape else 1
        columns = np.arange(part.start, part.stop).reshape(n_units, -1)
        layers.setdefault((name.rpartition(".")[0], n_units), []).append(columns)
    for layer, blocks in enumerate(layers.values()):
        for unit, columns in enumerate(np.concatenate(blocks, axis=1)):
            yield layer, unit, columns


def _layout(
    units: list[tuple[int, int, np.ndarray]], token_size: int, n_columns: int
) -> TokenLayout:
    tokens, positions = [], []
    for layer, unit, columns in units:
        for part, start in enumerate(range(0, len(columns), token_size)):
            piece = columns[start : start + token_size]
            tokens.append(np.pad(piece, (0, token_size - len(piece)), constant_values=n_columns))
            positions.append((layer, unit, part))
    where = np.asarray(positions, dtype=np.int64)
    by_kind = np.lexsort((where[:, 1], where[:, 2], where[:, 0]))
    return TokenLayout(np.stack(tokens)[by_kind], where[by_kind], n_columns)
