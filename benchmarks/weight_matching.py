"""Weight matching: the loss barrier between independently trained models, and the time it takes.

The barrier is the largest loss on the line between two models minus the mean of the losses at its
ends (Ainsworth et al. 2023, "Git Re-Basin", definition 2.1), before and after the second model is
aligned to the first. Times are compared with the published algorithm, one model after another.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from benchmarks._runner import Benchmark, Run
from benchmarks._timing import alternate
from wsl import Architecture, train_zoo

TRAINED = {
    "MLP 64-256-256-10": Architecture.mlp(64, [256, 256], 10),
    "CNN of 16 and 32 channels": Architecture.cnn((1, 8, 8), [16, 32], [64], 10),
}
TIMED = {
    "CNN, 2464 weights": Architecture(
        nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            *(nn.Conv2d(1, 8, 5), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(8, 6, 5), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(6, 4, 2), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(36, 20), nn.ReLU(), nn.Linear(20, 10)),
        )
    ),
    "CNN, 10853 weights": Architecture.cnn((3, 32, 32), [16, 32, 15], [20], 10),
    "MLP 64-64-64-10": Architecture.mlp(64, [64, 64], 10),
}
LINE = np.linspace(0, 1, 11)[:, None]


@dataclass(frozen=True)
class Scale:
    """Numbers of trained pairs and of their epochs; of models to time, and of timed rounds."""

    n_pairs: int
    epochs: int
    n_models: int
    n_rounds: int


SCALES = {"quick": Scale(2, 2, 10, 1), "full": Scale(10, 30, 300, 3)}


def barrier(architecture: Architecture, first: np.ndarray, second: np.ndarray, X, y) -> float:
    """Return the loss barrier between two rows on a data set."""
    rows = ((1 - LINE) * first + LINE * second).astype(np.float32)
    outputs = architecture.forward(rows, X)
    losses = -log_softmax(outputs, axis=2)[:, np.arange(len(y)), y].mean(1)
    return losses.max() - (losses[0] + losses[-1]) / 2


def measure_barriers(name: str, run: Run) -> list[dict]:
    """Return one row per pair of models and data set."""
    architecture = TRAINED[name]
    X, y = load_digits(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(
        X / 16, y, test_size=0.3, stratify=y, random_state=run.seed
    )
    zoo = train_zoo(
        architecture, (train_X, train_y), n_models=2 * run.scale.n_pairs, epochs=run.scale.epochs,
        batch_size=64, learning_rate=1e-3, random_state=run.seed, device="cpu",
    )  # fmt: skip
    samples = {"train": (train_X, train_y), "test": (test_X, test_y)}
    accuracy = zoo.accuracy(test_X, test_y).mean()
    rows = []
    for pair, (first, second) in enumerate(zip(zoo.weights[::2], zoo.weights[1::2], strict=True)):
        (aligned,) = architecture.canonicalize(second[None], reference=first)
        for data, sample in samples.items():
            rows.append(
                {
                    "network": name,
                    "test accuracy": accuracy,
                    "data": data,
                    "pair": pair,
                    "before": barrier(architecture, first, second, *sample),
                    "aligned": barrier(architecture, first, aligned, *sample),
                }
            )
    return rows


def summarize(barriers: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over pairs."""
    groups = barriers.groupby(["network", "test accuracy", "data"], sort=False)
    table = groups[["before", "aligned"]].agg(["mean", "std"])
    table.columns = [
        f"barrier {when}" if statistic == "mean" else f"standard deviation {when}"
        for when, statistic in table.columns
    ]
    return table.reset_index()


def align_in_a_loop(architecture: Architecture, rows: np.ndarray, reference: np.ndarray):
    """Align one model after another, with all groups in each sweep: the published algorithm."""
    target = _split(architecture, reference)
    return np.stack([_align(architecture, _split(architecture, row), target) for row in rows])


def _split(architecture: Architecture, row: np.ndarray) -> dict[str, np.ndarray]:
    """Return the parameters of a row by name."""
    shapes = zip(architecture.parameter_names, architecture.parameter_shapes, strict=True)
    return {name: row[architecture.slices[name]].reshape(shape) for name, shape in shapes}


def _by_unit(array: np.ndarray, axis) -> np.ndarray:
    """Return one row per hidden unit of an axis."""
    return np.moveaxis(array, axis.axis, 0).reshape(array.shape[axis.axis] // axis.block, -1)


def _align(architecture: Architecture, parameters: dict, target: dict) -> np.ndarray:
    """Permute the units of one model until no group of units matches the target better."""
    moved = True
    while moved:
        moved = False
        for group in architecture.permutation_groups:
            gain = sum(
                _by_unit(target[a.parameter], a) @ _by_unit(parameters[a.parameter], a).T
                for a in group.axes
            )
            order = linear_sum_assignment(gain, maximize=True)[1]
            if gain[np.arange(len(order)), order].sum() <= np.trace(gain) * (1 + 1e-6) + 1e-6:
                continue
            moved = True
            for a in group.axes:
                indices = (order[:, None] * a.block + np.arange(a.block)).ravel()
                parameters[a.parameter] = parameters[a.parameter].take(indices, axis=a.axis)
    return np.concatenate([parameters[name].ravel() for name in architecture.parameter_names])


def measure_times(name: str, run: Run) -> dict:
    """Return milliseconds per model, and the squared distance to the reference that is left."""
    architecture, n_models = TIMED[name], run.scale.n_models
    rng = np.random.default_rng(run.seed)
    reference, *drawn = rng.normal(size=(n_models + 1, architecture.n_weights)).astype("f")
    rows = np.stack(drawn)
    timings = alternate(
        {
            "loop": lambda: align_in_a_loop(architecture, rows, reference),
            "canonicalize": lambda: architecture.canonicalize(rows, reference=reference),
            "sorted by norm": lambda: architecture.canonicalize(rows),
        },
        run.scale.n_rounds,
        warm_up=False,
    )
    distance = {
        variant: np.square(timings.results[variant] - reference).sum(1).mean()
        / np.square(rows - reference).sum(1).mean()
        for variant in ("loop", "canonicalize")
    }
    return {
        "network": name,
        "models": n_models,
        **{f"{v}, ms per model": 1e3 * timings.median(v) / n_models for v in timings.wall},
        "ratio of loop to canonicalize": timings.ratio("loop", "canonicalize"),
        **{f"distance left, {variant}": left for variant, left in distance.items()},
    }


def run_benchmark(run: Run) -> None:
    """Measure barriers of trained models, and times on random ones."""
    if "barriers" in run.parts:
        barriers = pd.DataFrame([row for name in TRAINED for row in measure_barriers(name, run)])
        run.raw("barriers", barriers)
        run.table("barriers", summarize(barriers))
    if "times" in run.parts:
        run.table("times", pd.DataFrame([measure_times(name, run) for name in TIMED]))


BENCHMARK = Benchmark(
    name="weight_matching",
    shows="loss barriers between models before and after alignment, and the time of alignment",
    takes="not recorded",
    run=run_benchmark,
    scales=SCALES,
    parts={"barriers": (), "times": ()},
    n_jobs=1,
    threads=True,
    packages=("scipy", "scikit-learn"),
)

if __name__ == "__main__":
    BENCHMARK.main()
