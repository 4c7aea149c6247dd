"""One harness for every benchmark: flags, results folder, machine line and tables.

A benchmark module defines ``BENCHMARK = Benchmark(...)`` and ends with ``BENCHMARK.main()``.
``python -m benchmarks`` lists them.
"""

import argparse
import ast
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks._machine import machine_line

RESULTS = Path(__file__).parent / "results"
EXTRA = 'python -m pip install -e ".[benchmarks]"'


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark shows, how much it can do, and the function that does it.

    Parameters
    ----------
    name : str
        Name of the module, and of its folder in ``benchmarks/results``.
    shows : str
        What it shows, in one phrase, for the index.
    takes : str
        How long the default scale took where it was recorded.
    run : callable
        Function of one `Run`, which measures and writes tables.
    scales : mapping of str to dataclass
        Sizes by name; "quick" takes less than a minute. Where the sizes of parts differ, a mapping
        from parts to sizes.
    default_scale : str
        Scale of the published results.
    parts : mapping of str to tuple of str
        Parts that run on their own, and the modules that each imports beyond wsl's dependencies.
    default_parts : tuple of str, optional
        Parts that run where ``--parts`` is not given; by default every part.
    n_jobs : int
        Default of ``--n-jobs``.
    threads : bool
        If True, ``--n-jobs`` is the number of torch threads, as the benchmark starts no workers.
    packages : tuple of str
        Packages whose versions stand in the machine line, beside wsl and torch.
    add_options : callable, optional
        Function that adds the benchmark's own options to the parser.
    """

    name: str
    shows: str
    takes: str
    run: Callable[["Run"], None]
    scales: Mapping[str, Any]
    default_scale: str = "full"
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_parts: tuple[str, ...] = ()
    n_jobs: int = 2
    threads: bool = False
    packages: tuple[str, ...] = ()
    add_options: Callable[[argparse.ArgumentParser], None] | None = None

    @property
    def command(self) -> str:
        """The command that runs the benchmark with its defaults."""
        return f"python -m benchmarks.{self.name}"

    def missing(self, part: str) -> list[str]:
        """Return the modules that a part needs and that are not installed."""
        return [name for name in self.parts[part] if importlib.util.find_spec(name) is None]

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser: the flags of every benchmark, then its own options."""
        parser = argparse.ArgumentParser(prog=self.command, description=self.shows)
        jobs = "torch threads" if self.threads else "worker processes"
        parser.add_argument("--scale", choices=self.scales, default=self.default_scale)
        parser.add_argument("--seed", type=int, default=0, help="first of the seeds")
        parser.add_argument("--n-jobs", type=int, default=self.n_jobs, help=jobs)
        parser.add_argument(
            "--out", type=Path, help=f"default: benchmarks/results/{self.name}/SCALE"
        )
        parser.add_argument(
            "--set", nargs="+", default=[], metavar="NAME=VALUE", dest="overrides",
            help="sizes that differ from those of the scale",
        )  # fmt: skip
        if self.parts:
            parser.add_argument("--parts", nargs="+", choices=self.parts)
        if self.add_options is not None:
            self.add_options(parser)
        return parser

    def main(self, arguments: Sequence[str] | None = None) -> "Run":
        """Parse the command line, run, and return the finished run."""
        parser = self.parser()
        options = parser.parse_args(arguments)
        run = Run(self, options, self._chosen_parts(parser, options), _flags(parser, options))
        if self.threads:
            torch.set_num_threads(run.n_jobs)
        run.log(f"{run.command}\n{run.machine}")
        start = time.perf_counter()
        self.run(run)
        run.log(f"{time.perf_counter() - start:.0f} s; results in {run.out}")
        return run

    def _chosen_parts(
        self, parser: argparse.ArgumentParser, options: argparse.Namespace
    ) -> tuple[str, ...]:
        """Return the parts to run; one that was asked for and cannot run is an error."""
        if not self.parts:
            return ()
        parts = options.parts or self.default_parts or tuple(self.parts)
        unavailable = {part: ", ".join(self.missing(part)) for part in parts if self.missing(part)}
        for part, modules in unavailable.items():
            text = f"part {part!r} needs {modules}: {EXTRA}"
            if options.parts:
                parser.error(text)
            print(f"{text}; it is left out")
        return tuple(part for part in parts if part not in unavailable)


@dataclass(frozen=True)
class Run:
    """One run of a benchmark: its options, and the only way to write results."""

    benchmark: Benchmark
    options: argparse.Namespace
    parts: tuple[str, ...]
    flags: str

    @property
    def seed(self) -> int:
        return self.options.seed

    @property
    def n_jobs(self) -> int:
        return self.options.n_jobs

    @property
    def quick(self) -> bool:
        return self.options.scale == "quick"

    @property
    def scale(self) -> Any:
        """The sizes of this run, for a benchmark whose parts have the same."""
        return self._override(self.benchmark.scales[self.options.scale])

    def scale_of(self, part: str) -> Any:
        """Return the sizes of a part."""
        return self._override(self.benchmark.scales[self.options.scale][part])

    @property
    def command(self) -> str:
        return f"{self.benchmark.command}{self.flags}"

    @property
    def machine(self) -> str:
        return machine_line(*self.benchmark.packages)

    @property
    def out(self) -> Path:
        """The folder of the results, made on first use."""
        out = self.options.out or RESULTS / self.benchmark.name / self.options.scale
        out.mkdir(parents=True, exist_ok=True)
        return out

    def log(self, text: str) -> None:
        """Print a line of progress at once."""
        print(text, flush=True)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Print a table, and write it as CSV and markdown with the command and the machine."""
        text = frame.map(format_cell)
        notes = (self.command, f"seed {self.seed}", self.machine)
        header = "".join(f"# {note}\n" for note in notes)
        (self.out / f"{name}.csv").write_text(header + text.to_csv(index=False))
        (self.out / f"{name}.md").write_text(to_markdown(text, notes))
        self.log(f"\n{name}\n{text.to_string(index=False)}\n")

    def raw(self, name: str, frame: pd.DataFrame) -> None:
        """Write measurements in full precision, one row per measurement."""
        folder = self.folder("raw")
        frame.to_csv(folder / f"{name}.csv", index=False)

    def figure(self, name: str, figure: Any) -> None:
        """Write a matplotlib figure."""
        figure.savefig(self.out / f"{name}.png", dpi=150)

    def folder(self, name: str) -> Path:
        """Return a folder for files that are no tables, as models that are found again."""
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _override(self, scale: Any) -> Any:
        """Replace sizes by those of ``--set``."""
        sizes = {item.name for item in fields(scale)}
        changed = {}
        for text in self.options.overrides:
            name, _, value = text.partition("=")
            if name not in sizes:
                raise SystemExit(f"--set {text}: {name!r} must be one of {sorted(sizes)}")
            size, kind = ast.literal_eval(value), type(getattr(scale, name))
            if not isinstance(size, (int, float) if kind is float else kind):
                raise SystemExit(f"--set {text}: {name!r} must be of type {kind.__name__}")
            changed[name] = size
        return replace(scale, **changed)


def _flags(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Return the options that differ from their defaults, as on a command line."""
    flags = ""
    for action in parser._actions:
        value = getattr(options, action.dest, None)
        if action.dest in ("help", "out", "seed") or value == action.default:
            continue
        values = value if isinstance(value, list) else [value]
        flags += f" {action.option_strings[0]} {' '.join(map(str, values))}"
    return flags


def format_cell(value: Any) -> str:
    """Return a cell as text: floats with four significant digits, nothing for NaN."""
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return ""
        return f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return "" if value is None else str(value)


def to_markdown(frame: pd.DataFrame, notes: Sequence[str] = ()) -> str:
    """Return a table of text cells in markdown, below its command and the other notes."""
    caption = f"`{notes[0]}`; {'; '.join(notes[1:])}.\n\n" if notes else ""
    lines = [frame.columns, ["---"] * frame.shape[1], *frame.to_numpy()]
    return caption + "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
