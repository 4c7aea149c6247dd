"""Run many models on the same inputs: ``Architecture.forward`` against looping over modules.

``python -m benchmarks.forward [--models N] [--inputs N]``
"""

import argparse
import time

import numpy as np
import pandas as pd
import torch

from benchmarks._machine import describe_machine
from wsl import Architecture

ARCHITECTURES = {
    "4-32-1 MLP": Architecture.mlp(4, [32], 1),
    "30-8-1 MLP": Architecture.mlp(30, [8], 1),
    "digits CNN, 814 weights": Architecture.cnn((1, 8, 8), [6, 8], [16], 10),
}


def loop(architecture: Architecture, rows: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Load each row into a module and run it: what a user does without this package."""
    module, X = architecture.template, torch.tensor(inputs)
    outputs = []
    with torch.no_grad():
        for row in rows:
            module.load_state_dict(architecture.state_dict(row))
            outputs.append(module(X).numpy())
    return np.stack(outputs)


def measure(function, *arguments, repeats: int = 3) -> tuple[float, np.ndarray]:
    """Return the least seconds of several runs, and what came out."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        outputs = function(*arguments)
        seconds.append(time.perf_counter() - start)
    return min(seconds), outputs


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forward", description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--inputs", type=int, default=1000)
    args = parser.parse_args()
    print(describe_machine())
    rows = []
    for name, architecture in ARCHITECTURES.items():
        rng = np.random.default_rng(0)
        weights = rng.normal(0, 0.3, (args.models, architecture.n_weights)).astype(np.float32)
        inputs = rng.normal(size=(args.inputs, architecture.n_inputs)).astype(np.float32)
        looped, expected = measure(loop, architecture, weights, inputs)
        together, outputs = measure(architecture.forward, weights, inputs)
        rows.append(
            {
                "architecture": name,
                "loop, ms": 1e3 * looped,
                "forward, ms": 1e3 * together,
                "ratio": looped / together,
                "largest difference": np.abs(outputs - expected).max(),
            }
        )
    print(pd.DataFrame(rows).set_index("architecture").to_string(float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
