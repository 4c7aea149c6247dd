"""Every benchmark is in the index, has the same flags, and runs at its quick scale."""

import ast
from dataclasses import make_dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks._index import README, SCRIPTS, index, load, names, read_table, render_readme
from benchmarks._runner import Benchmark, Run, format_cell, to_markdown
from benchmarks._timing import alternate, cpu_seconds

FOLDER = README.parent


@pytest.mark.parametrize("name", names())
def test_flags_are_the_same_everywhere(name, tmp_path):
    benchmark = load(name)
    assert benchmark.name == name
    arguments = ["--scale", "quick", "--seed", "3", "--n-jobs", "1", "--out", str(tmp_path)]
    options = benchmark.parser().parse_args(arguments)
    assert (options.scale, options.seed, options.n_jobs) == ("quick", 3, 1)
    assert options.out == tmp_path
    assert benchmark.default_scale in benchmark.scales


def test_only_the_public_api_is_imported():
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if module.split(".")[0] == "wsl":
                assert not any(part.startswith("_") for part in module.split(".")), file
                assert not any(alias.name.startswith("_") for alias in node.names), file


def test_the_index_lists_every_benchmark():
    files = {file.stem for file in FOLDER.glob("*.py") if not file.stem.startswith("_")}
    assert files - set(SCRIPTS) == set(names())
    assert len(index()) == len(names())


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_quick_run_writes_tables(name, tmp_path):
    run = load(name).main(["--scale", "quick", "--n-jobs", "1", "--out", str(tmp_path)])
    tables = sorted(tmp_path.glob("*.csv"))
    assert tables
    for path in tables:
        lines = path.read_text().splitlines()
        assert lines[:2] == [f"# {run.command}", "# seed 0"]
        assert "torch" in lines[2]
        frame = pd.read_csv(path, skiprows=3)
        assert len(frame)
        assert path.with_suffix(".md").read_text().count("\n|") == len(frame) + 2


def toy(run: Run) -> None:
    run.table("sizes", pd.DataFrame({"seed": [run.seed], "size": [run.scale.size]}))


@pytest.fixture
def benchmark():
    scale = make_dataclass("Scale", [("size", int)], frozen=True)
    return Benchmark("toy", "sizes", "no time", toy, {"quick": scale(1), "full": scale(9)},
                     parts={"here": (), "elsewhere": ("no_such_module",)})  # fmt: skip


def test_table_states_command_and_seed(benchmark, tmp_path):
    benchmark.main(["--out", str(tmp_path), "--seed", "5", "--set", "size=4"])
    command, seed, machine, *cells = (tmp_path / "sizes.csv").read_text().splitlines()
    assert command == "# python -m benchmarks.toy --set size=4"
    assert seed == "# seed 5"
    assert "cores" in machine
    assert cells == ["seed,size", "5,4"]


@pytest.mark.parametrize("text", ["height=4", "size=4.5"])
def test_unknown_size_is_refused(benchmark, tmp_path, text):
    with pytest.raises(SystemExit, match="must be"):
        benchmark.main(["--out", str(tmp_path), "--set", text])


def test_part_that_cannot_run_is_left_out_or_refused(benchmark, tmp_path, capsys):
    assert benchmark.main(["--out", str(tmp_path)]).parts == ("here",)
    assert "needs no_such_module" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        benchmark.main(["--out", str(tmp_path), "--parts", "elsewhere"])


def test_variants_alternate():
    calls = []
    timings = alternate(
        {"A": lambda: calls.append("A"), "B": lambda: calls.append("B")}, n_rounds=2
    )
    assert calls == ["A", "B"] * 3  # once to warm up
    assert timings.wall.shape == timings.cpu.shape == (2, 2)
    assert timings.ratio("A", "B") == timings.median("A") / timings.median("B")


def test_cpu_seconds_counts_work():
    start = cpu_seconds()
    values = np.random.default_rng(0).normal(size=(400, 400))
    while cpu_seconds() - start < 0.05:
        values = np.tanh(values @ values.T / 400)
    assert 0.05 <= cpu_seconds() - start < 10


def test_cells_are_text():
    cells = [format_cell(value) for value in (0.123456, 12345.6, np.nan, 3, "a", None)]
    assert cells == ["0.1235", "12346", "", "3", "a", ""]
    frame = pd.DataFrame({"x": ["1"], "y": ["2"]})
    assert to_markdown(frame) == "| x | y |\n| --- | --- |\n| 1 | 2 |\n"


def test_readme_tables_are_those_of_the_result_files():
    text = README.read_text()
    assert render_readme(text) == text
    for name in names():
        assert f"python -m benchmarks.{name}" in text


def test_result_files_state_where_they_come_from():
    for path in (FOLDER / "results").glob("*/*/*.csv"):
        notes, cells = read_table(str(Path(path).relative_to(FOLDER / "results")))
        assert notes[0].startswith(f"python -m benchmarks.{path.parts[-3]}"), path
        assert any(note.startswith("seed") for note in notes), path
        assert len(cells), path
