"""Timing of variants in alternation, by wall clock and by CPU."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psutil


@dataclass(frozen=True)
class Timings:
    """Seconds of each variant in each round, one column per variant; and its last result."""

    wall: pd.DataFrame
    cpu: pd.DataFrame
    results: dict[str, Any]

    def median(self, variant: str) -> float:
        """Return the median wall-clock seconds."""
        return float(self.wall[variant].median())

    def cpu_median(self, variant: str) -> float:
        """Return the median CPU seconds, of this process and its workers."""
        return float(self.cpu[variant].median())

    def ratio(self, slow: str, fast: str) -> float:
        """Return how many times as long the first takes, by medians of wall-clock seconds."""
        return self.median(slow) / self.median(fast)

    def fastest(self, *variants: str) -> str:
        """Return the variant with the least median."""
        return min(variants, key=self.median)


def alternate(
    variants: Mapping[str, Callable[[], Any]], n_rounds: int, warm_up: bool = True
) -> Timings:
    """Time variants in turn, A B A B, so that a change of the machine's speed meets all of them.

    With ``warm_up``, each runs once before, which is not counted.
    """
    results: dict[str, Any] = {}
    if warm_up:
        for variant in variants.values():
            variant()
    wall: dict[str, list[float]] = {name: [] for name in variants}
    cpu: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(n_rounds):
        for name, variant in variants.items():
            cpu_start, start = cpu_seconds(), time.perf_counter()
            results[name] = variant()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(cpu_seconds() - cpu_start)
    return Timings(pd.DataFrame(wall), pd.DataFrame(cpu), results)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, of its workers and of those that have ended."""
    process = psutil.Process()
    spent = process.cpu_times()
    total = spent.user + spent.system + spent.children_user + spent.children_system
    for worker in process.children(recursive=True):
        try:
            own = worker.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += own.user + own.system
    return total
