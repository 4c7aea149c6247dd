import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from wsl import Adversary, SubsampledFamily, audit_model
from wsl._cli._learner_source import with_encoding
from wsl._cli._main_group import main
from wsl.risk import ModelAuditReport


def dump_skops(model, path):
    import skops.io  # slow to import

    skops.io.dump(model, path)


@pytest.fixture
def trained(table_file):
    """A model that keeps the frequencies of classes among 90% women, and its family."""
    table = pd.read_csv(table_file)
    X, y = table.drop(columns="buys"), table["buys"]
    family = SubsampledFamily(X, y, "sex", value="female", properties=(0.1, 0.9))
    model = with_encoding(DummyClassifier(strategy="prior"), X)
    return model.fit(*family.sample(0.9, 100, random_state=5)), family


@pytest.fixture
def arguments(table_file, tmp_path):
    def build(model, *more):
        return [
            "audit-model", str(model), "--table", str(table_file), "--target", "buys",
            "--property", "sex=female", "--values", "0.1,0.9", "--n-samples", "100",
            "--n-shadows", "20", "--n-queries", "16", "--out", str(tmp_path / "report"), *more,
        ]  # fmt: skip

    return build


def test_a_report_is_that_of_audit_model(trained, arguments, tmp_path, capsys):
    model, family = trained
    path = tmp_path / "model.skops"
    dump_skops(model, path)
    assert main(arguments(path)) == 0
    report = ModelAuditReport.load(tmp_path / "report" / "report.json")
    expected = audit_model(
        {"model.skops": model}, family, attacks="queries", n_samples=100, random_state=0,
        adversary=Adversary(n_shadows=20, n_queries=16),
    )  # fmt: skip
    pd.testing.assert_frame_equal(report.table, expected.table)
    printed = capsys.readouterr().out
    assert report.explain()[0].split()[:6] == printed.split("\n\n")[-2].split()[:6]
    assert "90%" in report.explain()[0]
    assert report.table["guess"].tolist() == [0.9]
    assert main(arguments(path, "--fail-above", "probability=0.5")) == 1
    assert main(arguments(path, "--fail-above", "probability=1")) == 0


@pytest.mark.slow
def test_a_pickle_is_loaded_on_request_only(trained, arguments, tmp_path, error_of):
    path = tmp_path / "model.joblib"
    joblib.dump(trained[0], path)
    assert "--trust does that" in error_of(arguments(path))
    assert main(arguments(path, "--trust")) == 0


class Unsafe:
    def __reduce__(self):
        return (print, ("code ran",))


def test_no_code_of_a_file_runs(arguments, tmp_path, error_of):
    for name in ("model.pkl", "model.skops", "model.txt"):
        path = tmp_path / name
        joblib.dump(Unsafe(), path)
        assert "code ran" not in error_of(arguments(path))


def test_untrusted_types_are_named(trained, arguments, tmp_path, error_of):
    path = tmp_path / "model.skops"
    dump_skops(np.random.default_rng(0).normal, path)
    assert "skops does not know to be safe" in error_of(arguments(path))


@pytest.mark.slow
def test_recorded_responses_stand_for_the_model(trained, arguments, tmp_path):
    model, family = trained
    queries = family.sample(0.9, 40, random_state=7)[0]
    path = tmp_path / "responses.csv"
    recorded = queries.assign(no=model.predict_proba(queries)[:, 0])
    recorded.assign(yes=1 - recorded["no"]).to_csv(path, index=False)
    learner = ["--learner", "sklearn.dummy.DummyClassifier", "--set", "strategy=prior"]
    assert main(arguments(path, "--responses", "no", "--responses", "yes", *learner)) == 0
    report = ModelAuditReport.load(tmp_path / "report" / "report.json")
    assert report.table["guess"].tolist() == [0.9]


def test_the_columns_are_those_that_the_model_takes(arguments, table_file, tmp_path, error_of):
    path = tmp_path / "model.joblib"
    table = pd.read_csv(table_file)
    joblib.dump(LogisticRegression().fit(table[["age"]].assign(more=1), table["buys"]), path)
    assert "no column 'more', which the model was trained on" in error_of(
        arguments(path, "--trust")
    )
    (tmp_path / "r.csv").write_text("age,answer\n30,yes\n")
    learner = ["--learner", "sklearn.dummy.DummyClassifier", "--responses", "answr"]
    assert "`--responses` must be columns" in error_of(arguments(tmp_path / "r.csv", *learner))
    joblib.dump(LogisticRegression().fit(table[["age"]], table["buys"]), path)
    assert main(arguments(path, "--trust")) == 0


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("model.h5", [], "MODEL must be a .skops file"),
        ("model.csv", [], "needs --responses and --learner"),
        ("model.skops", ["--responses", "p"], "--responses"),
        ("model.skops", [], "cannot be loaded"),
    ],
)
def test_a_wrong_model_is_refused(name, more, said, arguments, tmp_path, error_of):
    (tmp_path / name).write_text("a,b\n1,2\n")
    assert said in error_of(arguments(tmp_path / name, *more))
    (tmp_path / name).unlink()
    if name == "model.h5":
        assert "cannot be read" in error_of(arguments(tmp_path / name, *more))
