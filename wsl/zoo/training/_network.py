"""Forward and backward passes of many models: layer by layer for known layers, else by autograd."""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from ...architectures import Architecture
from ...architectures._builders import SelectFeatures
from ...architectures.forward._context import Training, prefix
from ...architectures.forward._operations import is_plain_convolution
from ...architectures.tracing._trace import Step
from ._dropout import Dropout
from ._layers import (
    POINTWISE,
    ConvolutionLayer,
    DenseLayer,
    DropoutLayer,
    Layer,
    MaxPoolLayer,
    PointwiseLayer,
    SelectLayer,
)
from ._weight_buffer import Dense, Layout

RESHAPING = (nn.Flatten, nn.Unflatten)


class Network(Protocol):
    """The models of a chunk, bound to their weights and to one batch size."""

    @property
    def features(self) -> Tensor:
        """The inputs of the last layer in the last pass, ``(n_models, n_features, n_inputs)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(n_models, n_outputs, n_inputs)``.

        ``x`` is ``(n_models or 1, n_features + 1, n_inputs)``; its last feature is 1 everywhere.
        """

    def backward(self, delta: Tensor, in_features: Tensor | None = None) -> None:
        """Write the gradient of the weights from those of the outputs and of the features."""


class ExecutionPlan:
    """How an architecture is trained: its layers, if all are known, and the layout of weights."""

    def __init__(self, architecture: Architecture):
        self.architecture = architecture
        self.shapes: list[tuple[int, ...]] = []  # of one input, before each step and after the last
        self.steps = self._chain()
        self.layout = Layout(architecture, [_dense(s) for s in self.steps or () if _is_dense(s)])

    def _chain(self) -> tuple[Step, ...] | None:
        """Return the steps if they form a chain of distinct layers that are all known."""
        steps, shape = self.architecture.forward_pass.plan, self.architecture.input_shape
        if steps is None or shape is None:
            return None
        names = [step.name for step in steps if _has_parameters(step)]
        chained = all(step.sources == (index,) for index, step in enumerate(steps))
        if not chained or len(set(names)) < len(names):
            return None
        self.shapes = _shapes(steps, shape)
        supported = all(
            _has_layer(step, shape, first=index == 0)
            for index, (step, shape) in enumerate(zip(steps, self.shapes, strict=False))
        )
        return steps if supported else None

    def bind(
        self, weights: Tensor, gradient: Tensor, n_inputs: int, dropout: Dropout | None
    ) -> Network:
        """Return the network of the models that the flat tensor ``weights`` holds.

        Without ``dropout`` it runs in evaluation mode, forward only.
        """
        if self.steps is None:
            return AutogradNetwork(self, weights, gradient, dropout)
        return LayeredNetwork(self, weights, gradient, n_inputs, dropout)


def _shapes(steps: Sequence[Step], input_shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the shape of one input before each step and after the last."""
    values = [torch.zeros(2, *input_shape)]
    with torch.no_grad():
        for step in steps:
            values.append(step.layer(values[-1]))
    return [tuple(value.shape[1:]) for value in values]


def _has_layer(step: Step, shape: tuple[int, ...], first: bool) -> bool:
    """Return whether a step can be trained without autograd; ``shape`` is that of one input."""
    layer = step.layer
    if isinstance(layer, nn.Linear):
        return layer.bias is not None and len(shape) == 1
    if isinstance(layer, nn.Conv2d):
        return is_plain_convolution(layer)
    if isinstance(layer, SelectFeatures):
        return first
    return type(layer) in (*POINTWISE, *RESHAPING, nn.MaxPool2d, nn.Dropout)


def _is_dense(step: Step) -> bool:
    return isinstance(step.layer, nn.Linear)


def _dense(step: Step) -> Dense:
    n_out, n_in = step.layer.weight.shape
    return Dense(f"{prefix(step)}weight", f"{prefix(step)}bias", n_out, n_in)


class LayeredNetwork:
    """Layers one after another, each of which writes where the next one reads."""

    def __init__(self, execution_plan, weights: Tensor, gradient: Tensor, n_inputs: int, dropout):
        self._shapes = execution_plan.shapes
        steps = execution_plan.steps
        n_models = len(weights) // execution_plan.architecture.n_weights
        self._n_models, self._n_inputs = n_models, n_inputs
        self._layers: list[Layer] = []
        self._next_inputs: list[Tensor] = []  # the values of each layer, as the next one takes them
        self._step_indices: list[int] = []
        layout = execution_plan.layout
        parameters, gradients = layout.parameters(weights), layout.parameters(gradient)
        for index, step in enumerate(steps):
            if isinstance(step.layer, RESHAPING):
                continue
            out, next_inputs = self._memory(index, steps, weights)
            if _is_dense(step):
                dense = _dense(step)
                matrix, matrix_gradient = (
                    layout.blocks(flat)[dense.weight] for flat in (weights, gradient)
                )
                layer: Layer = DenseLayer(dense, matrix, matrix_gradient, out)
            else:
                layer = self._layer(index, step, parameters, gradients, out, dropout)
            self._layers.append(layer)
            self._next_inputs.append(next_inputs)
            self._step_indices.append(index)
        trained = [_has_parameters(steps[index]) for index in self._step_indices]
        self._first_trained = trained.index(True)
        self._starts_dense = _is_dense(steps[self._step_indices[0]])

    def _memory(self, index: int, steps: Sequence[Step], like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the memory of a step's values, and the same memory as the next layer takes it."""
        shape = self._shapes[index + 1]
        size = math.prod(shape)
        after = index + 1
        while after < len(steps) and isinstance(steps[after].layer, RESHAPING):
            after += 1
        if after < len(steps) and _is_dense(steps[after]):
            next_inputs = like.new_ones(self._n_models, size + 1, self._n_inputs)
            out = next_inputs[:, :size]
        else:
            out = like.new_empty(self._n_models, size, self._n_inputs)
            next_inputs = out.unflatten(1, self._shapes[after])
        return out.unflatten(1, shape), next_inputs

    def _layer(self, index: int, step: Step, parameters, gradients, out: Tensor, dropout) -> Layer:
        """Return the layer of a step that is not Linear, bound to its memory."""
        layer = step.layer
        x_shape = (self._n_models, *self._shapes[index], self._n_inputs)
        if isinstance(layer, nn.Conv2d):
            weight, bias = (
                (parameters[name], gradients[name]) if name in parameters else None
                for name in (f"{prefix(step)}weight", f"{prefix(step)}bias")
            )
            assert weight is not None
            return ConvolutionLayer(layer, weight, bias, x_shape[2:4], out)
        if isinstance(layer, nn.MaxPool2d):
            return MaxPoolLayer(layer, x_shape, out)
        if isinstance(layer, nn.Dropout):
            return DropoutLayer(layer, index, dropout, out)
        if isinstance(layer, SelectFeatures):
            return SelectLayer(layer, out)
        return PointwiseLayer(layer, out)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(n_models, n_outputs, n_inputs)``."""
        x = x.expand(self._n_models, -1, -1)
        if not self._starts_dense:
            x = x[:, :-1].unflatten(1, self._shapes[self._step_indices[0]])
        for layer, next_inputs in zip(self._layers, self._next_inputs, strict=True):
            layer.forward(x)
            x = next_inputs
        return x.flatten(1, -2)

    @property
    def features(self) -> Tensor:
        """The inputs of the last layer in the last pass, ``(n_models, n_features, n_inputs)``."""
        last = self._layers[-1]
        assert isinstance(last, DenseLayer)
        return last.x[:, :-1]

    def backward(self, delta: Tensor, in_features: Tensor | None = None) -> None:
        """Write the gradient of the weights from those of the outputs and of the features."""
        gradient: Tensor | None = delta
        for index in range(len(self._layers) - 1, self._first_trained - 1, -1):
            assert gradient is not None
            if in_features is not None and index == len(self._layers) - 2:
                gradient += in_features
            shape = (self._n_models, *self._shapes[self._step_indices[index] + 1], self._n_inputs)
            gradient = self._layers[index].backward(
                gradient.reshape(shape), inputs_too=index > self._first_trained
            )


def _has_parameters(step: Step) -> bool:
    return next(step.layer.parameters(), None) is not None


class AutogradNetwork:
    """Any other module, differentiated by torch's autograd."""

    def __init__(self, execution_plan, weights: Tensor, gradient: Tensor, dropout: Dropout | None):
        self._architecture, self._dropout = execution_plan.architecture, dropout
        self._parameters = execution_plan.layout.parameters(weights)
        gradients = execution_plan.layout.parameters(gradient)
        slices, n_trainable = self._architecture.slices, self._architecture.n_trainable
        names = [name for name in self._parameters if slices[name].stop <= n_trainable]
        self._leaves = {n: self._parameters[n].detach().requires_grad_() for n in names}
        self._gradients = [gradients[name] for name in names]
        self._outputs: Tensor | None = None
        self._last_inputs: Tensor | None = None  # of the last layer
        self._statistics: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(n_models, n_outputs, n_inputs)``."""
        training = None if self._dropout is None else Training(self._dropout)
        with torch.set_grad_enabled(training is not None):
            self._outputs = self._architecture.forward_pass.forward_parameters(
                self._parameters | self._leaves, x[:, :-1].mT, training, self._record_inputs
            )
        self._statistics = {} if training is None else training.statistics
        return self._outputs.detach().mT

    def _record_inputs(self, step: Step, inputs: list[Tensor]) -> None:
        """Keep the inputs of the step that was computed last."""
        self._last_inputs = inputs[0]

    @property
    def features(self) -> Tensor:
        """The inputs of the last layer in the last pass, ``(n_models, n_features, n_inputs)``."""
        assert self._outputs is not None
        assert self._last_inputs is not None
        return self._last_inputs.detach().expand(len(self._outputs), -1, -1)

    def backward(self, delta: Tensor, in_features: Tensor | None = None) -> None:
        """Write the gradient of the weights, and running statistics."""
        assert self._outputs is not None
        values, value_gradients = [self._outputs], [delta.mT]
        inputs = self._last_inputs
        if in_features is not None and inputs is not None and inputs.requires_grad:
            values.append(inputs)
            value_gradients.append(in_features)
        computed = torch.autograd.grad(
            values, list(self._leaves.values()), value_gradients, materialize_grads=True
        )
        self._outputs = self._last_inputs = None
        for target, gradient in zip(self._gradients, computed, strict=True):
            target.copy_(gradient)
        for name, value in self._statistics.items():  # not before: backward reads the old ones
            self._parameters[name].copy_(value)
