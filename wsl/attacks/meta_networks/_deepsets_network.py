"""``DeepSets``: a network that reads networks. Plain torch, on rows of weights, all models at once.

Training lives in ``_training``, the scikit-learn side in ``_deepsets``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._unit_sets import SetLayer, columns_by_unit, part_sizes, readers_of


class MetaNetwork(nn.Module):
    """A network that reads networks, as ``_training`` trains it: in two steps."""

    model_bytes: int  # what one model takes in a pass

    def prepare(self, rows: Tensor) -> Tensor:
        """Do to rows ``(n_models, n_weights)`` what is not learned: a training does it once.

        The result, ``(n_models, n_weights)`` on the device of the network, is what ``forward``
        takes.
        """
        raise NotImplementedError


class DeepSets(MetaNetwork):
    """Read rows of weights layer by layer, blind to the order of hidden units.

    Parameters
    ----------
    layers : sequence of SetLayer
    n_outputs : int
    shift, scale : Tensor ``(n_weights,)``
        Standardisation of the rows, alike for columns that may change places.
    latent_dim, hidden : int
        Numbers that stand for a unit, and width of the hidden layer that computes them.
    dropout : float
        Share of a model's representation that is left out at each training step.

    Notes
    -----
    Ganju et al. (2018) represent unit ``i`` of layer ``l`` by its weights ``w_i``, its bias ``b_i``
    and the representations of the layer before, its context; ``L_l`` is the sum over the units::

        N_i = phi_l(w_i, b_i, context),    L_l = sum_i N_i,    output = rho(L_1, ..., L_depth)

    With the context a concatenation, as in their code and propinfer's, the sum is not blind to the
    order of the units before. Here a weight meets the unit that it comes from::

        N_i = phi_l(sum_j w_ij N_j, b_i)

    which is blind to it, and for one hidden layer contains what the network computes: with
    ``N_j = relu(w_j x + b_j)`` the sum is the network's own output on the query ``x``. The white
    box thus learns its own queries, and can see what a black box sees. Models of one population
    differ by little of what they have in common, so the mixed sums and the ``L_l`` are normalised
    over models: without that the attack needs many times the shadow models.

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
        hidden: int,
        dropout: float,
    ):
        super().__init__()
        columns = torch.from_numpy(columns_by_unit(layers))
        self.register_buffer("columns", columns)
        self.register_buffer("shift", shift[columns])
        self.register_buffer("scale", scale[columns])
        self.sizes = [size for layer in layers for size in part_sizes(layer)]
        self.readers = readers_of(layers)
        self.units = nn.ModuleList(UnitEncoder(layer, latent_dim, hidden) for layer in layers)
        width = latent_dim * len(layers)
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.output = nn.Linear(width, n_outputs)
        self.model_bytes = 4 * (len(columns) + hidden * sum(layer.n_units for layer in layers))

    def prepare(self, rows: Tensor) -> Tensor:
        """Standardise rows ``(n_models, n_weights)`` and put together what is read together."""
        rows = rows.to(self.shift.device)
        return rows[:, self.columns].sub_(self.shift).mul_(self.scale)

    def forward(self, prepared: Tensor) -> Tensor:
        """Return ``(n_models, n_outputs)`` for what ``prepare`` made of the rows."""
        parts = prepared.split(self.sizes, dim=1)
        features, extras = list(parts[::2]), parts[1::2]
        pooled = []
        for i, (encoder, reader) in enumerate(zip(self.units, self.readers, strict=True)):
            weights = None if reader is None else features[reader]
            total, mixed = encoder(features[i], extras[i], weights)
            pooled.append(total)
            if reader is not None:
                features[reader] = mixed
        read = self.norm(torch.cat(pooled, dim=1))
        return self.output(read if self.dropout is None else self.dropout(read))


class UnitEncoder(nn.Module):
    """``phi_l``: what is read of one layer's units, sums over them of their latents.

    The parameters are ``(n_inputs, n_outputs)``: where few numbers are read of many units, the
    gradient of a ``Linear``, which holds them the other way round, takes five times as long.
    """

    def __init__(self, layer: SetLayer, latent_dim: int, hidden: int):
        super().__init__()
        self.n_units = layer.n_units
        n_mixed = layer.block * latent_dim if layer.mixes else layer.block
        n_features = n_mixed + len(layer.extras)
        n_places = layer.n_units if layer.ordered else 1
        self.norm = nn.BatchNorm1d(n_features * n_places, affine=False) if layer.mixes else None
        self.enter = _uniform(n_features, n_features, hidden)
        # which of the outputs a unit is: one row of biases for each
        self.bias = _uniform(n_features, n_places, hidden)
        self.leave = _uniform(hidden, hidden, latent_dim)

    def forward(
        self, features: Tensor, extras: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the sum of the latents and the sums that the next layer reads.

        Parameters
        ----------
        features : Tensor ``(n_models, n_units * n_features)``
            Of a layer that mixes, what it reads of the layer before,
            ``(n_models, n_units * block, latent_dim)``.
        extras : Tensor ``(n_models, n_units * n_extras)``
            What such a layer has beside; empty for others.
        weights : Tensor ``(n_models, n_sums * n_units)``, optional
            Those with which the next layer mixes.

        Returns
        -------
        Tensor ``(n_models, latent_dim)`` and Tensor ``(n_models, n_sums, latent_dim)``
        """
        hidden = self._hidden(features, extras)
        sums = hidden.new_ones(len(hidden), 1, self.n_units)
        if weights is not None:
            sums = torch.cat([sums, weights.unflatten(1, (-1, self.n_units))], dim=1)
        # two equal products, of which one takes less
        if sums.shape[1] <= self.leave.shape[1]:
            read = torch.bmm(sums, hidden) @ self.leave
        else:
            read = torch.bmm(sums, hidden @ self.leave)
        total, mixed = read.split([1, sums.shape[1] - 1], dim=1)
        return total[:, 0], mixed

    def _hidden(self, features: Tensor, extras: Tensor) -> Tensor:
        """Return the hidden layer of each unit, ``(n_models, n_units, hidden)``."""
        features = features.reshape(len(features), self.n_units, -1)
        if self.norm is not None:
            beside = extras.reshape(len(extras), self.n_units, -1)
            features = torch.cat([features, beside], dim=2)
            first, last = (0, 1) if len(self.bias) == 1 else (1, 2)
            features = self.norm(features.flatten(first, last)).view_as(features)
        if len(self.bias) > 1:
            return (features @ self.enter + self.bias).relu_()
        hidden = torch.addmm(self.bias, features.flatten(0, 1), self.enter).relu_()
        return hidden.view(*features.shape[:2], -1)


def _uniform(fan_in: int, *shape: int) -> nn.Parameter:
    """Return a parameter drawn as torch draws those of a ``Linear`` with ``fan_in`` inputs."""
    bound = fan_in**-0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
