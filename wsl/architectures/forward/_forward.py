"""Rows of weights run on shared inputs, some models and some inputs at a time.

Here it is decided how many; the pass itself lives in ``_batched``.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..._validation import check_n_columns, check_rows, finite_tensor, owned_tensor
from ...exceptions import InvalidInputError
from ._context import Memory

if TYPE_CHECKING:
    from .._architecture import Architecture

# Measured: with activations of 1 MiB a layer the calls themselves take half of the time, and above
# 4 MiB activations leave the cache before the next layer reads them.
FORWARD_BYTES = 2**22


def run_rows(architecture: "Architecture", weights, inputs, batch_size: int | None):
    """Run every model on the same inputs; see ``Architecture.forward``."""
    if batch_size is not None and batch_size < 1:
        raise InvalidInputError(f"batch_size={batch_size}; wanted at least 1, or None")
    if isinstance(weights, Tensor):
        return _run_tensor(architecture, weights, inputs, batch_size)
    if not isinstance(weights, np.ndarray) or weights.ndim != 2:
        weights = check_rows(weights)
    check_n_columns(weights, architecture.n_weights)
    shaped = architecture.shape_inputs(owned_tensor(inputs))
    outputs = np.empty((len(weights), len(shaped), architecture.n_outputs), np.float32)
    chunks, blocks = _chunks(architecture, len(weights), shaped, batch_size)
    memory = Memory()
    with torch.no_grad():
        for chunk in chunks:
            parameters, start = architecture.parameters(finite_tensor(weights[chunk])), 0
            for block in blocks:
                stop = start + block.shape[1]
                outputs[chunk, start:stop] = architecture.run(parameters, block, memory).numpy()
                start = stop
    return outputs


def _run_tensor(
    architecture: "Architecture", weights: Tensor, inputs, batch_size: int | None
) -> Tensor:
    check_n_columns(weights, architecture.n_weights)
    shaped = architecture.shape_inputs(torch.as_tensor(inputs).to(weights))
    chunks, blocks = _chunks(architecture, len(weights), shaped, batch_size)
    parts = [architecture.parameters(weights[chunk]) for chunk in chunks]
    return torch.cat(
        [torch.cat([architecture.run(part, block) for block in blocks], dim=1) for part in parts]
    )


def _chunks(
    architecture: "Architecture", n_models: int, inputs: Tensor, batch_size: int | None
) -> tuple[list[slice], list[Tensor]]:
    """Return slices of models and blocks of inputs whose activations the cache takes."""
    fitting = max(1, FORWARD_BYTES // (4 * architecture.activation_size))
    size = batch_size or max(1, fitting // max(1, len(inputs)))
    n_inputs = max(16, fitting // size) if architecture.inputs_are_apart else max(1, len(inputs))
    blocks = [
        # laid out once as the layers take it, with the inputs last
        block.movedim(0, -1).contiguous().movedim(-1, 0)[None]
        for block in inputs.split(n_inputs)
    ]
    return [slice(i, i + size) for i in range(0, max(1, n_models), size)], blocks
