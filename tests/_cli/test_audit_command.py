import tomllib

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from wsl import Adversary, AuditReport, SubsampledFamily, audit
from wsl._cli._learner_source import with_encoding
from wsl._cli._main_group import main


def test_a_report_is_that_of_audit(audit_arguments, table_file, tmp_path, capsys):
    assert main(audit_arguments(set="C=0.5")) == 0
    out = tmp_path / "report"
    report = AuditReport.load(out / "report.json")

    table = pd.read_csv(table_file)
    order = np.random.default_rng(0).permutation(len(table))
    train, held_out = np.sort(order[240:]), np.sort(order[:240])
    X, y = table.drop(columns="buys"), table["buys"]
    family = SubsampledFamily(
        X.iloc[train], y.iloc[train], "sex", value="female", properties=(0.1, 0.9)
    )
    targets, known = family.split(0.5, random_state=0)
    expected = audit(
        with_encoding(LogisticRegression(C=0.5), X),
        targets,
        attacks="queries",
        adversary=Adversary(family=known, n_shadows=16, n_queries=16),
        n_targets=8,
        n_samples=100,
        n_repeats=2,
        test_set=(X.iloc[held_out], y.iloc[held_out]),
        random_state=0,
    )
    pd.testing.assert_frame_equal(report.table, expected.table)
    pd.testing.assert_frame_equal(report.utility, expected.utility)

    printed = capsys.readouterr().out
    assert report.explain()[0].split()[:8] == printed.split("\n\n")[2].split()[:8]
    assert "Models see the column 'sex'" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 80
    assert "10% or 90% of the training rows are rows with sex=female" in report.explain()[0]
    assert "Models see the column 'sex', which defines" in (out / "report.md").read_text()
    for name in ("report.html", "report.md", "table.csv"):
        assert (out / name).stat().st_size > 0


@pytest.mark.slow
def test_a_run_is_repeated_from_its_config_and_cache(audit_arguments, tmp_path):
    assert main(audit_arguments(seed="3", group="women")) == 0
    config = tmp_path / "report" / "config.toml"
    options = tomllib.loads(config.read_text())
    assert (options["property"], options["group"], options["seed"]) == ("sex=female", "women", 3)
    trained = sorted((tmp_path / "report" / "cache").iterdir())
    again = tmp_path / "again"
    assert main(["audit", "--config", str(config), "--out", str(again)]) == 0
    first, second = (
        AuditReport.load(folder / "report.json") for folder in (tmp_path / "report", again)
    )
    pd.testing.assert_frame_equal(first.table, second.table)
    assert trained
    assert main(["audit", "--config", str(config)]) == 0
    assert sorted((tmp_path / "report" / "cache").iterdir()) == trained


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "code"), [("advantage=1.1", 0), ("auc=0.2", 1)])
def test_a_threshold_decides_the_exit_code(limit, code, audit_arguments):
    assert main(audit_arguments(fail_above=limit)) == code


@pytest.mark.slow
def test_the_mean_of_a_column_is_estimated(audit_arguments, tmp_path):
    arguments = audit_arguments(property="age", values="40..48", drop="age")
    assert main(arguments) == 0
    report = AuditReport.load(tmp_path / "report" / "report.json")
    assert report.table["metric"].tolist() == ["mean_absolute_error"]
    assert "mean of age" in report.explain()[1] or "mean of age" in report.explain()[0]


@pytest.mark.slow
def test_rows_without_target_or_property(audit_arguments, table_file, error_of, capsys):
    table = pd.read_csv(table_file)
    table.loc[:4, "sex"] = np.nan
    table.loc[3:9, "buys"] = np.nan
    table.to_csv(table_file, index=False)
    assert "10 of 1200 rows have no value in 'buys' or 'sex'" in error_of(audit_arguments())
    assert main(audit_arguments(missing="drop")) == 0
    assert "Left out: 10 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "bys"}, "--target: no column 'bys'; columns: income, job"),
        ({"drop": "sx"}, "--drop: no column 'sx'"),
        ({"property": "sex=woman"}, "no row has sex=woman; values of 'sex': "),
        ({"property": "sex"}, "for the fraction of a group write sex="),
        ({"property": "sex>3"}, "must compare a numeric column with a number"),
        ({"property": "gender=f"}, "--property: no column 'gender'"),
        ({"values": "some"}, "--values"),
        ({"values": "0.2,2"}, "[0, 1]"),
        ({"learner": "sklearn.linear_model.LogReg"}, "--learner"),
        ({"learner": "pathlib.Path"}, "must be a class of scikit-learn estimators"),
        ({"learner": "LogisticRegression"}, "--learner"),
        ({"set": "c=1"}, "--set: LogisticRegression has no parameter 'c'"),
        ({"set": "C"}, "must be NAME=VALUE"),
        ({"attacks": "quries"}, "quries"),
        ({"fail_above": "advantag=.2"}, "--fail-above"),
        ({"fail_above": "advantage"}, "--fail-above"),
        ({"n_samples": "5000"}, "`--n-samples` must leave enough rows"),
        ({"n_targets": "0"}, "--n-targets"),
        ({"target": None}, "--target"),
        ({"encode": "none"}, "cannot be trained on the table: ValueError: could not"),
        ({"out": "/dev/null/report"}, "--out: /dev/null/report must be a folder to write to"),
    ],
)
def test_a_wrong_option_is_named(changes, said, audit_arguments, error_of):
    assert said in error_of(audit_arguments(**changes))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a table with a header"),
        ("buys,sex\n", "must have rows"),
        ("buys,sex,sex\nyes,female,male\n", "['sex'] occur twice"),
        ("buys,sex\nyes,female\nyes,male\n", "must have at least two values; got ['yes']"),
        ('buys,sex\n"yes,female\n', "must be a table"),
    ],
)
def test_a_wrong_table_is_refused(text, said, audit_arguments, table_file, error_of):
    table_file.write_text(text)
    assert said in error_of(audit_arguments())


def test_a_table_that_is_no_file(audit_arguments, table_file, tmp_path, error_of):
    arguments = audit_arguments()
    arguments[1] = str(tmp_path)
    assert "must be a regular file" in error_of(arguments)
    arguments[1] = str(tmp_path / "none.csv")
    assert "none.csv cannot be read" in error_of(arguments)


def test_a_wrong_config_is_refused(tmp_path, error_of):
    config = tmp_path / "config.toml"
    config.write_text("targt = 'buys'\n")
    assert "got targt" in error_of(["audit", "--config", str(config)])
    config.write_text("target = \n")
    assert "config.toml" in error_of(["audit", "--config", str(config)])
