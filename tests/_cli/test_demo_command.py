import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from wsl import _demo
from wsl._cli._main_group import main
from wsl.risk import AuditReport

TINY = _demo.Scale(32, 2, 1, 12, 6, 2)
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    monkeypatch.setenv("WSL_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(_demo.SCALES, "quick", TINY)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--quik"], "--quik"),
        (["--seed", "many"], "--seed"),
        (["--seed", "-1"], "--seed"),
        (["--device", "toaster"], "toaster"),
        (["extra"], "extra"),
    ],
)
def test_a_bad_option_gives_one_line_and_exit_code_2(arguments, named, capsys, tmp_path):
    assert main([*arguments, *([] if "--out" in arguments else ["--out", str(tmp_path)])]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert named in captured.err
    assert "Traceback" not in captured.err


def test_an_output_folder_that_cannot_be_made(capsys, tmp_path):
    (tmp_path / "file").write_text("taken")
    assert main(["--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_and_version_need_no_torch():
    code = (
        "import sys\n"
        "from wsl._cli._main_group import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    for options, shown in (
        (["--help"], "compare"),
        (["--version"], "wsl "),
        (["demo", "--help"], "--quick"),
        (["audit", "--help"], "--learner"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *options], capture_output=True, text=True, check=True
        )
        assert shown in done.stdout


@pytest.mark.usefixtures("tiny")
def test_the_main_job_writes_what_it_prints(capsys, tmp_path):
    out = tmp_path / "report"
    assert main(["--quick", "--out", str(out), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert str(out) in printed
    for name in ("reconstruction", "census_proportion_of_women", "census_environment_membership"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        table = pd.read_csv(out / f"{name}.csv")
        assert len(table) > 2
        assert table["model accuracy" if "census" in name else "accuracy"].between(0, 1).all()
    assert [f"{row} loss" in printed for row in ("structural", "behavioral")] == [True, True]
    report = AuditReport.load(out / "census_proportion_of_women_irm.json")
    assert report.table["attack"].unique().tolist() == ["deepsets", "queries"]
    assert not list(out.glob(".*"))


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_the_main_job_is_the_same_again(tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    for out in (first, again):
        assert main(["--quick", "--out", str(out), "--device", "cpu"]) == 0
    tables = [file.name for file in first.glob("*.csv")]
    assert len(tables) == 3
    for name in tables:
        assert (again / name).read_text() == (first / name).read_text()


def swallow_ctrl_c():
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def fail_of_ctrl_c():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        raise ImportError("a module that is half loaded") from error


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    "interrupt", [lambda: signal.raise_signal(signal.SIGINT), swallow_ctrl_c, fail_of_ctrl_c]
)
def test_an_interrupt_ends_in_one_line(interrupt, monkeypatch, capsys, tmp_path):
    """Also where a library swallows it, or fails of it with an error of its own."""
    finding = _demo.Finding("audit", "Audit", "text", pd.DataFrame({"a": [1]}))

    def rebuild(*arguments):
        return dataclasses.replace(finding, name="reconstruction")

    def interrupted(*arguments):
        interrupt()
        return finding

    monkeypatch.setattr(_demo, "rebuild_digit_models", rebuild)
    monkeypatch.setattr(_demo, "audit_proportion_of_women", interrupted)
    monkeypatch.setattr(_demo, "audit_environment_membership", rebuild)
    out = tmp_path / "report"
    assert main(["--quick", "--out", str(out), "--device", "cpu"]) == 130
    captured = capsys.readouterr()
    assert captured.err == (
        f"wsl: interrupted; saved in {out}: reconstruction; run the same command again to compute "
        "everything\n"
    )
    assert captured.out.count("Audit") == 1
    assert (out / "reconstruction.csv").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("part", ["torch", "sklearn.pipeline"])
def test_an_interrupt_while_modules_load_ends_in_one_line(part, tmp_path):
    code = f"""
import signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {part!r}:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
from wsl._cli._main_group import main
sys.exit(main(["--quick", "--out", {str(tmp_path / "report")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "report: nothing; run the same command again" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("seconds", [0, 5])
def test_an_interrupt_of_the_main_job(seconds, tmp_path):
    """Sent to all of its processes, as a terminal does, while the second finding is computed."""
    out = tmp_path / "report"
    command = [sys.executable, "-m", "wsl", "--quick", "--out", str(out)]
    job = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (out / "reconstruction.png").exists():
        time.sleep(0.1)
    time.sleep(seconds)
    os.killpg(job.pid, signal.SIGINT)
    printed, error = job.communicate()
    assert job.returncode == 130
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith(f"wsl: interrupted; saved in {out}: reconstruction")
    assert "structural loss" in printed or seconds == 0
    assert not list(out.glob(".*"))


def test_the_readme_has_two_set_up_commands():
    assert len(re.findall(r"^```sh\n(.*)\n```", README.read_text(), re.MULTILINE)) == 2


@pytest.mark.slow
def test_the_first_example_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("WSL_DATA", str(tmp_path))
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.8 < float(done.stdout.splitlines()[0]) <= 1
    assert done.stdout.count("AuditReport") == 2
