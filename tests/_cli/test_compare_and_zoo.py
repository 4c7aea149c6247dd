import numpy as np
import pandas as pd
import pytest

from wsl import Architecture, AuditReport, ModelZoo, compare_audits
from wsl._cli._main_group import main


@pytest.mark.slow
def test_two_audits_are_compared(audit_arguments, tmp_path, capsys, error_of):
    first, second = (tmp_path / name for name in ("first", "second"))
    main(audit_arguments(out=str(first)))
    main(audit_arguments(out=str(second), set="C=0.0001"))
    paths = [str(folder / "report.json") for folder in (first, second)]
    capsys.readouterr()
    assert main(["compare", *paths, "--out", str(tmp_path / "table.csv")]) == 0
    printed = capsys.readouterr().out
    assert paths[1] in printed
    expected = compare_audits({path: AuditReport.load(path) for path in paths})
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), expected)
    assert f"{expected['difference'].iloc[0]:.3f}" in printed
    assert "at least two" in error_of(["compare", paths[0]])
    assert "twice" in error_of(["compare", paths[0], paths[0]])
    assert "missing.json" in error_of(["compare", paths[0], str(tmp_path / "missing.json")])


def test_a_zoo_is_described(tmp_path, capsys, error_of):
    architecture = Architecture.mlp(2, 3, 1)
    weights = np.zeros((5, architecture.n_weights), dtype="float32")
    metadata = pd.DataFrame({"seed": range(5), "accuracy": np.linspace(0.5, 0.9, 5)})
    ModelZoo(weights, architecture, metadata).save(tmp_path / "zoo")
    assert main(["zoo", "info", str(tmp_path / "zoo")]) == 0
    printed = capsys.readouterr().out
    assert f"5 models of {architecture.n_weights} weights" in printed
    assert "accuracy" in printed
    assert "0.9" in printed
    assert "zoo.json" in error_of(["zoo", "info", str(tmp_path)])
