"""Pooling of many models' images at once, on values with the inputs last, in plain torch.

With the inputs as channels, these values are in torch's channels-last memory format, for which its
own pooling is fast.
"""

from torch import Tensor, nn


def pool(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a max, average or adaptive pooling layer of torch, in one or two dimensions.

    Parameters
    ----------
    layer : nn.Module
    x : Tensor of shape (n_models, n_channels, *positions, n_inputs)

    Returns
    -------
    Tensor of shape (n_models, n_channels, *pooled_positions, n_inputs)
    """
    return inputs_last(layer(inputs_as_channels(x)), len(x))


def inputs_as_channels(x: Tensor) -> Tensor:
    """View ``(n_models, n_channels, *positions, n_inputs)`` as ``(-1, n_inputs, *positions)``."""
    return x.flatten(0, 1).movedim(-1, 1)


def inputs_last(x: Tensor, n_models: int) -> Tensor:
    """Reverse ``inputs_as_channels``."""
    return x.movedim(1, -1).unflatten(0, (n_models, -1))
