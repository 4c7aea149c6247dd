"""The columns of a row of weights, grouped into layers and sets of units."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..._batches import column_moments, row_slices
from ...architectures import Architecture


@dataclass(frozen=True)
class SetLayer:
    """One layer of a model as a set of units, and the columns of a row that belong to it.

    A unit has weights of shape ``(n_sources, block)`` and one value per extra. If the layer mixes,
    its sources are the units of the previous layer, whose order is arbitrary; otherwise there is
    one source, and the block holds the unit's inputs in fixed order.
    """

    weight: slice
    n_units: int
    n_sources: int
    block: int
    extras: tuple[slice, ...] = ()
    mixes: bool = False  # reads the units of the previous layer
    ordered: bool = False  # the order of its units has a meaning, as for the outputs of a network
    carries: bool = True  # the next layer reads its units


def cut_layers(architecture: Architecture) -> tuple[SetLayer, ...]:
    """Return the layers of an architecture in the order of its parameters.

    A parameter with at least two axes is the weight of a layer, ``(n_units, n_sources, ...)``;
    after a flatten a source is a block of columns. A vector with one entry per unit, such as a
    bias or the gain of a norm, belongs to the layer before it; any other vector is a layer of one
    element. A weight whose inputs are not the units of the previous layer is read in the order of
    its inputs.
    """
    layers: list[SetLayer] = []
    last = -1
    for name, shape in zip(
        architecture.parameter_names, architecture.parameter_shapes, strict=True
    ):
        columns = architecture.slices[name]
        if len(shape) > 1:
            n_before = layers[last].n_units if last >= 0 else 0
            last = len(layers)
            layers.append(_weight_layer(columns, shape, n_before))
        elif last >= 0 and shape == (layers[last].n_units,):
            layers[last] = replace(layers[last], extras=(*layers[last].extras, columns))
        else:
            size = math.prod(shape)
            layers.append(SetLayer(columns, 1, 1, size, ordered=True, carries=False))
    if last >= 0:
        layers[last] = replace(layers[last], ordered=True)
    return tuple(layers)


def _weight_layer(columns: slice, shape: tuple[int, ...], n_before: int) -> SetLayer:
    n_units, n_inputs, n_positions = shape[0], shape[1], math.prod(shape[2:])
    if n_before and n_inputs % n_before == 0:
        block = n_inputs // n_before * n_positions
        return SetLayer(columns, n_units, n_before, block, mixes=True)
    return SetLayer(columns, n_units, 1, n_inputs * n_positions)


def row_as_element(n_features: int) -> tuple[SetLayer, ...]:
    """Return the layers of a row without an architecture: one set with one element."""
    return (SetLayer(slice(0, n_features), 1, 1, n_features, ordered=True),)


def readers_of(layers: Sequence[SetLayer]) -> list[int | None]:
    """Return for each layer the index of the layer that mixes its units, or None."""
    readers: list[int | None] = [None] * len(layers)
    before = -1
    for i, layer in enumerate(layers):
        if layer.mixes:
            readers[before] = i
        if layer.carries:
            before = i
    return readers


def part_sizes(layer: SetLayer) -> tuple[int, int]:
    """Return the number of columns of a layer's two parts, see ``columns_by_unit``."""
    n_weights, n_extras = layer.weight.stop - layer.weight.start, layer.n_units * len(layer.extras)
    return (n_weights, n_extras) if layer.mixes else (n_weights + n_extras, 0)


def columns_by_unit(layers: Sequence[SetLayer]) -> np.ndarray:
    """Return an order of a row's columns in which each layer consists of two contiguous parts.

    For a layer that mixes they are its weights ``(n_units, block, n_sources)`` and its extras
    ``(n_units, n_extras)``; for others all columns of a unit ``(n_units, n_features)`` and nothing.
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

    Columns that a permutation of hidden units exchanges share both, so that predictions stay
    invariant. A constant column has scale 1.
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
    """Return for each column the index of its group of exchangeable columns."""
    group = np.zeros(n_columns, dtype=np.intp)
    n_groups = 0
    for layer in layers:
        n_distinct = layer.n_units if layer.ordered else 1
        of_unit = np.arange(n_distinct)[:, None, None] * layer.block
        of_weight = of_unit + np.arange(layer.block)
        shape = (layer.n_units, layer.n_sources, layer.block)
        group[layer.weight] = n_groups + np.broadcast_to(of_weight, shape).ravel()
        n_groups += n_distinct * layer.block
        for extra in layer.extras:
            group[extra] = n_groups + np.broadcast_to(np.arange(n_distinct), layer.n_units)
            n_groups += n_distinct
    return group
