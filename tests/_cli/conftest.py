import numpy as np
import pandas as pd
import pytest

from wsl._cli._main_group import main


@pytest.fixture
def table_file(tmp_path):
    """A table in which the target follows income, and income the group."""
    rng = np.random.default_rng(0)
    sex = rng.choice(["female", "male"], 1200)
    income = rng.normal(30, 4, 1200) + 12 * (sex == "male")
    table = pd.DataFrame(
        {
            "income": income.round(2),
            "job": rng.choice(["nurse", "clerk", "smith"], 1200),
            "age": rng.integers(18, 70, 1200),
            "sex": sex,
            "buys": np.where(income + rng.normal(0, 4, 1200) > 36, "yes", "no"),
        }
    )
    path = tmp_path / "people.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture
def audit_arguments(table_file, tmp_path):
    """Return the arguments of a small audit, with changes."""

    def arguments(**changes):
        options = {
            "target": "buys",
            "property": "sex=female",
            "values": "0.1,0.9",
            "learner": "sklearn.linear_model.LogisticRegression",
            "attacks": "queries",
            "n-samples": "100",
            "n-targets": "8",
            "n-shadows": "16",
            "n-queries": "16",
            "n-repeats": "2",
            "out": str(tmp_path / "report"),
        } | {name.replace("_", "-"): value for name, value in changes.items()}
        pairs = [(f"--{name}", value) for name, value in options.items() if value is not None]
        return ["audit", str(table_file), *(part for pair in pairs for part in pair)]

    return arguments


@pytest.fixture
def error_of(capsys):
    """Return the one line that a command which fails writes to stderr."""

    def run(arguments):
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        return captured.err

    return run
