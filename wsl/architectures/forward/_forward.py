"""The forward pass of an architecture: rows of weights run on inputs, in cache-sized chunks."""

import copy
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._validation import (
    as_real_array,
    check_n_columns,
    check_rows,
    finite_tensor,
    owned_tensor,
)
from ...exceptions import InvalidInputError, UnsupportedModuleError
from .._input_shape import InputShape
from .._parameter_layout import ParameterLayout
from .._template import largest_value
from ..tracing._trace import Step, trace
from ..tracing._trial import Trial
from ..tracing._verify import agrees
from ._context import Memory, Training
from ._execute import (
    forward_each_model,
    forward_models,
    forward_vmap,
    plan_steps,
    refuse_state,
)

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
    input_shape : InputShape
    trial : Trial, or None where the shape of an input is not known
    """

    def __init__(
        self,
        module: nn.Module,
        layout: ParameterLayout,
        input_shape: InputShape,
        trial: Trial | None,
    ):
        self._module, self._layout = module, layout
        self._input_shape, self._trial = input_shape, trial

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The module's graph; UnsupportedModuleError, with the reason, if it cannot be traced."""
        return trace(self._module)

    @cached_property
    def plan(self) -> tuple[Step, ...] | None:
        """The steps as they are run for many models; None where the whole module is run."""
        try:
            planned = plan_steps(self.steps, self._layout.names)
        except UnsupportedModuleError:
            return None
        if planned is None:
            return None
        return planned if self._agrees(partial(forward_models, planned)) else None

    @cached_property
    def _run_module(self) -> Callable[..., Tensor]:
        """How the whole module is run for many models: under vmap, or one model after another."""
        works = self._agrees(partial(forward_vmap, self._module))
        return forward_vmap if works else forward_each_model

    def _agrees(self, run: Callable[..., Tensor]) -> bool:
        return agrees(self._module, self._layout.by_name, self._input_shape.exact, run)

    @property
    def samples_are_independent(self) -> bool:
        """True if outputs are computed independently per sample (no batch statistics)."""
        return self._trial is not None and self._trial.samples_are_independent

    @cached_property
    def activation_size(self) -> int:
        """The most values that one layer holds for one input; decides the size of chunks."""
        if self._input_shape.exact is None:
            return self._layout.n_weights
        return largest_value(copy.deepcopy(self._module), self._input_shape.exact)

    @property
    def n_outputs(self) -> int:
        """The length of one flattened output."""
        assert self._trial is not None
        return self._trial.n_outputs

    def shape_inputs(self, inputs: Tensor, n_leading: int = 1, name: str = "inputs") -> Tensor:
        """Give inputs, after ``n_leading`` axes, the shape that the module takes."""
        shape = self._input_shape.check(inputs.shape[n_leading:], name)
        return inputs.reshape(*inputs.shape[:n_leading], *shape)

    def forward(self, weights, inputs, batch_size: int | None = None):
        """Run every model on the same inputs; see ``Architecture.forward``."""
        if batch_size is not None and batch_size < 1:
            raise InvalidInputError(f"`batch_size` must be at least 1, or None; got {batch_size}.")
        if isinstance(weights, Tensor):
            return self._forward_tensor(weights, inputs, batch_size)
        if not _is_readable_in_chunks(weights):
            weights = check_rows(weights)
        check_n_columns(weights, self._layout.n_weights)
        shaped = self.shape_inputs(owned_tensor(as_real_array(inputs, "inputs")))
        outputs = np.empty((len(weights), len(shaped), self.n_outputs), np.float32)
        chunks, blocks = self._chunks(len(weights), shaped, batch_size)
        memory = Memory()
        with torch.no_grad():
            for chunk in chunks:
                parameters, start = self._layout.parameters(finite_tensor(weights[chunk])), 0
                for block in blocks:
                    stop = start + block.shape[1]
                    outputs[chunk, start:stop] = self._run(parameters, block, memory=memory).numpy()
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
        return self._run(parameters, shaped, training=training, before=before)

    def forward_each(self, weights: Tensor, inputs: Tensor) -> Tensor:
        """Run each row ``(n_models, n_weights)`` on inputs of its own; tensors only."""
        return self.forward_parameters(self._layout.parameters(weights), inputs)

    def _forward_tensor(self, weights: Tensor, inputs, batch_size: int | None) -> Tensor:
        check_n_columns(weights, self._layout.n_weights)
        if not isinstance(inputs, Tensor) or inputs.is_complex():
            inputs = torch.from_numpy(as_real_array(inputs, "inputs").copy())
        shaped = self.shape_inputs(inputs.to(weights))
        chunks, blocks = self._chunks(len(weights), shaped, batch_size)
        parts = [self._layout.parameters(weights[chunk]) for chunk in chunks]
        return torch.cat(
            [torch.cat([self._run(part, block) for block in blocks], dim=1) for part in parts]
        )

    def _run(self, parameters: Mapping[str, Tensor], inputs: Tensor, **options: Any) -> Tensor:
        """Run models on inputs ``(n_models or 1, n_inputs, *input_shape)``, all at once."""
        if self.plan is not None:
            outputs = forward_models(self.plan, parameters, inputs, **options)
        else:
            if options.get("training") is not None:
                refuse_state(self._module)
            outputs = self._run_module(self._module, parameters, inputs)
        n_models = next(iter(parameters.values())).shape[0]
        return outputs.reshape(n_models, inputs.shape[1], self.n_outputs)

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


def _is_readable_in_chunks(weights: Any) -> bool:
    """Return True for rows that torch takes as they are, such as a memory map of another dtype."""
    kinds = (np.float16, np.float32, np.float64)
    native = isinstance(weights, np.ndarray) and weights.dtype in kinds and weights.dtype.isnative
    return native and weights.ndim == 2 and not isinstance(weights, np.ma.MaskedArray)
