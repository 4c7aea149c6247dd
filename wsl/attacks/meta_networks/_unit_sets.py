"""Cutting a row of weights into layers, and layers into sets of units. Indices only.

The network that reads the sets lives in ``_network``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..._batches import column_moments, row_slices
from ...architectures import Architecture


@dataclass(frozen=True)
class SetLayer:
    """One layer of a model as a set of units, and where its numbers lie in a row.

    A unit's numbers are its weights, seen as ``(n_sources, block)``, and one of each extra. Where
    the layer mixes, the sources are the units of the layer before, whose order means nothing;
    elsewhere there is one source, and the block is what the unit reads, in an order that is fixed.
    """

    weight: slice
    n_units: int
    n_sources: int
    block: int
    extras: tuple[slice, ...] = ()
    mixes: bool = False  # reads the units of the layer before
    ordered: bool = False  # its units keep their places, as the outputs of a network do
    carries: bool = True  # its units are what the next layer reads


def cut_layers(architecture: Architecture) -> tuple[SetLayer, ...]:
    """Return the layers of an architecture in the order of its parameters.

    A parameter of two axes or more is the weight of a layer, ``(n_units, n_sources, *places)``;
    behind a flatten a source is a block of columns. A vector with one entry a unit, a bias or the
    gain of a norm, belongs to the layer before it; any other vector is a layer of one element. A
    weight whose inputs are not the units of the layer before is read in the order of its inputs.
    """
    layers: list[SetLayer] = []
    last = -1
    for name, shape in zip(
        architecture.parameter_names, architecture.parameter_shapes, strict=True
    ):
        place = architecture.slices[name]
        if len(shape) > 1:
            before = layers[last].n_units if last >= 0 else 0
            last = len(layers)
            layers.append(_weight_layer(place, shape, before))
        elif last >= 0 and shape == (layers[last].n_units,):
            layers[last] = replace(layers[last], extras=(*layers[last].extras, place))
        else:
            size = math.prod(shape)
            layers.append(SetLayer(place, 1, 1, size, ordered=True, carries=False))
    if last >= 0:
        layers[last] = replace(layers[last], ordered=True)
    return tuple(layers)


def _weight_layer(place: slice, shape: tuple[int, ...], n_before: int) -> SetLayer:
    n_units, n_inputs, n_places = shape[0], shape[1], math.prod(shape[2:])
    if n_before and n_inputs % n_before == 0:
        block = n_inputs // n_before * n_places
        return SetLayer(place, n_units, n_before, block, mixes=True)
    return SetLayer(place, n_units, 1, n_inputs * n_places)


def row_as_element(n_features: int) -> tuple[SetLayer, ...]:
    """Return the layers of a row of which nothing is known: one set with one element."""
    return (SetLayer(slice(0, n_features), 1, 1, n_features, ordered=True),)


def readers_of(layers: Sequence[SetLayer]) -> list[int | None]:
    """Return for each layer the number of the layer that mixes its units, if there is one."""
    readers: list[int | None] = [None] * len(layers)
    before = -1
    for i, layer in enumerate(layers):
        if layer.mixes:
            readers[before] = i
        if layer.carries:
            before = i
    return readers


def part_sizes(layer: SetLayer) -> tuple[int, int]:
    """Return how many numbers of a row a layer's two parts have, see ``columns_by_unit``."""
    n_weights, n_extras = layer.weight.stop - layer.weight.start, layer.n_units * len(layer.extras)
    return (n_weights, n_extras) if layer.mixes else (n_weights + n_extras, 0)


def columns_by_unit(layers: Sequence[SetLayer]) -> np.ndarray:
    """Return the order of a row's columns in which each layer is two parts without gaps.

    Of a layer that mixes these are its weights ``(n_units, block, n_sources)`` and its extras
    ``(n_units, n_extras)``; of any other all numbers of a unit ``(n_units, n_features)``, and none.
    """
    parts = []
    for layer in layers:
        weight = np.arange(layer.weight.start, layer.weight.stop)
        weight = weight.reshape(layer.n_units, layer.n_sources, layer.block).swapaxes(1, 2)
        extras = [np.arange(x.start, x.stop)[:, None] for x in layer.extras]
        empty = np.empty((layer.n_units, 0), dtype=np.intp)
        if layer.mixes:
            parts += [weight, np.hstack([empty, *extras])]
        else:
            parts.append(np.hstack([weight.reshape(layer.n_units, -1), *extras]))
    return np.concatenate([part.ravel() for part in parts])


def standardization(rows: np.ndarray, layers: Sequence[SetLayer]) -> tuple[np.ndarray, np.ndarray]:
    """Return shift and scale of the columns, each ``(n_weights,)``; ``(row - shift) * scale``.

    Columns that a permutation of hidden units may exchange share both, so that the permutation
    still changes nothing. A column that does not vary has scale 1.
    """
    group = _exchangeable_columns(layers, rows.shape[1])
    counts = np.bincount(group)

    def shared(values: np.ndarray) -> np.ndarray:
        return (np.bincount(group, weights=values) / counts)[group]

    parts = list(row_slices(len(rows), 8 * rows.shape[1]))
    mean, variance = column_moments(lambda: (rows[part] for part in parts))
    shift = shared(mean)
    deviation = np.sqrt(shared(variance + (mean - shift) ** 2))
    constant = deviation <= 1e-6 * np.abs(shift)
    return shift, 1.0 / np.where(constant, 1.0, deviation)


def _exchangeable_columns(layers: Sequence[SetLayer], n_columns: int) -> np.ndarray:
    """Return for each column the number of its group of exchangeable columns."""
    group = np.zeros(n_columns, dtype=np.intp)
    n_groups = 0
    for layer in layers:
        n_places = layer.n_units if layer.ordered else 1
        of_unit = np.arange(n_places)[:, None, None] * layer.block
        of_weight = of_unit + np.arange(layer.block)
        shape = (layer.n_units, layer.n_sources, layer.block)
        group[layer.weight] = n_groups + np.broadcast_to(of_weight, shape).ravel()
        n_groups += n_places * layer.block
        for extra in layer.extras:
            group[extra] = n_groups + np.broadcast_to(np.arange(n_places), layer.n_units)
            n_groups += n_places
    return group
