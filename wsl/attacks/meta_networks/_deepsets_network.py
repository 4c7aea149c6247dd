"""DeepSets: a network on rows of weights, read as sets of units."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..._seeded_modules import SeededDropout, seeded_module
from ._unit_sets import SetLayer, columns_by_unit, part_sizes, readers_of


class MetaNetwork(nn.Module):
    """A network on rows of weights, with fixed preparation and a learned forward pass."""

    model_bytes: int  # memory of one model in a forward pass

    def prepare(self, rows: Tensor) -> Tensor:
        """Apply the fixed part to rows ``(n_models, n_weights)``; done once per training.

        Returns the input of ``forward``, ``(n_models, n_weights)``, on the network's device.
        """
        raise NotImplementedError


class DeepSets(MetaNetwork):
    """Read rows of weights layer by layer, invariant to the order of hidden units.

    Parameters
    ----------
    layers : sequence of SetLayer
        The layers of a row.
    n_outputs : int
        Number of outputs.
    shift : Tensor of shape (n_weights,)
        Subtracted from the rows; equal for columns that a permutation exchanges.
    scale : Tensor of shape (n_weights,)
        Multiplied with the shifted rows; equal for columns that a permutation exchanges.
    latent_dim : int
        Dimensions of the representation of a unit.
    hidden_layer_sizes : tuple of int
        Widths of the hidden layers that compute it.
    dropout : float
        Fraction of a model's representation that is dropped in each training step.
    generator : torch.Generator
        On CPU; draws initial weights and dropout masks.

    Notes
    -----
    Ganju et al. (2018) represent unit ``i`` of layer ``l`` by its weights ``w_i``, its bias ``b_i``
    and the representations of the previous layer, its context; ``L_l`` is the sum over units::

        N_i = phi_l(w_i, b_i, context),    L_l = sum_i N_i,    output = rho(L_1, ..., L_depth)

    If the context is a concatenation, as in their code and propinfer's, the sum depends on the
    order of the units of the previous layer. Here each weight multiplies the representation of the
    unit that it reads::

        N_i = phi_l(sum_j w_ij N_j, b_i)

    This is invariant to the order, and for one hidden layer it contains the function of the
    network: with ``N_j = relu(w_j x + b_j)`` the sum is its output on the query ``x``, so that the
    white-box attack can learn its own queries. Models of one population are similar, so the sums
    and the ``L_l`` are normalised over models; without it many times the shadow models are needed.

    References
    ----------
    K. Ganju, Q. Wang, W. Yang, C. Gunter and N. Borisov, "Property Inference Attacks on Fully
    Connected Neural Networks using Permutation Invariant Representations", CCS 2018, section 4.3.
    """

    columns: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        layers: Sequence[SetLayer],
        n_outputs: int,
        shift: Tensor,
        scale: Tensor,
        *,
        latent_dim: int,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        generator: torch.Generator,
    ):
        super().__init__()
        columns = torch.from_numpy(columns_by_unit(layers))
        self.register_buffer("columns", columns)
        self.register_buffer("shift", shift[columns])
        self.register_buffer("scale", scale[columns])
        self.sizes = [size for layer in layers for size in part_sizes(layer)]
        self.readers = readers_of(layers)
        self.units = nn.ModuleList(
            UnitEncoder(layer, latent_dim, hidden_layer_sizes, generator) for layer in layers
        )
        width = latent_dim * len(layers)
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.dropout = SeededDropout(dropout, generator) if dropout else None
        self.output = seeded_module(lambda: nn.Linear(width, n_outputs), generator)
        n_hidden = sum(hidden_layer_sizes) * sum(layer.n_units for layer in layers)
        self.model_bytes = 4 * (len(columns) + n_hidden)

    def prepare(self, rows: Tensor) -> Tensor:
        """Standardise rows ``(n_models, n_weights)`` and order their columns by unit."""
        rows = rows.to(self.shift.device)
        return rows[:, self.columns].sub_(self.shift).mul_(self.scale)

    def forward(self, prepared: Tensor) -> Tensor:
        """Return outputs, ``(n_models, n_outputs)``, of prepared rows."""
        parts = prepared.split(self.sizes, dim=1)
        features, extras = list(parts[::2]), parts[1::2]
        pooled = []
        for i, (encoder, reader) in enumerate(zip(self.units, self.readers, strict=True)):
            weights = None if reader is None else features[reader]
            total, mixed = encoder(features[i], extras[i], weights)
            pooled.append(total)
            if reader is not None:
                features[reader] = mixed
        representation = self.norm(torch.cat(pooled, dim=1))
        if self.dropout is not None:
            representation = self.dropout(representation)
        return self.output(representation)


class UnitEncoder(nn.Module):
    """``phi_l``: the representations of one layer's units, summed over units.

    Parameters are stored as ``(n_inputs, n_outputs)``: with few features of many units, the
    gradient of a ``Linear``, which stores the transpose, takes five times as long.
    """

    def __init__(
        self,
        layer: SetLayer,
        latent_dim: int,
        hidden_layer_sizes: Sequence[int],
        generator: torch.Generator,
    ):
        super().__init__()
        self.n_units = layer.n_units
        n_mixed = layer.block * latent_dim if layer.mixes else layer.block
        n_features = n_mixed + len(layer.extras)
        n_places = layer.n_units if layer.ordered else 1
        self.norm = nn.BatchNorm1d(n_features * n_places, affine=False) if layer.mixes else None
        first, last = hidden_layer_sizes[0], hidden_layer_sizes[-1]
        self.to_hidden = _uniform(generator, n_features, n_features, first)
        # a bias per unit tells apart the units of an output layer, whose order has a meaning
        self.bias = _uniform(generator, n_features, n_places, first)
        self.deeper = relu_layers(hidden_layer_sizes, generator)
        self.to_latent = _uniform(generator, last, last, latent_dim)

    def forward(
        self, features: Tensor, extras: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the sum of the representations, and the weighted sums that the next layer reads.

        Parameters
        ----------
        features : Tensor of shape (n_models, n_units * n_features)
            For a layer that mixes, the weighted sums of the previous layer,
            ``(n_models, n_units * block, latent_dim)``.
        extras : Tensor of shape (n_models, n_units * n_extras)
            Biases and the like of such a layer; empty for others.
        weights : Tensor of shape (n_models, n_sums * n_units), optional
            Weights of the next layer.

        Returns
        -------
        total : Tensor of shape (n_models, latent_dim)
            Sum over units.
        mixed : Tensor of shape (n_models, n_sums, latent_dim)
            Weighted sums.
        """
        hidden = self._hidden(features, extras)
        sums = hidden.new_ones(len(hidden), 1, self.n_units)
        if weights is not None:
            sums = torch.cat([sums, weights.unflatten(1, (-1, self.n_units))], dim=1)
        # the cheaper of two orders of the same product
        if sums.shape[1] <= self.to_latent.shape[1]:
            latents = torch.bmm(sums, hidden) @ self.to_latent
        else:
            latents = torch.bmm(sums, hidden @ self.to_latent)
        total, mixed = latents.split([1, sums.shape[1] - 1], dim=1)
        return total[:, 0], mixed

    def _hidden(self, features: Tensor, extras: Tensor) -> Tensor:
        """Return the last hidden layer of each unit, ``(n_models, n_units, n_hidden)``."""
        features = features.reshape(len(features), self.n_units, -1)
        if self.norm is not None:
            unit_extras = extras.reshape(len(extras), self.n_units, -1)
            features = torch.cat([features, unit_extras], dim=2)
            first, last = (0, 1) if len(self.bias) == 1 else (1, 2)
            features = self.norm(features.flatten(first, last)).view_as(features)
        if len(self.bias) > 1:
            return self.deeper((features @ self.to_hidden + self.bias).relu_())
        hidden = torch.addmm(self.bias, features.flatten(0, 1), self.to_hidden).relu_()
        return self.deeper(hidden.view(*features.shape[:2], -1))


def relu_layers(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Return linear layers between these widths, each followed by a ReLU."""
    layers = nn.Sequential()
    for n_in, n_out in pairwise(widths):
        layers.append(seeded_module(partial(nn.Linear, n_in, n_out), generator))
        layers.append(nn.ReLU())
    return layers


def _uniform(generator: torch.Generator, fan_in: int, *shape: int) -> nn.Parameter:
    """Return a parameter drawn like those of a ``Linear`` with ``fan_in`` inputs."""
    bound = fan_in**-0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
