"""One step of many models, forward and backward: layer by layer where each layer is known here.

Plain torch. Other modules run under autograd. How weights lie in memory is for ``_memory``, what is
minimised for ``_engine``.
"""

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
        """What the last layer took in the last pass, ``(n_models, n_features, n_inputs)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(n_models, n_outputs, n_inputs)``.

        ``x`` is ``(n_models or 1, n_features + 1, n_inputs)``; its last feature is 1 everywhere.
        """

    def backward(self, delta: Tensor, in_features: Tensor | None = None) -> None:
        """Write the gradient in the weights from that in the outputs and that in the features."""


class ExecutionPlan:
    """How an architecture is trained: its steps, if each has a layer here, and its layout."""

    def __init__(self, architecture: Architecture):
        self.architecture = architecture
        self.shapes: list[tuple[int, ...]] = []  # of one input, before each step and after the last
        self.steps = self._chain()
        self.layout = Layout(architecture, [_dense(s) for s in self.steps or () if _is_dense(s)])

    def _chain(self) -> tuple[Step, ...] | None:
        """Return the steps if they follow one another and each has a layer here of its own."""
        steps, shape = self.architecture.forward_pass.plan, self.architecture.input_shape
        if steps is None or shape is None:
            return None
        names = [step.name for step in steps if _has_parameters(step)]
        chained = all(step.sources == (place,) for place, step in enumerate(steps))
        if not chained or len(set(names)) < len(names):
            return None
        self.shapes = _shapes(steps, shape)
        known = all(
            _has_layer(step, shape, first=place == 0)
            for place, (step, shape) in enumerate(zip(steps, self.shapes, strict=False))
        )
        return steps if known else None

    def bind(
        self, weights: Tensor, gradient: Tensor, n_inputs: int, dropout: Dropout | None
    ) -> Network:
        """Return the network of the models whose weights lie in ``weights``.

        Without ``dropout`` it runs in evaluation mode, forward only.
        """
        if self.steps is None:
            return AutogradNetwork(self, weights, gradient, dropout)
        return LayeredNetwork(self, weights, gradient, n_inputs, dropout)


def _shapes(steps: Sequence[Step], input_shape: Sequence[int]) -> list[tuple[int, ...]]:
    values = [torch.zeros(2, *input_shape)]
    with torch.no_grad():
        for step in steps:
            values.append(step.layer(values[-1]))
    return [tuple(value.shape[1:]) for value in values]


def _has_layer(step: Step, shape: tuple[int, ...], first: bool) -> bool:
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
    """Layers one after another, each writing where the next one reads."""

    def __init__(self, blueprint, weights: Tensor, gradient: Tensor, n_inputs: int, dropout):
        self._shapes = blueprint.shapes
        steps = blueprint.steps
        n_models = len(weights) // blueprint.architecture.n_weights
        self._n_models, self._n_inputs = n_models, n_inputs
        self._layers: list[Layer] = []
        self._taken: list[Tensor] = []  # what each layer but the first takes
        self._places: list[int] = []
        layout = blueprint.layout
        parameters, slopes = layout.parameters(weights), layout.parameters(gradient)
        for place, step in enumerate(steps):
            if isinstance(step.layer, RESHAPING):
                continue
            out, taken = self._memory(place, steps, weights)
            if _is_dense(step):
                dense = _dense(step)
                matrix, slope = (layout.blocks(flat)[dense.weight] for flat in (weights, gradient))
                layer: Layer = DenseLayer(dense, matrix, slope, out)
            else:
                layer = self._layer(place, step, parameters, slopes, out, dropout)
            self._layers.append(layer)
            self._taken.append(taken)
            self._places.append(place)
        first = next(i for i, place in enumerate(self._places) if _has_parameters(steps[place]))
        self._first = first
        self._starts_dense = _is_dense(steps[self._places[0]])

    def _memory(self, place: int, steps: Sequence[Step], like: Tensor) -> tuple[Tensor, Tensor]:
        """Return where a step's values go, and the same memory as the next layer takes it."""
        shape = self._shapes[place + 1]
        size = math.prod(shape)
        after = place + 1
        while after < len(steps) and isinstance(steps[after].layer, RESHAPING):
            after += 1
        if after < len(steps) and _is_dense(steps[after]):
            taken = like.new_ones(self._n_models, size + 1, self._n_inputs)
            out = taken[:, :size]
        else:
            out = like.new_empty(self._n_models, size, self._n_inputs)
            taken = out.unflatten(1, self._shapes[after])
        return out.unflatten(1, shape), taken

    def _layer(self, place: int, step: Step, parameters, slopes, out: Tensor, dropout) -> Layer:
        layer = step.layer
        x_shape = (self._n_models, *self._shapes[place], self._n_inputs)
        if isinstance(layer, nn.Conv2d):
            weight, bias = (
                (parameters[name], slopes[name]) if name in parameters else None
                for name in (f"{prefix(step)}weight", f"{prefix(step)}bias")
            )
            assert weight is not None
            return ConvolutionLayer(layer, weight, bias, x_shape[2:4], out)
        if isinstance(layer, nn.MaxPool2d):
            return MaxPoolLayer(layer, x_shape, out)
        if isinstance(layer, nn.Dropout):
            return DropoutLayer(layer, place, dropout, out)
        if isinstance(layer, SelectFeatures):
            return SelectLayer(layer, out)
        return PointwiseLayer(layer, out)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(n_models, n_outputs, n_inputs)``."""
        x = x.expand(self._n_models, -1, -1)
        if not self._starts_dense:
            x = x[:, :-1].unflatten(1, self._shapes[self._places[0]])
        for layer, taken in zip(self._layers, self._taken, strict=True):
            layer.forward(x)
            x = taken
        return x.flatten(1, -2)

    @property
    def features(self) -> Tensor:
        """What the last layer took in the last pass, ``(n_models, n_features, n_inputs)``."""
        last = self._layers[-1]
        assert isinstance(last, DenseLayer)
        return last.x[:, :-1]

    def backward(self, delta: Tensor, in_features: Tensor | None = None) -> None:
        """Write the gradient in the weights from that in the outputs and that in the features."""
        following: Tensor | None = delta
        for index in range(len(self._layers) - 1, self._first - 1, -1):
            assert following is not None
            if in_features is not None and index == len(self._layers) - 2:
                following += in_features
            shape = (self._n_models, *self._shapes[self._places[index] + 1], self._n_inputs)
            following = self._layers[index].backward(
                following.reshape(shape), wanted=index > self._first
            )


def _has_parameters(step: Step) -> bool:
    return next(step.layer.parameters(), None) is not None


class AutogradNetwork:
    """Any other module: its forward pass recorded, its gradient torch's own."""

    def __init__(self, blueprint, weights: Tensor, gradient: Tensor, dropout: Dropout | None):
        self._architecture, self._dropout = blueprint.architecture, dropout
        self._parameters = blueprint.layout.parameters(weights)
        slopes = blueprint.layout.parameters(gradient)
        places = self._architecture.slices
        n_trainable = self._architecture.n_trainable
        names = [name for name in self._parameters if places[name].stop <= n_trainable]
        self._leaves = {n: self._parameters[n].detach().requires_grad_() for n in names}
        self._slopes = [slopes[name] for name in names]
        self._outputs: Tensor | None = None
        self._taken: Tensor | None = None  # by the last layer
        self._statistics: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(n_models, n_outputs, n_inputs)``."""
        training = None if self._dropout is None else Training(self._dropout)
        with torch.set_grad_enabled(training is not None):
            self._outputs = self._architecture.forward_pass.forward_parameters(
                self._parameters | self._leaves, x[:, :-1].mT, training, self._note
            )
        self._statistics = {} if training is None else training.statistics
        return self._outputs.detach().mT

    def _note(self, step: Step, taken: list[Tensor]) -> None:
        self._taken = taken[0]

    @property
    def features(self) -> Tensor:
        """What the last layer took in the last pass, ``(n_models, n_features, n_inputs)``."""
        assert self._outputs is not None
        assert self._taken is not None
        return self._taken.detach().expand(len(self._outputs), -1, -1)

    def backward(self, delta: Tensor, in_features: Tensor | None = None) -> None:
        """Write the gradient in the weights, and running statistics."""
        assert self._outputs is not None
        values, slopes_of_values = [self._outputs], [delta.mT]
        if in_features is not None and self._taken is not None and self._taken.requires_grad:
            values.append(self._taken)
            slopes_of_values.append(in_features)
        slopes = torch.autograd.grad(
            values, list(self._leaves.values()), slopes_of_values, materialize_grads=True
        )
        self._outputs = self._taken = None
        for place, slope in zip(self._slopes, slopes, strict=True):
            place.copy_(slope)
        for name, value in self._statistics.items():  # not before: backward reads what they lie in
            self._parameters[name].copy_(value)
