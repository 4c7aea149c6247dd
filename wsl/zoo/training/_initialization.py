"""Starting weights of models, each drawn from its own seed."""

import math
from functools import lru_cache

import numpy as np
from torch import nn

from ...architectures import Architecture

# scheme -> (how weights are drawn, gain: their bound or standard deviation is gain / sqrt(fan_in))
SCHEMES: dict[str, tuple[str, float]] = {
    "default": ("uniform", 1.0),
    "kaiming_uniform": ("uniform", math.sqrt(6)),
    "kaiming_normal": ("normal", math.sqrt(2)),
    "lecun_uniform": ("uniform", math.sqrt(3)),
    "lecun_normal": ("normal", 1.0),
}


def initial_row(architecture: Architecture, scheme: str, rng: np.random.Generator) -> np.ndarray:
    """Draw one model's starting weights, ``(n_weights,)`` float32.

    ``"default"`` is the initialization of torch's Linear and Conv layers: weights and biases
    uniform within 1 / sqrt(fan_in). The other schemes start biases at 0. The gains of normalization
    layers and the running variances start at 1.
    """
    kind, gain = SCHEMES[scheme]
    n_weights = architecture.n_weights
    draws = rng.uniform(-1, 1, n_weights) if kind == "uniform" else rng.standard_normal(n_weights)
    scale, shift = _scale_and_shift(architecture, gain, biases=scheme == "default")
    return (draws * scale + shift).astype(np.float32)


@lru_cache(maxsize=16)  # the same for every model of a zoo
def _scale_and_shift(
    architecture: Architecture, gain: float, biases: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return what draws are multiplied with and what is added, each ``(n_weights,)``."""
    scale, shift = np.zeros(architecture.n_weights), np.zeros(architecture.n_weights)
    for prefix, layer in architecture.template.named_modules():
        parameters = dict(layer.named_parameters(recurse=False))
        matrices = [p for p in parameters.values() if p.ndim > 1]
        for name, parameter in parameters.items():
            columns = architecture.slices[f"{prefix}.{name}" if prefix else name]
            if parameter.ndim > 1:
                scale[columns] = gain / math.sqrt(parameter[0].numel())
            elif matrices and biases:
                scale[columns] = 1 / math.sqrt(matrices[0][0].numel())
            elif not matrices and name == "weight":
                shift[columns] = 0.25 if isinstance(layer, nn.PReLU) else 1.0
        for name, _ in layer.named_buffers(prefix, recurse=False):
            if name in architecture.slices and name.endswith("running_var"):
                shift[architecture.slices[name]] = 1.0
    return scale, shift
