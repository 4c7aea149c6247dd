"""Networks that several benchmarks use, their work, and the peak of the machine."""

import time

import torch
from torch import nn

from wsl import Architecture

# The CNN of the MNIST zoos of Schuerholt et al. (2022).
MNIST_CNN = Architecture.cnn(
    (1, 28, 28), [8, 6, 4], [20], 10, kernel_size=[5, 5, 2], pool=[2, 2, 1]
)


def multiplications(architecture: Architecture, training: bool = False) -> int:
    """Return the multiplications of one forward pass on one input.

    With ``training``, those of a step: the backward pass multiplies as much for the weights, and
    for the values of each layer but the first.
    """
    counts: list[int] = []

    def record(layer: nn.Module, args, output) -> None:
        counts.append(output.numel() * layer.weight[0].numel())

    module = architecture.template
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            layer.register_forward_hook(record)
    with torch.no_grad():
        module(torch.zeros(1, *architecture.input_shape))
    return 3 * sum(counts) - counts[0] if training else sum(counts)


def peak_gflops(size: int, repeats: int = 20) -> float:
    """Return the speed of one large matrix product in float32, the best of several."""
    a, b = torch.rand(2, size, size)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2e-9 * size**3 / min(seconds)
