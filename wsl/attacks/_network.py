"""``DeepSets``: a network that reads networks. Plain torch, on rows of weights, all models at once.

Training lives in ``_training``, the scikit-learn side in ``_deepsets``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._layers import SetLayer


class DeepSets(nn.Module):
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
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)
        self.units = nn.ModuleList(UnitEncoder(layer, latent_dim, hidden) for layer in layers)
        width = latent_dim * len(layers)
        self.readout = nn.Sequential(
            nn.BatchNorm1d(width), nn.Dropout(dropout), nn.Linear(width, n_outputs)
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Return ``(n_models, n_outputs)`` for rows ``(n_models, n_weights)``."""
        rows = (rows - self.shift) * self.scale
        before: Tensor | None = None
        pooled = []
        for encoder in self.units:
            assert isinstance(encoder, UnitEncoder)
            latents = encoder(rows, before)
            pooled.append(latents.sum(dim=1) / encoder.layer.n_units**0.5)
            if encoder.layer.carries:
                before = latents
        return self.readout(torch.cat(pooled, dim=1))


class UnitEncoder(nn.Module):
    """``phi_l``: the units of one layer to latents ``(n_models, n_units, latent_dim)``."""

    def __init__(self, layer: SetLayer, latent_dim: int, hidden: int):
        super().__init__()
        self.layer = layer
        n_mixed = layer.block * latent_dim if layer.mixes else layer.block
        n_features = n_mixed + len(layer.extras)
        n_places = layer.n_units if layer.ordered else 1
        self.norm = nn.BatchNorm1d(n_features * n_places) if layer.mixes else None
        self.enter = nn.Linear(n_features, hidden)
        self.leave = nn.Linear(hidden, latent_dim)
        # which of the outputs a unit is: one row of biases for each
        bound = n_features**-0.5
        places = torch.empty(n_places, hidden).uniform_(-bound, bound)
        self.places = nn.Parameter(places) if n_places > 1 else None

    def forward(self, rows: Tensor, before: Tensor | None) -> Tensor:
        features = self._features(rows, before)
        if self.norm is not None:
            first, last = (1, 2) if self.layer.ordered else (0, 1)
            features = self.norm(features.flatten(first, last)).view_as(features)
        inner = self.enter(features)
        if self.places is not None:
            inner = inner + self.places
        return self.leave(inner.relu())

    def _features(self, rows: Tensor, before: Tensor | None) -> Tensor:
        """Return ``(n_models, n_units, n_features)``: mixed or plain weights, then the extras."""
        layer = self.layer
        weight = rows[:, layer.weight].view(len(rows), layer.n_units, layer.n_sources, layer.block)
        if layer.mixes:
            assert before is not None
            by_place = weight.transpose(2, 3).flatten(
                1, 2
            )  # (n_models, n_units * block, n_sources)
            mixed = torch.bmm(by_place, before) / layer.n_sources**0.5
            weight = mixed.view(len(rows), layer.n_units, -1)
        extras = [rows[:, extra, None] for extra in layer.extras]
        return torch.cat([weight.flatten(2), *extras], dim=2)
