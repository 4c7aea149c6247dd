"""Reports of trained models: words, plots and files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wsl.displays import ReliabilityDisplay
from wsl.exceptions import InvalidInputError
from wsl.risk import ModelAuditReport
from wsl.risk.evaluation._tables import COLUMNS


def report_of(classes=(0.2, 0.5), n_models=1, accuracy_low=0.8, ratio=4.0):
    """A report on classes of which the second is inferred."""
    rng = np.random.default_rng(0)
    truth = np.arange(20) % 2
    names = ["model"] if n_models == 1 else [f"m{i}" for i in range(n_models)]
    probability = ratio / (1 + ratio)
    table = pd.DataFrame(
        {
            "model": names, "attack": "queries", "guess": [classes[1]] * n_models,
            "probability": probability, "prior": 0.5, "likelihood_ratio": ratio, "typicality": 0.5,
        }
    )  # fmt: skip
    row = ("queries", "accuracy", 0.9, accuracy_low, 0.95, 0.8, 2.2)
    errors = {"attack": ["queries"], "calibration_error": 0.03, "ci_low": 0.0, "ci_high": 0.06}
    bins = {"attack": ["queries"], "n_models": 20, "probability": 0.8, "frequency": 0.9}
    scores = rng.dirichlet([1, 1], size=(1, 20)).astype(np.float32)
    return ModelAuditReport(
        table=table,
        attack="queries",
        posteriors={"queries": np.tile([[[1 - probability, probability]]], (n_models, 1, 1))},
        prior=np.array([[0.5, 0.5]]),
        grid=None,
        average=pd.DataFrame([row], columns=list(COLUMNS)),
        calibration=pd.DataFrame(errors | {"if_calibrated": 0.04, "log_loss": 0.3}),
        reliability=pd.DataFrame(bins | {"ci_low": 0.7, "ci_high": 1.0}),
        chance={"accuracy": 0.5},
        truth=truth,
        guesses={"queries": scores.argmax(axis=2)},
        scores={"queries": scores},
        classes=classes,
        settings={
            "adversary_learner": "LogisticRegression()", "adversary_n_samples": 100,
            "adversary_family": "F", "family": "G()", "n_shadows": 20, "n_queries": 8,
            "queries": "family", "labels_only": False, "prior": "uniform",
        },
    )  # fmt: skip


def interval_report():
    """A report on a continuous property between 0 and 1."""
    report = report_of()
    table = pd.DataFrame(
        {
            "model": ["model"], "attack": "queries", "guess": 0.4, "ci_low": 0.3, "ci_high": 0.5,
            "prior_low": 0.025, "prior_high": 0.975, "typicality": 0.5,
        }
    )  # fmt: skip
    error = ("queries", "mean_absolute_error", 0.1, 0.08, 0.12, 0.6, np.nan)
    values = np.linspace(0, 1, 20)
    return replace(
        report,
        table=table,
        posteriors={"queries": np.ones((1, 1, 5))},
        prior=np.ones((1, 5)),
        grid=np.linspace(0, 1, 5)[None],
        average=pd.DataFrame([error], columns=list(COLUMNS)),
        chance={"mean_absolute_error": 0.25},
        truth=values,
        guesses={"queries": values[None] + 0.1},
        scores={},
        classes=None,
    )


def test_the_finding_says_what_was_at_stake_and_how_likely_it_is():
    named = replace(report_of(), names={"group": "women", "learner": "the income model"})
    finding, success, calibration = named.explain()
    assert finding == (
        "The income model reveals whether 20% or 50% of the training rows are women: 50% has a "
        "probability of 80.0%, before the model was observed 50.0% (likelihood ratio 4)."
    )
    assert "guesses right for 90.0% of models (95% interval 80.0% to 95.0%, n = 20" in success
    assert "by 0.030 on average (95% interval 0.000 to 0.060); perfect calibration gives 0.040" in (
        calibration
    )


def test_one_guess_is_not_a_finding_where_the_attack_is_no_better_than_chance():
    report = report_of(accuracy_low=0.45, ratio=30.0)
    assert not report.is_informative
    assert report.explain()[0].startswith("It is not shown that the model reveals whether the prop")
    assert "is not shown to do better than chance" in report.explain()[0]
    assert "0.5 has a probability of 96.8%" in report.explain()[1]


def test_weak_evidence_is_called_little():
    assert "The model reveals little of whether" in report_of(ratio=2.0).explain()[0]


def test_a_model_unlike_all_shadow_models_is_named():
    report = report_of(n_models=3)
    strange = replace(report, table=report.table.assign(typicality=[0.5, 0.004, 0.5]))
    assert "1 of 3 models respond unlike all shadow models (m1), so not" in strange.explain()[1]
    alone = report_of()
    strange = replace(alone, table=alone.table.assign(typicality=0.004))
    assert strange.explain()[1].startswith("The model responds unlike all shadow models, so not")
    assert not any("unlike" in text for text in report.explain())


def test_several_models_are_counted():
    report = report_of(n_models=3)
    assert report.explain()[0].startswith("3 of 3 models reveal whether the property")
    assert report.explain()[1].startswith("m0: 0.5 has a probability")
    assert report.posterior("m1")["model"].unique().tolist() == ["m1"]
    assert len(report.posterior()) == 6


def test_an_interval_in_words():
    finding = replace(interval_report(), names={"group": "women"}).explain()[0]
    assert finding == (
        "What the model reveals of the fraction of women among its training rows: with a "
        "probability of 95%, it is between 0.3 and 0.5, before the model was observed between "
        "0.025 and 0.975."
    )


@pytest.mark.parametrize(
    "report", [report_of(), report_of((("a", 1), ("b", 2))), interval_report()]
)
def test_a_saved_report_comes_back(report, tmp_path):
    loaded = ModelAuditReport.load(report.save(tmp_path / "report.json"))
    assert loaded.explain() == report.explain()
    assert loaded.to_markdown() == report.to_markdown()
    pd.testing.assert_frame_equal(loaded.table, report.table)
    np.testing.assert_array_equal(loaded.posteriors["queries"], report.posteriors["queries"])
    assert loaded.classes == report.classes


def test_a_report_whose_fields_contradict_each_other_is_refused(tmp_path):
    wrong = replace(report_of(), posteriors={"queries": np.ones((1, 1, 3))})
    with pytest.raises(InvalidInputError, match="`posteriors` of 'queries' must have shape"):
        ModelAuditReport.load(wrong.save(tmp_path / "report.json"))


@pytest.mark.parametrize("report", [report_of(n_models=2), interval_report()])
def test_a_page_and_its_plots(report, tmp_path):
    page = report.to_html(tmp_path / "page.html").read_text()
    assert page.count("<svg") >= 2
    assert "What is assumed" in page
    assert "<svg" in report._repr_html_()
    display = ReliabilityDisplay.from_report(report)
    assert display.ax_.get_xlabel() == report.plot_reliability().get_xlabel()
    assert "ModelAuditReport" in repr(report)


def test_the_page_holds_code_that_runs_the_audit_again():
    text = report_of().to_markdown()
    code = text.split("```python\n")[1].split("```")[0]
    arguments = {}

    def audit_model(*positional, **named):
        arguments.update(named, positional=positional)

    scope = {"LogisticRegression": str, "G": list, "F": "F", "model": 1, "audit_model": audit_model}
    exec(code.replace("from wsl import Adversary, audit_model", "from wsl import Adversary"), scope)
    assert arguments["positional"] == (1, [])
    assert (arguments["n_samples"], arguments["attacks"]) == (100, ["queries"])
    assert (arguments["adversary"].family, arguments["adversary"].n_queries) == ("F", 8)


def test_unknown_names_are_refused():
    report = report_of()
    with pytest.raises(InvalidInputError, match=r"`model` must be one of \['model'\]; got 'x'"):
        report.posterior("x")
    with pytest.raises(InvalidInputError, match="`attack` must be one of"):
        report.posterior(attack="kl")
    with pytest.raises(InvalidInputError, match="`names` must"):
        replace(report, names={"color": "red"})
    with pytest.raises(InvalidInputError, match="`tables` must hold at least one table"):
        ReliabilityDisplay({})


def test_posteriors_of_models_whose_value_is_known_are_checked():
    report = report_of(n_models=3)
    loss = report.check([0.5, 0.5, 0.2])["log_loss"][0]
    assert loss == pytest.approx(-(2 * np.log(0.8) + np.log(0.2)) / 3)
    uniform = interval_report().check([0.3])
    assert uniform["attack"].tolist() == ["queries"]
    assert uniform["log_loss"][0] == pytest.approx(0)
    with pytest.raises(InvalidInputError, match="one entry for each of 3 models; got 1"):
        report.check([0.5])
    with pytest.raises(InvalidInputError, match=r"`values` must be among \(0.2, 0.5\); got 0.3"):
        report.check([0.5, 0.5, 0.3])
