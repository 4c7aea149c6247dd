"""The machine and the versions that measurements belong to."""

import importlib.metadata
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil
import torch

import wsl


def machine_line(*packages: str) -> str:
    """Return one line: date, processor, cores, and the versions of ``packages``."""
    versions = [f"Python {platform.python_version()}", f"wsl {wsl.__version__}"]
    for package in ("torch", *packages):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    date = datetime.now(UTC).date().isoformat()
    cores = f"{psutil.cpu_count()} cores, {torch.get_num_threads()} torch threads"
    return f"{date}, {_processor()}, {cores}; {', '.join(versions)}"


def _processor() -> str:
    """Return the processor's name where the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
