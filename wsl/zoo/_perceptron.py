"""Forward and backward passes of many multi-layer perceptrons, without autograd.

Plain torch. On small networks autograd's own calls take most of a step, and it takes the slow one
of two equal batched products: the side with more columns belongs last.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..architectures import Architecture

# activation -> gradient in its input, from the gradient in its output and the output itself
_BACKWARD: dict[type[nn.Module], Callable[[Tensor, Tensor], Tensor]] = {
    nn.Identity: lambda delta, output: delta,
    nn.ReLU: lambda delta, output: torch.ops.aten.threshold_backward(delta, output, 0),
    nn.Tanh: torch.ops.aten.tanh_backward,
    nn.Sigmoid: torch.ops.aten.sigmoid_backward,
}


@dataclass(frozen=True)
class _Layer:
    n_in: int
    n_out: int
    weight: slice
    bias: slice
    activation: nn.Module


class Perceptron:
    """Linear layers with biases and simple activations between, all models at once."""

    def __init__(self, layers: list[_Layer]):
        self._layers = layers

    @classmethod
    def of(cls, architecture: Architecture) -> "Perceptron | None":
        """Return the fast form of an architecture, None where it has none."""
        children = list(architecture.template.named_children())
        if not isinstance(architecture.template, nn.Sequential) or len(children) % 2 == 0:
            return None
        layers = []
        for (name, linear), (_, activation) in zip(
            children[::2], [*children[1::2], ("", nn.Identity())], strict=True
        ):
            if type(linear) is not nn.Linear or linear.bias is None:
                return None
            if type(activation) not in _BACKWARD:
                return None
            places = architecture.slices[f"{name}.weight"], architecture.slices[f"{name}.bias"]
            layers.append(_Layer(linear.in_features, linear.out_features, *places, activation))
        return cls(layers)

    def forward(self, weights: Tensor, inputs: Tensor) -> list[Tensor]:
        """Return the inputs and each layer's outputs, ``(n_models, n_inputs, width)``.

        ``inputs`` is ``(n_models, n_inputs, n_features)``, or ``(1, ...)`` if shared.
        """
        trace = [inputs.expand(len(weights), *inputs.shape[1:])]
        for layer in self._layers:
            weight = weights[:, layer.weight].unflatten(1, (layer.n_out, layer.n_in))
            bias = weights[:, None, layer.bias]
            trace.append(layer.activation(torch.baddbmm(bias, trace[-1], weight.mT)))
        return trace

    def backward(self, weights: Tensor, trace: list[Tensor], delta: Tensor) -> Tensor:
        """Return the gradient ``(n_models, n_weights)`` from ``delta``, that in the outputs."""
        gradient = torch.empty_like(weights)
        for index in reversed(range(len(self._layers))):
            layer, inputs = self._layers[index], trace[index]
            shape = (layer.n_out, layer.n_in)
            own = gradient[:, layer.weight].unflatten(1, shape)
            if layer.n_out < layer.n_in:
                own.copy_(torch.bmm(delta.mT, inputs))
            else:
                own.copy_(torch.bmm(inputs.mT, delta).mT)
            gradient[:, layer.bias] = delta.sum(1)
            if index > 0:
                weight = weights[:, layer.weight].unflatten(1, shape)
                product = torch.mul if layer.n_out == 1 else torch.bmm
                # into memory laid out as the outputs are: the next step is slow on mixed layouts
                delta = product(delta, weight, out=torch.empty_like(inputs))
                delta = _BACKWARD[type(self._layers[index - 1].activation)](delta, inputs)
        return gradient
