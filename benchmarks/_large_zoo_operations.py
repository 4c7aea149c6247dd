"""Operations on a zoo larger than memory, each run under a cap in a process of its own.

``python -m benchmarks._large_zoo_operations TASK``, with a task as JSON, prints what it took.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

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
    "copy, which may exceed the cap": copy,
}


def process_memory(field: str, process: int | str = "self") -> int:
    """Return a field of a process's status in bytes; 0 where the process has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    values = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return 1024 * int(values[0]) if values else 0


def run_operation(operation: str, path: str, n_models: int, cap: int, n_threads: int) -> dict:
    """Run one operation under the cap, in this process, and return what it took."""
    torch.set_num_threads(n_threads)
    zoo = ModelZoo.load(path, mmap=True, verify=False)[:n_models]  # reads no row
    before = process_memory("RssAnon")
    limit = process_memory("VmData") + cap
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        OPERATIONS[operation](zoo[:64])  # what is imported and built at the first call
        start = time.perf_counter()
        OPERATIONS[operation](zoo)
    except (MemoryError, RuntimeError) as error:  # torch has no type of its own for it
        return {"refused": str(error)}
    return {"before": before, "seconds": time.perf_counter() - start}


if __name__ == "__main__":
    print(json.dumps(run_operation(**json.loads(sys.argv[1]))))
