"""Run many models on the same inputs: ``Architecture.forward`` against loops over modules.

One loop makes a module of each row of weights and runs it, as users of a zoo would without it; the
other runs modules that exist already. Every variant runs on one thread and on ``--n-jobs``
threads, and the faster of the two counts.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks._networks import MNIST_CNN, multiplications
from benchmarks._runner import Benchmark, Run
from benchmarks._timing import alternate
from wsl import Architecture

ARCHITECTURES = {
    "4-32-1": Architecture.mlp(4, [32], 1),
    "30-8-1": Architecture.mlp(30, [8], 1),
    "64-128-10": Architecture.mlp(64, [128], 10),
    "digits CNN": Architecture.cnn((1, 8, 8), [6, 8], [16], 10),
    "MNIST CNN": MNIST_CNN,
}
MAX_MULTIPLICATIONS = 2 * 10**11  # of the loops in six runs; larger networks run fewer models
LOOP_ROWS, LOOP_MODULES, TOGETHER = "loop over rows", "loop over modules", "forward"


@dataclass(frozen=True)
class Scale:
    """Numbers of models, inputs and timed rounds."""

    n_models: int
    n_inputs: tuple[int, ...]
    n_rounds: int


SCALES = {"quick": Scale(50, (32,), 1), "full": Scale(1000, (32, 1000), 3)}


def run_rows(architecture: Architecture, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Make a module of each row and run it."""
    X = torch.tensor(inputs)
    with torch.no_grad():
        return np.stack([architecture.module(row)(X).numpy() for row in weights])


def run_modules(modules: list[nn.Module], inputs: np.ndarray) -> np.ndarray:
    """Run modules that exist already."""
    X = torch.tensor(inputs)
    with torch.no_grad():
        return np.stack([module(X).numpy() for module in modules])


def measure(name: str, n_inputs: int, run: Run) -> dict:
    """Return the times of one network as a row of the table."""
    architecture = ARCHITECTURES[name]
    rng = np.random.default_rng(run.seed)
    work = multiplications(architecture) * n_inputs
    n_models = min(run.scale.n_models, MAX_MULTIPLICATIONS // (6 * work))
    shape = (n_models, architecture.n_weights)
    weights = rng.normal(0, 0.3, shape).astype(np.float32)
    inputs = rng.normal(size=(n_inputs, architecture.n_inputs)).astype(np.float32)
    modules = [architecture.module(row) for row in weights]
    functions = {
        LOOP_ROWS: lambda: run_rows(architecture, weights, inputs),
        LOOP_MODULES: lambda: run_modules(modules, inputs),
        TOGETHER: lambda: architecture.forward(weights, inputs),
    }
    best: dict[str, float] = {}
    for n_threads in sorted({1, run.n_jobs}):
        torch.set_num_threads(n_threads)
        timings = alternate(functions, run.scale.n_rounds)
        for variant in functions:
            best[variant] = min(best.get(variant, np.inf), timings.median(variant))
    difference = np.abs(timings.results[TOGETHER] - timings.results[LOOP_ROWS]).max()
    return {
        "network": name,
        "models": n_models,
        "inputs": n_inputs,
        "forward, us per model": 1e6 * best[TOGETHER] / n_models,
        "ratio to loop over rows": best[LOOP_ROWS] / best[TOGETHER],
        "ratio to loop over modules": best[LOOP_MODULES] / best[TOGETHER],
        "GFLOP/s": 2e-9 * work * n_models / best[TOGETHER],
        "largest difference of outputs": difference,
    }


def run_benchmark(run: Run) -> None:
    """Measure every network with every number of inputs."""
    rows = [measure(name, n, run) for name in ARCHITECTURES for n in run.scale.n_inputs]
    run.table("forward", pd.DataFrame(rows))


BENCHMARK = Benchmark(
    name="forward",
    shows="outputs of 1,000 models at once, against loops over modules",
    takes="not recorded",
    run=run_benchmark,
    scales=SCALES,
    threads=True,
)

if __name__ == "__main__":
    BENCHMARK.main()
