"""Layers of many models, forward and backward without autograd, in memory that is reused.

Values are ``(n_models, *features, n_inputs)``. Each layer is bound once to its weights, their
gradient and its values, so that a step allocates little memory.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from ...architectures._builders import SelectFeatures
from ...architectures.forward._convolution import Grid, fold, unfold
from ...architectures.forward._pooling import inputs_as_channels
from ._dropout import Dropout
from ._weight_buffer import Dense

aten = torch.ops.aten


class Layer(Protocol):
    """A layer of a chunk of models, bound to its memory."""

    def forward(self, x: Tensor) -> None:
        """Compute the layer's values from its inputs."""

    def backward(self, delta: Tensor, inputs_too: bool) -> Tensor | None:
        """Write the gradient of the weights; return that of the inputs if ``inputs_too``."""


class DenseLayer:
    """A Linear layer. Its inputs ``x`` have a last row of ones, which multiplies the bias."""

    x: Tensor

    def __init__(self, dense: Dense, matrix: Tensor, gradient: Tensor, out: Tensor):
        self._dense, self._gradient = dense, gradient
        self._by_output = matrix.mT if dense.inputs_first else matrix
        self._weight = dense.views(matrix)[dense.weight].mT  # (n_models, n_in, n_out)
        n_models, _, n_inputs = out.shape
        self._out = out
        self._product = contiguous_like(out)
        self._delta = out.new_empty(n_models, dense.n_in, n_inputs)

    def forward(self, x: Tensor) -> None:
        """Compute the layer's values from its inputs."""
        self.x = x
        torch.bmm(self._by_output, x, out=self._product)
        if self._product is not self._out:
            self._out.copy_(self._product)

    def backward(self, delta: Tensor, inputs_too: bool) -> Tensor | None:
        """Write the gradient of the weights; return that of the inputs if ``inputs_too``."""
        left, right = (self.x, delta) if self._dense.inputs_first else (delta, self.x)
        torch.bmm(left, right.mT, out=self._gradient)
        if not inputs_too:
            return None
        product = torch.mul if self._dense.n_out == 1 else torch.bmm
        return product(self._weight, delta, out=self._delta)


class ConvolutionLayer:
    """A Conv2d of one group.

    Images are unfolded along their width, and each row of the kernel is multiplied with a view of
    the unfolded images.
    """

    def __init__(
        self,
        layer: nn.Conv2d,
        weight: tuple[Tensor, Tensor],
        bias: tuple[Tensor, Tensor] | None,
        image: tuple[int, int],
        out: Tensor,
    ):
        self._weight, self._weight_gradient = weight
        self._bias = None if bias is None else bias[0]
        self._bias_gradient = None if bias is None else bias[1]
        n_models, n_out, n_in, *kernel = self._weight.shape
        top, left = (int(pad) for pad in layer.padding)
        height, width = image[0] + 2 * top, image[1] + 2 * left
        self._inside = (slice(top, height - top), slice(left, width - left))
        self._grid = Grid((height, width), kernel, layer.stride, layer.dilation)
        n_inputs = out.shape[-1]
        images = (n_models, n_in, height, width, n_inputs)
        self._padded = out.new_zeros(images) if top or left else None
        self._delta = out.new_empty(images)
        self._unfolded = out.new_empty(n_models, n_in, kernel[1], height, *out.shape[3:])
        self._delta_unfolded = torch.empty_like(self._unfolded)
        self._rows = out.new_empty(kernel[0], n_models, n_out, n_in * kernel[1])
        self._rows_gradient = torch.empty_like(self._rows)
        self._out = out
        self._product = contiguous_like(out)
        self._row_delta = out.new_empty(n_models, n_in * kernel[1], out[0, 0].numel())

    def _as_weight(self, rows: Tensor) -> Tensor:
        """View the rows of the kernels as the weight ``(n_models, n_out, n_in, *kernel)``."""
        return rows.unflatten(3, (self._weight.shape[2], -1)).permute(1, 2, 3, 0, 4)

    def _by_row(self, unfolded: Tensor) -> list[Tensor]:
        """Return the inputs of each kernel row, ``(n_models, n_in * kernel width, positions)``."""
        return [unfolded[:, :, rows].flatten(2) for rows in self._grid.rows]

    def forward(self, x: Tensor) -> None:
        """Compute the layer's values from its inputs."""
        if self._padded is not None:
            self._padded[:, :, *self._inside] = x
            x = self._padded
        self._row_inputs = self._by_row(unfold(x, self._grid, self._unfolded))
        self._as_weight(self._rows).copy_(self._weight)
        product = self._product.flatten(2)
        for i, inputs in enumerate(self._row_inputs):
            if i == 0:
                torch.bmm(self._rows[0], inputs, out=product)
            else:
                product.baddbmm_(self._rows[i], inputs)
        if self._bias is not None:
            product += self._bias[:, :, None]
        if self._product is not self._out:
            self._out.copy_(self._product)

    def backward(self, delta: Tensor, inputs_too: bool) -> Tensor | None:
        """Write the gradient of the weights; return that of the inputs if ``inputs_too``."""
        delta = delta.flatten(2)
        for i, inputs in enumerate(self._row_inputs):
            torch.bmm(delta, inputs.mT, out=self._rows_gradient[i])
        self._weight_gradient.copy_(self._as_weight(self._rows_gradient))
        if self._bias_gradient is not None:
            torch.sum(delta, 2, out=self._bias_gradient)
        return self._fold(delta) if inputs_too else None

    def _fold(self, delta: Tensor) -> Tensor:
        """Return the gradient of the inputs from that of the values."""
        unfolded = self._delta_unfolded.zero_().flatten(1, 2)
        for i, rows in enumerate(self._grid.rows):
            torch.bmm(self._rows[i].mT, delta, out=self._row_delta)
            target = unfolded[:, :, rows]
            target += self._row_delta.view(target.shape)
        images = fold(unfolded, self._delta.zero_(), self._grid)
        return images[:, :, *self._inside]


class MaxPoolLayer:
    """A MaxPool2d by torch's own kernels; the gradient goes to the first of several maxima."""

    def __init__(self, layer: nn.MaxPool2d, x_shape: Sequence[int], out: Tensor):
        self._options = (
            *(_pair(v) for v in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)),
            layer.ceil_mode,
        )
        self._out, self._largest = out, contiguous_like(out)
        self._delta = out.new_empty(x_shape)
        self._indices = inputs_as_channels(torch.empty_like(self._largest, dtype=torch.int64))

    def forward(self, x: Tensor) -> None:
        """Compute the layer's values from its inputs."""
        self._x = inputs_as_channels(x)
        results = {"out": inputs_as_channels(self._largest), "indices": self._indices}
        aten.max_pool2d_with_indices.out(self._x, *self._options, **results)
        if self._largest is not self._out:
            self._out.copy_(self._largest)

    def backward(self, delta: Tensor, inputs_too: bool) -> Tensor | None:
        """Return the gradient of the layer's inputs."""
        aten.max_pool2d_with_indices_backward.grad_input(
            inputs_as_channels(delta.contiguous()),
            self._x,
            *self._options,
            self._indices,
            grad_input=inputs_as_channels(self._delta),
        )
        return self._delta


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def contiguous_like(out: Tensor) -> Tensor:
    """Return ``out`` if a product can be written into it, else new memory of its shape."""
    return (
        out if out.is_contiguous() else torch.empty_like(out, memory_format=torch.contiguous_format)
    )


# activation -> its value, and its gradient from (delta, output, input), which may overwrite delta
_POINTWISE: dict[type[nn.Module], tuple[Callable, Callable]] = {
    nn.ReLU: (
        lambda layer, x, out: torch.clamp_min(x, 0, out=out),
        lambda layer, delta, out, x: aten.threshold_backward.grad_input(
            delta, out, 0, grad_input=delta
        ),
    ),
    nn.Tanh: (
        lambda layer, x, out: torch.tanh(x, out=out),
        lambda layer, delta, out, x: aten.tanh_backward.grad_input(delta, out, grad_input=delta),
    ),
    nn.Sigmoid: (
        lambda layer, x, out: torch.sigmoid(x, out=out),
        lambda layer, delta, out, x: aten.sigmoid_backward.grad_input(delta, out, grad_input=delta),
    ),
    nn.Identity: (
        lambda layer, x, out: out.copy_(x),
        lambda layer, delta, out, x: delta,
    ),
    nn.GELU: (
        lambda layer, x, out: out.copy_(layer(x)),
        lambda layer, delta, out, x: aten.gelu_backward(delta, x, approximate=layer.approximate),
    ),
    nn.SiLU: (
        lambda layer, x, out: out.copy_(layer(x)),
        lambda layer, delta, out, x: aten.silu_backward(delta, x),
    ),
    nn.LeakyReLU: (
        lambda layer, x, out: out.copy_(layer(x)),
        lambda layer, delta, out, x: aten.leaky_relu_backward(
            delta, x, layer.negative_slope, False
        ),
    ),
}
POINTWISE = tuple(_POINTWISE)


class PointwiseLayer:
    """An activation function."""

    def __init__(self, layer: nn.Module, out: Tensor):
        self._layer, self._out = layer, out
        self._value, self._derivative = _POINTWISE[type(layer)]

    def forward(self, x: Tensor) -> None:
        """Compute the layer's values from its inputs."""
        self._x = x
        self._value(self._layer, x, self._out)

    def backward(self, delta: Tensor, inputs_too: bool) -> Tensor | None:
        """Return the gradient of the layer's inputs."""
        return self._derivative(self._layer, delta, self._out, self._x)


class DropoutLayer:
    """A Dropout layer with a mask per model; without ``dropout`` it drops nothing."""

    def __init__(self, layer: nn.Dropout, index: int, dropout: Dropout | None, out: Tensor):
        self._p, self._index, self._dropout, self._out = layer.p, index, dropout, out

    def forward(self, x: Tensor) -> None:
        """Compute the layer's values from its inputs."""
        if self._dropout is None:
            self._out.copy_(x)
            return
        self._mask = self._dropout.mask(self._out.shape, self._p, self._index)
        torch.mul(x, self._mask, out=self._out)

    def backward(self, delta: Tensor, inputs_too: bool) -> Tensor | None:
        """Return the gradient of the layer's inputs."""
        return delta * self._mask


class SelectLayer:
    """A selection of input columns. It is the first layer, so its inputs need no gradient."""

    def __init__(self, layer: SelectFeatures, out: Tensor):
        self._columns, self._out = layer.columns, out

    def forward(self, x: Tensor) -> None:
        """Compute the layer's values from its inputs."""
        self._out.copy_(x[:, self._columns])

    def backward(self, delta: Tensor, inputs_too: bool) -> Tensor | None:
        """Return None, as no layer precedes."""
        return None
