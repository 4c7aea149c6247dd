"""Dropout of many models at once, each model with its own random masks.

A mask is a hash of the model's seed, the step, the layer and the unit, so that it depends neither
on the other models nor on the device, and no generator has to be carried along.
"""

import numpy as np
import torch
from torch import Tensor

_FACTORS = (0x7FEB352D, 0x846CA68B - 2**32)  # as signed 32-bit numbers


def _mix(x: Tensor) -> Tensor:
    """Hash int32 numbers in place by shifts and odd factors, which flip half the bits on average.

    The constants are those of C. Wellons' search for low bias ("lowbias32", 2018).
    """
    for shift, factor in zip((16, 15), _FACTORS, strict=True):
        x ^= _shifted(x, shift)
        x *= factor
    x ^= _shifted(x, 16)
    return x


def _shifted(x: Tensor, n_bits: int) -> Tensor:
    return (x >> n_bits) & (2 ** (32 - n_bits) - 1)


class Dropout:
    """The dropout of a chunk of models.

    Parameters
    ----------
    seeds : ndarray of int of shape (n_models,)
        The seed of each model.
    rate : Tensor of shape (n_models,), optional
        Each model's probability of dropping a unit, in every layer. By default each layer's own.
    device : torch.device
        Where masks are computed.
    """

    def __init__(self, seeds: np.ndarray, rate: Tensor | None, device: torch.device):
        self.step = 0
        self._seeds = np.asarray(seeds, dtype=np.int64)
        self._rate, self._device = rate, device
        self._units: dict[int, Tensor] = {}

    def select(self, models: Tensor) -> None:
        """Keep the models with the given indices only."""
        self._seeds = self._seeds[models.cpu().numpy()]
        self._rate = None if self._rate is None else self._rate[models]

    def mask(self, shape: torch.Size, p: float, layer_index: int) -> Tensor:
        """Return the factors of units, of a shape ``(n_models, *features, n_inputs)``."""
        n_units = shape[1:].numel()
        if n_units not in self._units:
            numbers = torch.arange(n_units, dtype=torch.int32, device=self._device)
            self._units[n_units] = _mix(numbers)
        rate = self._rate
        if rate is None:
            rate = torch.full((shape[0],), p, device=self._device)
        hashed = _mix(self._units[n_units] + self._keys(layer_index)[:, None])
        lowest_kept = (rate.double() * 2**32 - 2**31).clamp(max=2**31 - 1).int()
        scale = torch.where(rate < 1, 1 / (1 - rate), 0)
        return ((hashed >= lowest_kept[:, None]) * scale[:, None]).view(shape)

    def _keys(self, layer_index: int) -> Tensor:
        """Return one number per model, ``(n_models,)``, at this step and in this layer."""
        key = torch.from_numpy((self._seeds & 0x7FFFFFFF).astype(np.int32))
        for part in (self.step, layer_index):
            key = _mix(_mix(key) + part)
        return key.to(self._device)

    def __call__(self, x: Tensor, p: float, layer_index: int) -> Tensor:
        """Drop units of ``x``, ``(n_models, *features, n_inputs)``."""
        return x * self.mask(x.shape, p, layer_index)
