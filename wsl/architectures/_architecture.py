"""``Architecture``: what a row of weights means."""

import copy
import math
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from torch import nn

from .._torch_defaults import default_factories, torch_defaults
from .._validation import as_real_array, quoted
from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._builders import replace_activations
from ._common_networks import CommonNetworks
from ._description import architecture_html, layer_names
from ._identity import Identity, identify_module
from ._input_shape import find_input_shape
from ._model_conversion import ModelConversion
from ._parameter_layout import ParameterLayout
from ._template import make_template, refuse_unsupported
from .forward._execute import forward_each_model
from .forward._forward import ForwardPass
from .forward._operations import is_chain
from .spec._module_spec import module_to_spec, read_spec, step_identity
from .symmetry._unit_permutations import UnitPermutations
from .tracing._trial import try_module
from .tracing._verify import agrees


class Architecture(CommonNetworks, ModelConversion, UnitPermutations):
    """The meaning of a row of weights: names, shapes, function and symmetries of a network.

    A row holds what distinguishes one trained model from another: its parameters, in the module's
    order, followed by the running mean and variance of each batch-normalization layer. An
    architecture is immutable and can be copied and pickled, so it can be a constructor parameter
    of an estimator. Two are equal if their rows have the same names and shapes and compute the same
    function: by their layers, or by the outputs of trial models where code is not known.

    Parameters
    ----------
    module : nn.Module
        The network whose structure is copied. Its weights are not kept.
    input_shape : tuple of int, optional
        Shape of one input, to which flat rows are reshaped. By default what the first layer
        determines; where it does not, as with a convolution, the shape of the inputs that models
        are run on.

    Attributes
    ----------
    n_weights : int
        The number of weights in a row.
    n_trainable : int
        How many weights of a row, from the first on, training changes.
    n_inputs : int
        The length of one flattened input.
    n_outputs : int
        The length of one flattened output.
    input_shape : tuple of int or None
        Shape of one input, None where it is not known.
    parameter_names : tuple of str
        Names of what a row holds, in its order.
    parameter_shapes : tuple of tuple of int
        Shapes of what a row holds, in its order.
    slices : dict of str to slice
        The columns of each parameter in a row.
    template : nn.Module
        A fresh copy of the module.
    permutation_groups : tuple of PermutationGroup
        The groups of interchangeable hidden units.
    layout : ParameterLayout
        Converts between rows and parameters.
    forward_pass : ForwardPass
        Runs many models at once.

    Raises
    ------
    UnsupportedModuleError
        If the module has no parameters or uninitialized ones, does not take ``input_shape``, or
        does not return one tensor that its parameters and inputs alone determine.

    See Also
    --------
    ModelZoo : Rows of one architecture, with a table of what is known of each model.
    train_zoo : Trains many models of one architecture at once.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture
    >>> architecture = Architecture.mlp(4, 32, 1)
    >>> architecture
    Architecture(4 -> Linear(4, 32) -> ReLU -> Linear(32, 1) -> 1, n_weights=193)
    >>> rows = np.random.default_rng(0).normal(size=(10, architecture.n_weights))
    >>> architecture.forward(rows, np.ones((5, 4))).shape
    (10, 5, 1)
    """

    @torch_defaults()
    def __init__(self, module: nn.Module, *, input_shape: Sequence[int] | None = None):
        if not isinstance(module, nn.Module):
            raise UnsupportedModuleError(
                f"`module` must be an nn.Module; got a {type(module).__name__}."
            )
        refuse_unsupported(module)
        self._module = make_template(module)
        self.layout = ParameterLayout.of(self._module)
        self._inputs = find_input_shape(self._module, input_shape)
        self.input_shape, trial = self._inputs.exact, None
        if self.input_shape is not None:
            trial = try_module(self._module, self.layout.by_name, self.input_shape)
        self.forward_pass = ForwardPass(self._module, self.layout, self._inputs, trial)
        self._with_shape: dict[tuple[int, ...], Architecture] = {}
        self.n_weights, self.n_trainable = self.layout.n_weights, self.layout.n_trainable
        self.parameter_names, self.parameter_shapes = self.layout.names, self.layout.shapes
        self.slices = self.layout.slices

    def with_activation(self, activation: str) -> "Architecture":
        """Return the same architecture with every activation layer replaced.

        Parameters
        ----------
        activation : str
            One of the names that ``mlp`` takes.

        Returns
        -------
        Architecture
            An architecture with the same rows.

        Raises
        ------
        InvalidInputError
            If the name is unknown.
        UnsupportedModuleError
            If the module has no activation layers: functions called in its code are not replaced.
        """
        return Architecture(
            replace_activations(self.template, activation), input_shape=self.input_shape
        )

    def to_spec(self) -> dict[str, Any]:
        """Return the architecture as JSON values.

        Returns
        -------
        dict
            What ``from_spec`` takes.

        Raises
        ------
        UnsupportedModuleError
            If the module cannot be traced or has layers that are not torch's standard ones.
        """
        shape = None if self.input_shape is None else list(self.input_shape)
        spec = {"module": module_to_spec(self._module), "input_shape": shape}
        try:
            twin = Architecture.from_spec(spec)
            run = partial(forward_each_model, twin._module)
            same = agrees(self._module, self.layout.by_name, self.input_shape, run)
        except InvalidInputError as error:
            raise UnsupportedModuleError(
                f"{type(self._module).__name__} cannot be stored: {error}"
            ) from error
        if not same:
            raise UnsupportedModuleError(
                f"{type(self._module).__name__} cannot be stored: its forward pass differs from "
                "its traced layers (an in-place operation?)."
            )
        return spec

    @classmethod
    @torch_defaults()
    def from_spec(cls, spec: dict[str, Any]) -> "Architecture":
        """Return the architecture that ``to_spec`` described.

        No code in ``spec`` is run. Its sizes and the time that it takes to run are checked before
        anything is allocated: at most 2**28 weights, 2**25 values in a layer, and 2**32 products
        for one input, where an activation counts as many products as take the same time.

        Parameters
        ----------
        spec : dict
            What ``to_spec`` returned, also after a round trip through JSON.

        Returns
        -------
        Architecture
            An architecture equal to the original one.

        Raises
        ------
        InvalidInputError
            If ``spec`` is not what ``to_spec`` returns, or exceeds these limits.
        """
        module, shape = read_spec(spec)
        try:
            return cls(module, input_shape=shape)
        except UnsupportedModuleError as error:
            raise InvalidInputError(f"a spec must describe an architecture: {error}") from error

    @property
    def n_inputs(self) -> int:
        """The length of one flattened input.

        Raises
        ------
        UnsupportedModuleError
            If ``input_shape`` is not known.
        """
        if self.input_shape is None:
            raise UnsupportedModuleError(
                f"the number of inputs of {self!r} is not known; pass input_shape=."
            )
        return math.prod(self.input_shape)

    @property
    def n_outputs(self) -> int:
        """The length of one flattened output."""
        assert self.n_inputs
        return self.forward_pass.n_outputs

    @property
    @torch_defaults()
    def template(self) -> nn.Module:
        """A fresh copy of the module, on CPU, in evaluation mode, with all parameters 0."""
        return copy.deepcopy(self._module)

    def forward(self, weights, inputs, batch_size: int | None = None):
        """Run every model on the same inputs.

        Parameters
        ----------
        weights : array-like or Tensor of shape (n_models, n_weights)
            One row per model. A memory-mapped array is read a few models at a time.
        inputs : array-like or Tensor of shape (n_samples, n_inputs) or (n_samples, ...)
            The inputs that all models are run on.
        batch_size : int, optional
            Models per pass. By default as many as keep the activations in the processor's cache.

        Returns
        -------
        ndarray or Tensor of shape (n_models, n_samples, n_outputs)
            A float32 array for arrays; for tensors a tensor on their device, with gradients.

        Raises
        ------
        InvalidInputError
            If weights or inputs are of another shape or not finite real numbers, or ``batch_size``
            is below 1.
        """
        architecture = self.for_inputs(inputs, "inputs")
        with default_factories():
            return architecture.forward_pass.forward(weights, inputs, batch_size)

    def check_inputs(self, X, name: str = "X") -> np.ndarray:
        """Return inputs as float32 in the shape that the module takes.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_inputs) or (n_samples, ...)
            Inputs, flat or in the shape ``input_shape``. Axes of length 1 may be left out or
            added; axes in another order are refused.
        name : str, default="X"
            The name of the parameter, for error messages.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            The inputs in the shape ``input_shape``, not copied where they are float32 already.

        Raises
        ------
        InvalidInputError
            If the inputs have another shape, or are not finite real numbers.
        """
        inputs = as_real_array(X, name)
        shape = self.for_inputs(inputs, name)._inputs.check(inputs.shape[1:], name)
        return inputs.reshape(len(inputs), *shape)

    def for_inputs(self, X, name: str = "X") -> "Architecture":
        """Return this architecture with the ``input_shape`` that inputs have.

        An architecture whose ``input_shape`` is known is returned itself.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, ...)
            Inputs as the module takes them.
        name : str, default="X"
            The name of the parameter, for error messages.

        Returns
        -------
        Architecture
            An architecture with ``input_shape``.

        Raises
        ------
        InvalidInputError
            If the module does not take inputs of this shape.
        """
        if self.input_shape is not None:
            return self
        shape = self._inputs.check(np.shape(X)[1:], name)
        if shape not in self._with_shape:
            try:
                self._with_shape[shape] = Architecture(self._module, input_shape=shape)
            except UnsupportedModuleError as error:
                raise InvalidInputError(
                    f"{quoted(name)} has shape {np.shape(X)}: {error}"
                ) from error
        return self._with_shape[shape]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @cached_property
    def _identity(self) -> Identity:
        try:
            layers = step_identity(self.forward_pass.steps)
            if not is_chain(self._module):
                self.to_spec()  # verifies that the layers are all that the module does
        except UnsupportedModuleError:
            layers = None
        return identify_module(self._module, self.layout, self.input_shape, layers)

    def __repr__(self) -> str:
        ends = ["?", "?"]
        if self.input_shape is not None:
            ends = [" x ".join(map(str, self.input_shape)), str(self.n_outputs)]
        layers = [ends[0], *layer_names(self._module), ends[1]]
        return f"Architecture({' -> '.join(layers)}, n_weights={self.n_weights})"

    def _repr_html_(self) -> str:
        return architecture_html(repr(self), self.layout)
