"""Rows of weights to tokens and back: one token per neuron or channel, its weights and bias."""

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
    """Which column of a row stands at which position of which token.

    Parameters
    ----------
    columns : ndarray of int64, shape ``(n_tokens, token_size)``
        The column of the row at each position of each token; ``n_columns`` marks padding.
    positions : ndarray of int64, shape ``(n_tokens, 3)``
        Layer, unit in the layer, and part of a unit that was too long for one token.
    n_columns : int
        Length of a row.

    Notes
    -----
    Tokens are ordered by layer, then part, then unit. The tokens of one part of all units of a
    layer form a *token group*; they follow each other.
    """

    columns: np.ndarray
    positions: np.ndarray
    n_columns: int

    @property
    def n_tokens(self) -> int:
        """Number of tokens per model."""
        return self.columns.shape[0]

    @property
    def token_size(self) -> int:
        """Length of a token, padding included."""
        return self.columns.shape[1]

    @property
    def mask(self) -> np.ndarray:
        """False where a token is padded, ``(n_tokens, token_size)``."""
        return self.columns < self.n_columns

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return int(self.positions[:, 0].max()) + 1

    @property
    def splits_units(self) -> bool:
        """True where a unit is cut into several tokens."""
        return bool(self.positions[:, 2].any())

    @cached_property
    def group_of_token(self) -> np.ndarray:
        """Index of the token group of each token, ``(n_tokens,)``, not decreasing."""
        return np.unique(self.positions[:, [0, 2]], axis=0, return_inverse=True)[1].reshape(-1)

    @cached_property
    def group_counts(self) -> list[int]:
        """Number of tokens in each token group."""
        return np.bincount(self.group_of_token).tolist()

    @cached_property
    def group_lengths(self) -> list[int]:
        """Number of weights in a token of each token group, padding not counted."""
        return self.mask[self._first_tokens].sum(axis=1).tolist()

    @cached_property
    def _first_tokens(self) -> np.ndarray:
        return np.unique(self.group_of_token, return_index=True)[1]

    def n_latents(self, latent_dim: int | Sequence[int]) -> int | list[int]:
        """Return the latent dimensions per model, or per token of each group for a sequence.

        Raises InvalidInputError if a sequence does not have one entry per layer.
        """
        if isinstance(latent_dim, int):
            return self.n_tokens * latent_dim
        if len(latent_dim) != self.n_layers:
            raise InvalidInputError(
                f"`latent_dim` must be an int or have one entry per layer, {self.n_layers}; got "
                f"{len(latent_dim)} entries."
            )
        return [int(latent_dim[layer]) for layer in self.positions[self._first_tokens, 0]]

    @cached_property
    def layer_of_column(self) -> np.ndarray:
        """Index of the layer of each column of a row, ``(n_columns,)``."""
        layers = np.broadcast_to(self.positions[:, :1], self.columns.shape)
        return layers.reshape(-1)[self._scatter.numpy()]

    @cached_property
    def _gather(self) -> Tensor:
        return torch.from_numpy(self.columns.reshape(-1))

    @cached_property
    def _scatter(self) -> Tensor:
        """Position of each column among the flat tokens, ``(n_columns,)``."""
        flat = self.columns.reshape(-1)
        positions = np.empty(self.n_columns + 1, dtype=np.int64)
        positions[flat] = np.arange(flat.size)
        return torch.from_numpy(positions[:-1].copy())

    def to_tokens(self, rows: Tensor) -> Tensor:
        """Cut rows ``(n_models, n_columns)`` into tokens ``(n_models, n_tokens, token_size)``.

        Padding is zero.
        """
        padded = torch.nn.functional.pad(rows, (0, 1))
        tokens = padded.index_select(1, self._gather.to(rows.device))
        return tokens.unflatten(1, self.columns.shape)

    def by_group(self, tokens: Tensor) -> list[Tensor]:
        """Return the tokens of each group without padding, ``(n_models, n_units, length)``."""
        parts = tokens.split(self.group_counts, dim=1)
        return [part[..., :n] for part, n in zip(parts, self.group_lengths, strict=True)]

    def to_rows(self, tokens: Tensor) -> Tensor:
        """Join tokens ``(n_models, n_tokens, token_size)`` to rows ``(n_models, n_columns)``."""
        return tokens.flatten(1).index_select(1, self._scatter.to(tokens.device))


def token_layout(
    architecture: Architecture | None, n_columns: int, token_size: int | None = None
) -> TokenLayout:
    """Return the layout of an architecture's rows, or of plain rows without an architecture."""
    if architecture is None:
        return plain_layout(n_columns, token_size)
    return architecture_layout(architecture, token_size)


def architecture_layout(architecture: Architecture, token_size: int | None = None) -> TokenLayout:
    """Return the layout with one token for each unit of each layer.

    A layer is the parameters of one module that share their first axis, a unit is one index of
    that axis. Units with more than ``token_size`` weights are split into several tokens.
    """
    units = list(_units(architecture))
    size = token_size or max(len(columns) for _, _, columns in units)
    return _layout(units, size, architecture.n_weights)


def plain_layout(n_columns: int, token_size: int | None = None) -> TokenLayout:
    """Return the layout that cuts a row of ``n_columns`` into pieces in order."""
    size = min(token_size or PLAIN_TOKEN_SIZE, n_columns)
    return _layout([(0, 0, np.arange(n_columns))], size, n_columns)


def _units(architecture: Architecture) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield layer, unit and columns of each unit."""
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
    located = np.asarray(positions, dtype=np.int64)
    by_group = np.lexsort((located[:, 1], located[:, 2], located[:, 0]))
    return TokenLayout(np.stack(tokens)[by_group], located[by_group], n_columns)
