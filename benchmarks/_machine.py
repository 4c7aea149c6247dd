"""What every benchmark prints first: the machine and the versions that the figures belong to."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch


def describe_machine(*packages: str) -> str:
    """Return one line on the processor, the threads and the versions of ``packages``."""
    found = []
    for package in ("weight-space-learning", "torch", *packages):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, torch threads {torch.get_num_threads()}, "
        f"Python {platform.python_version()}, {', '.join(found)}"
    )
