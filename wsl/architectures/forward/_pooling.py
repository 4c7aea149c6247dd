"""Pooling of many models' images at once, on values with the inputs last.

Plain torch: with the inputs in the place of channels, these values are what torch calls
channels-last, for which its own pooling runs over whole runs of memory.
"""

from torch import Tensor, nn


def pool(layer: nn.Module, x: Tensor) -> Tensor:
    """Pool as ``layer`` does.

    Parameters
    ----------
    layer : a max-, average- or adaptive pooling layer of torch, in one or two dimensions
    x : Tensor ``(n_models, n_channels, *places, n_inputs)``

    Returns
    -------
    Tensor ``(n_models, n_channels, *pooled places, n_inputs)``
    """
    return inputs_last(layer(inputs_as_channels(x)), len(x))


def inputs_as_channels(x: Tensor) -> Tensor:
    """View ``(n_models, n_channels, *places, n_inputs)`` as ``(rows, n_inputs, *places)``."""
    return x.flatten(0, 1).movedim(-1, 1)


def inputs_last(x: Tensor, n_models: int) -> Tensor:
    """Undo ``inputs_as_channels``."""
    return x.movedim(1, -1).unflatten(0, (n_models, -1))
