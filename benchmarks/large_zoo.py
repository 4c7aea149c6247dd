"""Zoos larger than memory: what each operation takes under a cap, as the zoo doubles.

Each operation runs in a process of its own under ``RLIMIT_DATA``: the memory that the process has
after its imports, and the cap. That limit counts private memory that can be written, so every
array, and not the pages of a file mapped for reading, which the system drops when others need the
memory. The last operation copies the zoo, to show that the cap holds.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._large_zoo_operations import ARCHITECTURE, OPERATIONS, process_memory
from benchmarks._runner import Benchmark, Run
from wsl import ModelZoo

GIB, MIB = 2**30, 2**20
N_ROWS_WRITTEN = 2048  # at once
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Scale:
    """GiB of the largest zoo, fractions of it that are measured, and the cap in GiB."""

    gib: float
    fractions: tuple[float, ...]
    cap_gib: float


SCALES = {"quick": Scale(0.0015, (1.0,), 1.0), "full": Scale(3.0, (0.25, 0.5, 1.0), 1.0)}


def write_zoo(folder: Path, n_models: int, seed: int) -> Path:
    """Store random models around one mean, every other one shifted: the property to infer."""
    shape = (n_models, ARCHITECTURE.n_weights)
    weights = np.lib.format.open_memmap(folder / "drawn.npy", "w+", np.float32, shape)
    rng = np.random.default_rng(seed)
    center = rng.normal(0, 0.2, ARCHITECTURE.n_weights).astype(np.float32)
    for start in range(0, n_models, N_ROWS_WRITTEN):
        rows = weights[start : start + N_ROWS_WRITTEN]
        rows[:] = center + 0.1 * rng.standard_normal(rows.shape, np.float32)
        rows[1::2] += 0.01
    labels = pd.DataFrame({"y": np.arange(n_models) % 2})
    path = ModelZoo(weights, ARCHITECTURE, labels).save(folder / "zoo")
    del weights
    (folder / "drawn.npy").unlink()
    return path


def measure(operation: str, path: Path, n_models: int, run: Run) -> dict:
    """Run one operation in a process of its own; return its peak memory and seconds."""
    task = {
        "operation": operation, "path": str(path), "n_models": n_models,
        "cap": int(run.scale.cap_gib * GIB), "n_threads": run.n_jobs,
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks._large_zoo_operations", json.dumps(task)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, process_memory("RssAnon", process.pid))
            time.sleep(POLL_SECONDS)
        assert process.stdout is not None
        printed = process.stdout.read()
    row = {"operation": operation, "models": n_models}
    if not printed:
        return row | {"outcome": f"ended with code {process.returncode}"}
    result = json.loads(printed)
    if "refused" in result:
        run.log(f"{operation}: {result['refused']}")
        return row | {"outcome": "over the cap"}
    peak_mib = (peak - result["before"]) / MIB
    return row | {"outcome": "done", "peak, MiB": peak_mib, "seconds": result["seconds"]}


def run_benchmark(run: Run) -> None:
    """Measure all operations on each fraction of the zoo."""
    n_models = int(run.scale.gib * GIB / (4 * ARCHITECTURE.n_weights))
    rows = []
    with tempfile.TemporaryDirectory(dir=run.out) as folder:
        path = write_zoo(Path(folder), n_models, run.seed)
        for fraction in run.scale.fractions:
            for operation in OPERATIONS:
                measured = measure(operation, path, int(fraction * n_models), run)
                rows.append({"zoo, GiB": fraction * run.scale.gib, **measured})
                run.log(str(measured))
    run.table("large_zoo", pd.DataFrame(rows))


BENCHMARK = Benchmark(
    name="large_zoo",
    shows="memory of each operation on a zoo of 3 GiB under a cap of 1 GiB (Linux)",
    takes="not recorded",
    run=run_benchmark,
    scales=SCALES,
    threads=True,
    packages=("scikit-learn",),
)

if __name__ == "__main__":
    BENCHMARK.main()
