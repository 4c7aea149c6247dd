"""The forward pass of an architecture: rows of weights run on inputs, in cache-sized chunks."""

import copy
from collections.abc import Callable, Mapping
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor, nn

from ..._validation import check_n_columns, check_rows, finite_tensor, owned_tensor
from ...exceptions import InvalidInputError, UnsupportedModuleError
from .._parameter_layout import ParameterLayout
from .._template import largest_value, uses_batch_statistics
from ..tracing._trace import Step, trace
from ..tracing._verify import agrees
from ._context import Memory, Training
from ._execute import forward_models, plan_steps

# Measured: with activations of 1 MiB per layer, half of the time is the overhead of calls; above
# 4 MiB activations leave the cache before the next layer reads them.
FORWARD_BYTES = 2**22


class ForwardPass:
    """Runs many models of one architecture at once.

    Parameters
    ----------
    module : nn.Module
        The template; its own parameters are not used.
    layout : ParameterLayout
    input_shape : tuple of int, or None where it is not known
    """

    def __init__(
        self, module: nn.Module, layout: ParameterLayout, input_shape: tuple[int, ...] | None
    ):
        self._module, self._layout, self._input_shape = module, layout, input_shape

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The module's graph; UnsupportedModuleError, with the reason, if it cannot be traced."""
        return trace(self._module)

    @cached_property
    def plan(self) -> tuple[Step, ...] | None:
        """The steps as they are run for many models; None where the module is run under vmap."""
        try:
            planned = plan_steps(self.steps, self._layout.names)
        except UnsupportedModuleError:
            return None
        if planned is None:
            return None
        run = partial(forward_models, self._module, planned)
        same = agrees(self._module, self._layout.by_name, self._input_shape, run)
        return planned if same else None

    @cached_property
    def samples_are_independent(self) -> bool:
        """True if outputs are computed independently per sample (no batch statistics)."""
        return not uses_batch_statistics(self._module)

    @cached_property
    def activation_size(self) -> int:
        """The most values that one layer holds for one input; decides the size of chunks."""
        if self._input_shape is None:
            return self._layout.n_weights
        return largest_value(copy.deepcopy(self._module), self._input_shape)

    @cached_property
    def n_outputs(self) -> int:
        """The length of one flattened output."""
        with torch.no_grad():
            zeros = torch.zeros(2, *(self._input_shape or ()))
            return self._module(zeros).flatten(1).shape[1]

    def shape_inputs(self, inputs: Tensor, n_leading: int = 1) -> Tensor:
        """Reshape flat inputs, after ``n_leading`` axes, to what the module takes."""
        if self._input_shape is None:
            return inputs
        flat, n_inputs = inputs.flatten(n_leading), int(np.prod(self._input_shape))
        if flat.shape[-1] != n_inputs:
            raise InvalidInputError(
                f"`inputs` must have {n_inputs} columns, as the architecture takes {n_inputs} "
                f"inputs; got {flat.shape[-1]}."
            )
        return flat.unflatten(n_leading, self._input_shape)

    def forward(self, weights, inputs, batch_size: int | None = None):
        """Run every model on the same inputs; see ``Architecture.forward``."""
        if batch_size is not None and batch_size < 1:
            raise InvalidInputError(f"`batch_size` must be at least 1, or None; got {batch_size}.")
        if isinstance(weights, Tensor):
            return self._forward_tensor(weights, inputs, batch_size)
        if not isinstance(weights, np.ndarray) or weights.ndim != 2:
            weights = check_rows(weights)
        check_n_columns(weights, self._layout.n_weights)
        shaped = self.shape_inputs(owned_tensor(inputs))
        outputs = np.empty((len(weights), len(shaped), self.n_outputs), np.float32)
        chunks, blocks = self._chunks(len(weights), shaped, batch_size)
        memory = Memory()
        with torch.no_grad():
            for chunk in chunks:
                parameters, start = self._layout.parameters(finite_tensor(weights[chunk])), 0
                for block in blocks:
                    stop = start + block.shape[1]
                    outputs[chunk, start:stop] = self._run(parameters, block, memory).numpy()
                    start = stop
        return outputs

    def forward_parameters(
        self,
        parameters: Mapping[str, Tensor],
        inputs: Tensor,
        training: Training | None = None,
        before: Callable[[Step, list[Tensor]], None] | None = None,
    ) -> Tensor:
        """Run each model, given by its parameters ``(n_models, *shape)``, on inputs of its own.

        ``inputs`` is ``(n_models, n_inputs, ...)``, or ``(1, n_inputs, ...)`` if shared; ``before``
        is called before each layer is run, where layers are run one by one.
        """
        shaped = self.shape_inputs(inputs, n_leading=2)
        return forward_models(
            self._module, self.plan, parameters, shaped, training, before=before
        ).flatten(2)

    def forward_each(self, weights: Tensor, inputs: Tensor) -> Tensor:
        """Run each row ``(n_models, n_weights)`` on inputs of its own; tensors only."""
        return self.forward_parameters(self._layout.parameters(weights), inputs)

    def _forward_tensor(self, weights: Tensor, inputs, batch_size: int | None) -> Tensor:
        check_n_columns(weights, self._layout.n_weights)
        shaped = self.shape_inputs(torch.as_tensor(inputs).to(weights))
        chunks, blocks = self._chunks(len(weights), shaped, batch_size)
        parts = [self._layout.parameters(weights[chunk]) for chunk in chunks]
        return torch.cat(
            [torch.cat([self._run(part, block) for block in blocks], dim=1) for part in parts]
        )

    def _run(
        self, parameters: Mapping[str, Tensor], inputs: Tensor, memory: Memory | None = None
    ) -> Tensor:
        """Run models on inputs ``(n_models or 1, n_inputs, *input_shape)``, all at once."""
        return forward_models(self._module, self.plan, parameters, inputs, memory=memory).flatten(2)

    def _chunks(
        self, n_models: int, inputs: Tensor, batch_size: int | None
    ) -> tuple[list[slice], list[Tensor]]:
        """Return slices of models and blocks of inputs whose activations the cache takes."""
        fitting = max(1, FORWARD_BYTES // (4 * self.activation_size))
        size = batch_size or max(1, fitting // max(1, len(inputs)))
        n_inputs = max(16, fitting // size) if self.samples_are_independent else len(inputs)
        blocks = [
            # in the memory layout that the layers take, inputs last: converted once
            block.movedim(0, -1).contiguous().movedim(-1, 0)[None]
            for block in inputs.split(max(1, n_inputs))
        ]
        return [slice(i, i + size) for i in range(0, max(1, n_models), size)], blocks
