"""Template modules of multi-layer perceptrons and CNNs, as plain ``nn.Sequential`` networks.

Torch draws weights for every layer; the state of its global generator is restored.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor, nn

from .._random import isolated_torch_rng
from .._torch_defaults import torch_defaults
from .._validation import check_hidden_layer_sizes
from ..exceptions import InvalidInputError, UnsupportedModuleError

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "identity": nn.Identity,
}


class SelectFeatures(nn.Module):
    """Selects columns of the input, for models that take all columns and use some."""

    def __init__(self, n_features: int, columns: Sequence[int]):
        super().__init__()
        self.n_features = n_features
        self.columns = list(columns)
        if not self.columns or not all(0 <= column < n_features for column in self.columns):
            raise InvalidInputError(
                f"`features` must be one or more indices below {n_features}; got {self.columns}."
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the columns of ``(..., n_features)``."""
        return inputs[..., self.columns]

    def extra_repr(self) -> str:
        """Show what makes two such layers differ."""
        return f"{self.n_features}, {self.columns}"


def activation_class(name: str) -> type[nn.Module]:
    """Return the module class of a named activation."""
    if name not in ACTIVATIONS:
        raise InvalidInputError(f"`activation` must be one of {sorted(ACTIVATIONS)}; got {name!r}.")
    return ACTIVATIONS[name]


def replace_activations(module: nn.Module, activation: str) -> nn.Module:
    """Replace every activation layer by the named one, in place, and return the module."""
    new, kinds = activation_class(activation), tuple(ACTIVATIONS.values())
    found = [
        (parent, name)
        for parent in module.modules()
        for name, child in parent.named_children()
        if isinstance(child, kinds)
    ]
    if not found:
        raise UnsupportedModuleError(
            f"a module must have layers among {sorted(kind.__name__ for kind in kinds)} to take "
            f"another activation; got a {type(module).__name__} without any."
        )
    for parent, name in found:
        setattr(parent, name, new())
    return module


@torch_defaults()
@isolated_torch_rng()
def build_mlp(
    n_inputs: int,
    hidden_layer_sizes: int | Sequence[int],
    n_outputs: int,
    activation: str,
    features: Sequence[int] | None = None,
    dropout: float | None = None,
) -> nn.Sequential:
    """Return Linear layers with activations between them, and a linear output."""
    act, hidden = activation_class(activation), check_hidden_layer_sizes(hidden_layer_sizes)
    if dropout is not None and not 0 <= dropout <= 1:
        raise InvalidInputError(f"`dropout` must be a probability or None; got {dropout}.")
    drop = [] if dropout is None else [nn.Dropout(dropout)]
    layers: list[nn.Module] = [] if features is None else [SelectFeatures(n_inputs, features)]
    widths = [n_inputs if features is None else len(features), *hidden, n_outputs]
    for fan_in, fan_out in pairwise(widths[:-1]):
        layers += [nn.Linear(fan_in, fan_out), act(), *drop]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


@torch_defaults()
@isolated_torch_rng()
def build_cnn(
    image_shape: tuple[int, int, int],
    channels: Sequence[int],
    hidden_layer_sizes: int | Sequence[int],
    n_outputs: int,
    kernel_size: int | Sequence[int],
    pool: int | Sequence[int],
    activation: str,
    dropout: float | None = None,
) -> nn.Sequential:
    """Return convolution, activation and max-pooling blocks, a flatten, and an MLP head.

    Inputs are flat rows, ``(n_samples, channels * height * width)``, as scikit-learn keeps images.
    A block whose image is smaller than the pooling window is not pooled.
    """
    act = activation_class(activation)
    n_channels, height, width = image_shape
    layers: list[nn.Module] = [nn.Unflatten(1, tuple(image_shape))]
    kernels = _for_each(kernel_size, len(channels), "kernel_size")
    pools = _for_each(pool, len(channels), "pool")
    for n_out, kernel, window in zip(channels, kernels, pools, strict=True):
        height, width = height - kernel + 1, width - kernel + 1
        if min(height, width) < 1:
            raise InvalidInputError(
                f"`channels` must have fewer convolutions for an image of {image_shape[1]} x "
                f"{image_shape[2]} and kernel_size={kernel_size}; got {list(channels)}."
            )
        layers += [nn.Conv2d(n_channels, n_out, kernel), act()]
        if window > 1 and min(height, width) >= window:
            layers.append(nn.MaxPool2d(window))
            height, width = height // window, width // window
        n_channels = n_out
    n_inputs = n_channels * height * width
    head = build_mlp(n_inputs, hidden_layer_sizes, n_outputs, activation, dropout=dropout)
    return nn.Sequential(*layers, nn.Flatten(), *head)


def _for_each(value: int | Sequence[int], n_layers: int, name: str) -> list[int]:
    """Return one value per convolution."""
    values = [int(value)] * n_layers if isinstance(value, (int, np.integer)) else list(value)
    if len(values) != n_layers or not all(v >= 1 for v in values):
        raise InvalidInputError(
            f"`{name}` must be an int of at least 1, or {n_layers} of them, one per entry of "
            f"`channels`; got {value}."
        )
    return values
