"""Weight matching: the loss barrier between independently trained models, and how long it takes.

``python -m benchmarks.weight_matching [--pairs N] [--models N] [--seed N]``

The barrier is the largest loss on the line between two models minus the mean of the losses at its
ends (Ainsworth et al. 2023, "Git Re-Basin", definition 2.1), before and after the second model is
aligned to the first. Times are those of one thread, against aligning one model after another.
"""

import argparse
import time

import numpy as np
import pandas as pd
import torch
from scipy.optimize import linear_sum_assignment
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from benchmarks._machine import describe_machine
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


def barrier(architecture: Architecture, first: np.ndarray, second: np.ndarray, X, y) -> float:
    """Return the loss barrier between two rows on a data set."""
    rows = ((1 - LINE) * first + LINE * second).astype(np.float32)
    outputs = architecture.forward(rows, X)
    losses = -log_softmax(outputs, axis=2)[:, np.arange(len(y)), y].mean(1)
    return losses.max() - (losses[0] + losses[-1]) / 2


def compare(name: str, architecture: Architecture, args: argparse.Namespace) -> dict:
    X, y = load_digits(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(
        X / 16, y, test_size=0.3, stratify=y, random_state=args.seed
    )
    zoo = train_zoo(
        architecture, (train_X, train_y), n_models=2 * args.pairs, epochs=args.epochs,
        batch_size=64, learning_rate=1e-3, random_state=args.seed, device="cpu",
    )  # fmt: skip
    found: dict[str, list[float]] = {}
    for first, second in zip(zoo.weights[::2], zoo.weights[1::2], strict=True):
        (aligned,) = architecture.canonicalize(second[None], reference=first)
        for data, sample in {"train": (train_X, train_y), "test": (test_X, test_y)}.items():
            for when, row in {"before": second, "aligned": aligned}.items():
                height = barrier(architecture, first, row, *sample)
                found.setdefault(f"{data} barrier, {when}", []).append(height)
    return {
        "models": name,
        "accuracy": f"{zoo.accuracy(test_X, test_y).mean():.3f}",
        **{key: f"{np.mean(v):.3f} +- {np.std(v, ddof=1):.3f}" for key, v in found.items()},
    }


def align_in_a_loop(architecture: Architecture, rows: np.ndarray, reference: np.ndarray):
    """Align one model after another, with all groups in each sweep: the published algorithm."""

    def by_unit(array, axis):
        return np.moveaxis(array, axis.axis, 0).reshape(array.shape[axis.axis] // axis.block, -1)

    def parts(row):
        shapes = zip(architecture.parameter_names, architecture.parameter_shapes, strict=True)
        return {name: row[architecture.slices[name]].reshape(shape) for name, shape in shapes}

    wanted, aligned = parts(reference), []
    for row in rows:
        own, moved = parts(row), True
        while moved:
            moved = False
            for group in architecture.permutation_groups:
                gain = sum(
                    by_unit(wanted[a.parameter], a) @ by_unit(own[a.parameter], a).T
                    for a in group.axes
                )
                order = linear_sum_assignment(gain, maximize=True)[1]
                if gain[np.arange(len(order)), order].sum() <= np.trace(gain) * (1 + 1e-6) + 1e-6:
                    continue
                moved = True
                for a in group.axes:
                    places = (order[:, None] * a.block + np.arange(a.block)).ravel()
                    own[a.parameter] = own[a.parameter].take(places, axis=a.axis)
        aligned.append(np.concatenate([own[n].ravel() for n in architecture.parameter_names]))
    return np.stack(aligned)


def clock(name: str, architecture: Architecture, args: argparse.Namespace) -> dict:
    rng = np.random.default_rng(args.seed)
    reference, *rows = rng.normal(size=(args.models + 1, architecture.n_weights)).astype("f")
    rows = np.stack(rows)
    seconds: dict[str, list[float]] = {"loop": [], "canonicalize": [], "sorted": []}
    for _ in range(3):
        start = time.perf_counter()
        looped = align_in_a_loop(architecture, rows, reference)
        seconds["loop"].append(time.perf_counter() - start)
        start = time.perf_counter()
        together = architecture.canonicalize(rows, reference=reference)
        seconds["canonicalize"].append(time.perf_counter() - start)
        start = time.perf_counter()
        architecture.canonicalize(rows)
        seconds["sorted"].append(time.perf_counter() - start)
    loop, ours, by_norm = (1e3 * min(s) / args.models for s in seconds.values())
    distance = [np.square(r - reference).sum(1).mean() for r in (rows, looped, together)]
    return {
        "models": f"{args.models} x {name}",
        "loop, ms a model": f"{loop:.3f}",
        "canonicalize, ms a model": f"{ours:.3f}",
        "ratio": f"{loop / ours:.1f}",
        "sorted by norm, ms a model": f"{by_norm:.3f}",
        "square distance left, loop": f"{distance[1] / distance[0]:.3f}",
        "square distance left, canonicalize": f"{distance[2] / distance[0]:.3f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.weight_matching", description=__doc__
    )
    parser.add_argument("--pairs", type=int, default=10, help="pairs of trained models")
    parser.add_argument("--epochs", type=int, default=30, help="epochs of training")
    parser.add_argument(
        "--models", type=int, default=300, help="models that are aligned to be timed"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(describe_machine("scipy", "scikit-learn"))
    for measure, architectures in ((compare, TRAINED), (clock, TIMED)):
        rows = [measure(name, architecture, args) for name, architecture in architectures.items()]
        print(pd.DataFrame(rows).set_index("models").T.to_string())


if __name__ == "__main__":
    main()
