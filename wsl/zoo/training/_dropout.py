"""Dropout of many models at once, each with a stream of its own.

A mask is a hash of a model's seed, the step, the layer and the unit: the same whatever other models
are beside it, on any device, and with no generator to carry along.
"""

import numpy as np
import torch
from torch import Tensor

_FACTORS = (0x7FEB352D, 0x846CA68B - 2**32)  # as signed 32-bit numbers


def _mix(x: Tensor) -> Tensor:
    """Hash int32 numbers, in place: shifts and odd factors that flip half the bits on average.

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
    seeds : array of int ``(n_models,)``
    rate : Tensor ``(n_models,)``, optional
        Each model's probability of dropping a unit, in every layer. By default the layers' own.
    device : torch.device
    """

    def __init__(self, seeds: np.ndarray, rate: Tensor | None, device: torch.device):
        self.step = 0
        self._seeds = np.asarray(seeds, dtype=np.int64)
        self._rate, self._device = rate, device
        self._units: dict[int, Tensor] = {}

    def select(self, kept: Tensor) -> None:
        """Keep the models in ``kept`` only."""
        self._seeds = self._seeds[kept.cpu().numpy()]
        self._rate = None if self._rate is None else self._rate[kept]

    def mask(self, shape: torch.Size, p: float, place: int) -> Tensor:
        """Return what units are multiplied with, of a shape ``(n_models, *features, n_inputs)``."""
        n_units = shape[1:].numel()
        if n_units not in self._units:
            numbers = torch.arange(n_units, dtype=torch.int32, device=self._device)
            self._units[n_units] = _mix(numbers)
        rate = self._rate
        if rate is None:
            rate = torch.full((shape[0],), p, device=self._device)
        hashed = _mix(self._units[n_units] + self._keys(place)[:, None])
        lowest_kept = (rate.double() * 2**32 - 2**31).clamp(max=2**31 - 1).int()
        scale = torch.where(rate < 1, 1 / (1 - rate), 0)
        return ((hashed >= lowest_kept[:, None]) * scale[:, None]).view(shape)

    def _keys(self, place: int) -> Tensor:
        """Return one number for each model, at this step and in this layer."""
        key = torch.from_numpy((self._seeds & 0x7FFFFFFF).astype(np.int32))
        for part in (self.step, place):
            key = _mix(_mix(key) + part)
        return key.to(self._device)

    def __call__(self, x: Tensor, p: float, place: int) -> Tensor:
        """Drop units of ``x``, ``(n_models, *features, n_inputs)``."""
        return x * self.mask(x.shape, p, place)
