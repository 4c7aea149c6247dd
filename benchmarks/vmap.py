"""Outputs and gradients of many models: ``Architecture.forward`` against torch's own ``vmap``.

``python -m benchmarks.vmap [--models N]``

``vmap`` over a convolution is a grouped convolution; ``forward`` unfolds images and multiplies.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from benchmarks._machine import describe_machine
from benchmarks._networks import MNIST_CNN
from wsl import Architecture

ARCHITECTURES = {
    "64-32-10": Architecture.mlp(64, [32], 10),
    "digits CNN": Architecture.cnn((1, 8, 8), [6, 9], [20], 10),
    "MNIST CNN": MNIST_CNN,
}


def by_vmap(architecture: Architecture, weights: Tensor, inputs: Tensor) -> Tensor:
    """Run all rows on the inputs under ``vmap``."""
    module = architecture.template

    def one_model(parameters: dict[str, Tensor]) -> Tensor:
        return functional_call(module, parameters, (inputs,))

    return vmap(one_model)(architecture.layout.parameters(weights))


def by_forward(architecture: Architecture, weights: Tensor, inputs: Tensor) -> Tensor:
    """Run all rows on the inputs by batched products."""
    return architecture.forward(weights, inputs)


def gradient(run: Callable, architecture: Architecture, weights: Tensor, inputs: Tensor) -> Tensor:
    """Return the gradient of the outputs' mean square in the rows."""
    leaf = weights.clone().requires_grad_()
    run(architecture, leaf, inputs).square().mean().backward()
    return leaf.grad


def outputs(run: Callable, architecture: Architecture, weights: Tensor, inputs: Tensor) -> Tensor:
    """Return the outputs alone."""
    with torch.no_grad():
        return run(architecture, weights, inputs)


def least_seconds(function: Callable, *arguments, repeats: int = 5) -> tuple[float, Tensor]:
    """Return the least time of several runs, after a first one, and the result."""
    result, seconds = function(*arguments), []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vmap",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", type=int, default=32)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(describe_machine())
    rng, rows = np.random.default_rng(0), []
    for name, architecture in ARCHITECTURES.items():
        shape = (args.models, architecture.n_weights)
        weights = torch.tensor(rng.normal(0, 0.3, shape), dtype=torch.float32)
        for n_inputs in (32, 256):
            drawn = rng.normal(size=(n_inputs, architecture.n_inputs))
            inputs = torch.tensor(drawn, dtype=torch.float32)
            for what in (outputs, gradient):
                theirs, expected = least_seconds(what, by_vmap, architecture, weights, inputs)
                ours, found = least_seconds(what, by_forward, architecture, weights, inputs)
                rows.append(
                    {
                        "network": name,
                        "inputs": n_inputs,
                        "what": what.__name__,
                        "vmap, us/model": 1e6 * theirs / args.models,
                        "forward, us/model": 1e6 * ours / args.models,
                        "ratio": theirs / ours,
                        "largest difference": float((found - expected).abs().max()),
                    }
                )
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
