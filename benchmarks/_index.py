"""The index of the benchmarks, and the tables of README.md, which are read from result files."""

import importlib
import pkgutil
import re

import pandas as pd

import benchmarks
from benchmarks._runner import RESULTS, Benchmark, to_markdown

README = RESULTS.parent / "README.md"
SCRIPTS = ("make_census_income",)  # builds a data set, and measures nothing
_BLOCK = re.compile(r"(<!-- (?P<what>index|table \S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def names() -> list[str]:
    """Return the names of the benchmarks, in alphabetical order."""
    modules = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    return [name for name in modules if not name.startswith("_") and name not in SCRIPTS]


def load(name: str) -> Benchmark:
    """Import a benchmark."""
    return importlib.import_module(f"benchmarks.{name}").BENCHMARK


def index() -> pd.DataFrame:
    """Return one row per benchmark: its command, what it shows and how long it takes."""
    rows = []
    for benchmark in map(load, names()):
        parts = f" (parts: {', '.join(benchmark.parts)})" if benchmark.parts else ""
        rows.append((f"`{benchmark.command}`", benchmark.shows + parts, benchmark.takes))
    return pd.DataFrame(rows, columns=["command", "shows", "takes"])


def read_table(path: str) -> tuple[list[str], pd.DataFrame]:
    """Return the notes of a result table and its cells, as text; path is below the results."""
    lines = (RESULTS / path).read_text().splitlines()
    notes = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    cells = pd.read_csv(RESULTS / path, skiprows=len(notes), dtype=str, keep_default_na=False)
    return notes, cells


def render_readme(text: str) -> str:
    """Fill the blocks from ``<!-- index -->`` or ``<!-- table PATH -->`` to ``<!-- end -->``."""

    def render(block: re.Match) -> str:
        if block["what"] == "index":
            content = to_markdown(index())
        else:
            notes, cells = read_table(block["what"].removeprefix("table "))
            content = to_markdown(cells, notes)
        return f"{block[1]}{content}{block[3]}"

    return _BLOCK.sub(render, text)
