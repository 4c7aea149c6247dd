"""Outputs and gradients of many models: ``Architecture.forward`` against torch's own ``vmap``.

``vmap`` over a convolution is a grouped convolution; ``forward`` unfolds images and multiplies.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from benchmarks._networks import MNIST_CNN
from benchmarks._runner import Benchmark, Run
from benchmarks._timing import alternate
from wsl import Architecture

ARCHITECTURES = {
    "64-32-10": Architecture.mlp(64, [32], 10),
    "digits CNN": Architecture.cnn((1, 8, 8), [6, 9], [20], 10),
    "MNIST CNN": MNIST_CNN,
}


@dataclass(frozen=True)
class Scale:
    """Numbers of models, inputs and timed rounds."""

    n_models: int
    n_inputs: tuple[int, ...]
    n_rounds: int


SCALES = {"quick": Scale(4, (32,), 2), "full": Scale(32, (32, 256), 5)}


def run_vmap(architecture: Architecture, weights: Tensor, inputs: Tensor) -> Tensor:
    """Run all rows on the inputs under ``vmap``."""
    module = architecture.template

    def one_model(parameters: dict[str, Tensor]) -> Tensor:
        return functional_call(module, parameters, (inputs,))

    return vmap(one_model)(architecture.layout.parameters(weights))


def run_forward(architecture: Architecture, weights: Tensor, inputs: Tensor) -> Tensor:
    """Run all rows on the inputs by batched products."""
    return architecture.forward(weights, inputs)


def gradient(run: Callable, architecture: Architecture, weights: Tensor, inputs: Tensor) -> Tensor:
    """Return the gradient of the outputs' mean square with respect to the rows."""
    leaf = weights.clone().requires_grad_()
    run(architecture, leaf, inputs).square().mean().backward()
    return leaf.grad


def outputs(run: Callable, architecture: Architecture, weights: Tensor, inputs: Tensor) -> Tensor:
    """Return the outputs alone."""
    with torch.no_grad():
        return run(architecture, weights, inputs)


def measure(name: str, weights: Tensor, inputs: Tensor, quantity: Callable, run: Run) -> dict:
    """Return the times of one quantity of one network as a row of the table."""
    n_models, architecture = len(weights), ARCHITECTURES[name]
    timings = alternate(
        {
            "vmap": lambda: quantity(run_vmap, architecture, weights, inputs),
            "forward": lambda: quantity(run_forward, architecture, weights, inputs),
        },
        run.scale.n_rounds,
    )
    difference = timings.results["forward"] - timings.results["vmap"]
    return {
        "network": name,
        "models": n_models,
        "inputs": len(inputs),
        "quantity": quantity.__name__,
        "vmap, us per model": 1e6 * timings.median("vmap") / n_models,
        "forward, us per model": 1e6 * timings.median("forward") / n_models,
        "ratio": timings.ratio("vmap", "forward"),
        "largest difference": float(difference.abs().max()),
    }


def run_benchmark(run: Run) -> None:
    """Time outputs and gradients of every network."""
    rng, rows = np.random.default_rng(run.seed), []
    for name, architecture in ARCHITECTURES.items():
        shape = (run.scale.n_models, architecture.n_weights)
        weights = torch.tensor(rng.normal(0, 0.3, shape), dtype=torch.float32)
        for n_inputs in run.scale.n_inputs:
            drawn = rng.normal(size=(n_inputs, architecture.n_inputs))
            inputs = torch.tensor(drawn, dtype=torch.float32)
            for quantity in (outputs, gradient):
                rows.append(measure(name, weights, inputs, quantity, run))
    run.table("vmap", pd.DataFrame(rows))


BENCHMARK = Benchmark(
    name="vmap",
    shows="outputs and gradients of many models at once, against `torch.func.vmap`",
    takes="not recorded",
    run=run_benchmark,
    scales=SCALES,
    n_jobs=1,
    threads=True,
)

if __name__ == "__main__":
    BENCHMARK.main()
