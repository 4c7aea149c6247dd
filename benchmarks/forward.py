"""Run many models on the same inputs: ``Architecture.forward`` against looping over modules.

``python -m benchmarks.forward [--models N] [--inputs N [N ...]]``

Two loops: over rows, each made a module and run, which is what somebody does who has a zoo; and
over modules that are there already. Every side runs with one thread and with all; the better
time counts.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from benchmarks._machine import describe_machine
from benchmarks._networks import MNIST_CNN, multiplications
from wsl import Architecture

ARCHITECTURES = {
    "4-32-1": Architecture.mlp(4, [32], 1),
    "30-8-1": Architecture.mlp(30, [8], 1),
    "64-128-10": Architecture.mlp(64, [128], 10),
    "digits CNN": Architecture.cnn((1, 8, 8), [6, 8], [16], 10),
    "MNIST CNN": MNIST_CNN,
}
LARGEST = 2 * 10**11  # multiplications that a loop is asked for; larger ones run fewer models


def over_rows(architecture: Architecture, rows: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Make a module of each row and run it."""
    X = torch.tensor(inputs)
    with torch.no_grad():
        return np.stack([architecture.module(row)(X).numpy() for row in rows])


def over_modules(modules: list, inputs: np.ndarray) -> np.ndarray:
    """Run modules that are there already."""
    X = torch.tensor(inputs)
    with torch.no_grad():
        return np.stack([module(X).numpy() for module in modules])


def measure(function: Callable, *arguments, repeats: int = 3) -> tuple[float, np.ndarray]:
    """Return the least seconds of several runs with one and with all threads, and the outputs."""
    n_threads, seconds = torch.get_num_threads(), []
    for threads in (1, n_threads):
        torch.set_num_threads(threads)
        for _ in range(repeats):
            start = time.perf_counter()
            outputs = function(*arguments)
            seconds.append(time.perf_counter() - start)
    return min(seconds), outputs


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.forward",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--inputs", type=int, nargs="+", default=[32, 1000])
    args = parser.parse_args()
    print(describe_machine())
    rows = []
    for name, architecture in ARCHITECTURES.items():
        for n_inputs in args.inputs:
            rng = np.random.default_rng(0)
            once = multiplications(architecture) * n_inputs
            n_models = min(args.models, LARGEST // (6 * once))
            shape = (n_models, architecture.n_weights)
            weights = rng.normal(0, 0.3, shape).astype(np.float32)
            inputs = rng.normal(size=(n_inputs, architecture.n_inputs)).astype(np.float32)
            modules = [architecture.module(row) for row in weights]
            by_rows, expected = measure(over_rows, architecture, weights, inputs)
            by_modules, _ = measure(over_modules, modules, inputs)
            together, outputs = measure(architecture.forward, weights, inputs)
            rows.append(
                {
                    "network": name,
                    "models": n_models,
                    "inputs": n_inputs,
                    "forward, us/model": 1e6 * together / n_models,
                    "loop over rows: ratio": by_rows / together,
                    "over modules: ratio": by_modules / together,
                    "GFLOP/s": 2e-9 * once * n_models / together,
                    "largest difference": np.abs(outputs - expected).max(),
                }
            )
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
