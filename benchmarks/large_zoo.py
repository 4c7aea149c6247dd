"""Zoos larger than memory: what each operation takes under a cap, as the zoo doubles.

``python -m benchmarks.large_zoo [--gib N] [--cap-gib N] [--folder PATH]``

Each operation runs in a process of its own under ``RLIMIT_DATA``, what the process has after its
imports and the cap. That limit counts private memory that can be written, so every array, and not
the pages of a file mapped for reading, which the system drops when others need the memory.
The last operation copies the zoo, to show that the cap holds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._machine import describe_machine
from wsl import (
    Architecture,
    DeepSetsClassifier,
    DistributionInferenceAttack,
    ModelZoo,
    WeightSpaceAutoencoder,
    WeightStatistics,
    metrics,
)

ARCHITECTURE = Architecture.mlp(784, [12], 10)  # 9,550 weights, on images of 28 x 28
QUERIES = np.random.default_rng(0).normal(size=(64, 784)).astype(np.float32)
LABELS = np.arange(64) % 10
GIB, MIB = 2**30, 2**20
SHARES = (0.25, 0.5, 1.0)
PIECE = 2048
POLL_SECONDS = 0.01


def write_zoo(folder: Path, n_models: int) -> Path:
    """Store random models around one mean, every other one shifted: the property to infer."""
    shape = (n_models, ARCHITECTURE.n_weights)
    weights = np.lib.format.open_memmap(folder / "drawn.npy", "w+", np.float32, shape)
    rng = np.random.default_rng(0)
    center = rng.normal(0, 0.2, ARCHITECTURE.n_weights).astype(np.float32)
    for start in range(0, n_models, PIECE):
        rows = weights[start : start + PIECE]
        rows[:] = center + 0.1 * rng.standard_normal(rows.shape, np.float32)
        rows[1::2] += 0.01
    labels = pd.DataFrame({"y": np.arange(n_models) % 2})
    path = ModelZoo(weights, ARCHITECTURE, labels).save(folder / "zoo")
    del weights
    (folder / "drawn.npy").unlink()
    return path


def open_zoo(path: Path, n_models: int) -> ModelZoo:
    """Return the first models of the stored zoo; no row is read."""
    return ModelZoo.load(path, mmap=True, verify=False)[:n_models]


def take_slice(zoo: ModelZoo) -> float:
    middle = len(zoo) // 2
    return float(zoo[middle : middle + 1000].weights.mean())


def iterate(zoo: ModelZoo) -> float:
    return max(float(np.abs(part.weights).max()) for part in zoo.batches())


def accuracy(zoo: ModelZoo) -> float:
    return float(zoo.accuracy(QUERIES, LABELS).mean())


def diversity(zoo: ModelZoo) -> float:
    return metrics.diversity(zoo.weights)


def statistics(zoo: ModelZoo) -> float:
    return float(WeightStatistics(ARCHITECTURE).fit_transform(zoo.weights).mean())


def attack_queries(zoo: ModelZoo) -> float:
    attack = DistributionInferenceAttack(
        architecture=ARCHITECTURE, queries=QUERIES[:16], random_state=0
    )
    return attack.fit(zoo.weights, zoo.metadata["y"]).score(zoo.weights, zoo.metadata["y"])


def attack_deepsets(zoo: ModelZoo) -> float:
    attack = DeepSetsClassifier(ARCHITECTURE, epochs=1, batch_size=256, random_state=0)
    return attack.fit(zoo.weights, zoo.metadata["y"]).score(zoo.weights, zoo.metadata["y"])


def autoencoder(zoo: ModelZoo) -> float:
    model = WeightSpaceAutoencoder(
        ARCHITECTURE, queries=QUERIES, n_queries=16, latent_dim=2, d_model=16, n_layers=1,
        n_heads=2, epochs=1, batch_size=256, random_state=0,
    )  # fmt: skip
    return float(model.fit(zoo.weights).transform(zoo.weights).std())


def copy(zoo: ModelZoo) -> float:
    return float(np.array(zoo.weights)[-1].mean())


OPERATIONS: dict[str, Callable[[ModelZoo], float]] = {
    "slice of 1,000 models": take_slice,
    "all rows in batches": iterate,
    "accuracy on 64 queries": accuracy,
    "diversity": diversity,
    "WeightStatistics": statistics,
    "queries attack, fit and score": attack_queries,
    "DeepSets, fit and score": attack_deepsets,
    "autoencoder, fit and transform": autoencoder,
    "copy, which may not fit": copy,
}


def status(field: str, process: int | str = "self") -> int:
    """Return a field of a process's status in bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return 1024 * int(found[0]) if found else 0


def run_child(operation: str, path: Path, n_models: int, cap: int) -> None:
    """Run one operation under the cap and print what it took; the parent watches its memory."""
    import resource

    zoo, before = open_zoo(path, n_models), status("RssAnon")
    limit = status("VmData") + cap
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        OPERATIONS[operation](zoo[:64])  # what is imported and built at the first call
        start = time.perf_counter()
        OPERATIONS[operation](zoo)
    except (MemoryError, RuntimeError) as error:  # torch's own has no type for it
        print(json.dumps({"refused": str(error)}))
        return
    print(json.dumps({"before": before, "seconds": time.perf_counter() - start}))


def measure(operation: str, path: Path, n_models: int, cap: int) -> str:
    """Return peak and seconds of one operation, in words."""
    child = [sys.executable, "-m", "benchmarks.large_zoo", "--child", operation]
    options = ["--file", str(path), "--models", str(n_models), "--cap-gib", str(cap / GIB)]
    with subprocess.Popen([*child, *options], stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, status("RssAnon", process.pid))
            time.sleep(POLL_SECONDS)
        assert process.stdout is not None
        told = process.stdout.read()
    if not told:
        return f"ended with code {process.returncode}"
    result = json.loads(told)
    if "refused" in result:
        print(f"{operation}: {result['refused']}", file=sys.stderr)
        return "over the cap"
    return f"{(peak - result['before']) / MIB:.0f} MiB, {result['seconds']:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_zoo", description=__doc__)
    parser.add_argument("--gib", type=float, default=3.0, help="weights of the largest zoo")
    parser.add_argument("--cap-gib", type=float, default=1.0, help="memory for arrays")
    parser.add_argument("--folder", type=Path, help="where the zoo is written, and deleted")
    for internal in ("--child", "--file", "--models"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    args = parser.parse_args()
    cap = int(args.cap_gib * GIB)
    if args.child:
        run_child(args.child, Path(args.file), int(args.models), cap)
        return
    print(describe_machine("scikit-learn"))
    n_models = int(args.gib * GIB / (4 * ARCHITECTURE.n_weights))
    print(f"{ARCHITECTURE.n_weights:,} weights a model, cap {args.cap_gib:g} GiB beyond imports")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = write_zoo(Path(folder), n_models)
        columns: dict[str, list[str]] = {}
        for share in SHARES:
            n_own = int(share * n_models)
            name = f"{share * args.gib:.3g} GiB, {n_own:,} models"
            columns[name] = [measure(operation, path, n_own, cap) for operation in OPERATIONS]
            print(pd.DataFrame(columns, index=list(OPERATIONS))[name].to_string(), flush=True)
    print(pd.DataFrame(columns, index=list(OPERATIONS)).to_string())


if __name__ == "__main__":
    main()
