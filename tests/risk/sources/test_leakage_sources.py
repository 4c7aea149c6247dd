import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from wsl.attacks import DistributionInferenceAttack
from wsl.distributions import (
    DistributionFamily,
    EnvironmentMembershipFamily,
    GaussianFamily,
    Interval,
    SubsampledFamily,
    _bayes_accuracy,
)
from wsl.exceptions import InvalidInputError
from wsl.risk import Adversary, AuditReport, SourcesReport, audit, leakage_sources
from wsl.risk.evaluation._confidence_intervals import proportion_interval
from wsl.risk.reports._sources_report import SOURCES
from wsl.risk.shadows._population import Population
from wsl.risk.sources._decomposition import decompose
from wsl.risk.sources._noise_matching import match_noise
from wsl.risk.sources._shapley import limit_weights, shapley_values, subsets
from wsl.risk.sources._shared_conditional import share_conditional

QUICK = {
    "adversary": Adversary(n_shadows=32, n_queries=16),
    "n_targets": 32,
    "n_samples": 64,
    "n_repeats": 3,
    "random_state": 0,
    "progress": False,
}
PAPER = {
    "adversary": Adversary(n_shadows=128, n_queries=6),
    "n_targets": 256,
    "n_samples": 64,
    "n_repeats": 4,
}
MEANS = GaussianFamily("mean", properties=(0, 0.6), on_inputs=0.5)
X, Y = load_breast_cancer(return_X_y=True)
TUMOURS = SubsampledFamily(X, Y, X[:, 0] > np.median(X[:, 0]), properties=(0.2, 0.8))


def advantage(distance):
    """Return the advantage of telling two normals apart, so many deviations from each other."""
    return 2 * stats.norm.cdf(distance / 2) - 1


def on_paper(n, d, a=0.5, b=1.0):
    """Return the advantage on a constant learner, least squares taking its place, on ``MEANS``.

    Of X with an attribute of mean p, E[Y|X] has the intercept b p / (1 + a^2), and y about it the
    variance t^2. The mean of y moves by b d, and with a common conditional by a^2 b d / (1 + a^2).
    """
    t = np.sqrt(b**2 / (1 + a**2) + 1)
    of_mean = np.sqrt(n / (3 + b**2 + 1))
    constant = {
        True: advantage(of_mean * b * d),
        False: advantage(of_mean * a**2 * b * d / (1 + a**2)),
    }
    fitted = {
        (True, True): 2 * _bayes_accuracy.mean_by_least_squares(d, n, 4, a, b, 1) - 1,
        (False, True): 2 * _bayes_accuracy.mean_by_least_squares(d, n, 4, a, 0, t) - 1,
        (True, False): advantage(np.sqrt(n) * b * d / (1 + a**2) / t),
        (False, False): 0.0,
    }
    return {
        on: constant["conditional" in on] if "bias" in on
        else fitted["conditional" in on, "sample" in on]
        for on in subsets(list(SOURCES))
    }  # fmt: skip


@pytest.mark.slow
def test_the_parts_are_those_on_paper():
    """A mean fluctuates alike whatever the data, so that finite data add nothing to its leak."""
    report = leakage_sources(
        DummyRegressor(), MEANS, reference_learner=LinearRegression(), **QUICK | PAPER
    )
    figures = on_paper(64, 0.6)
    expected = shapley_values(list(SOURCES), figures)
    expected |= {"rest": 0.0, "total": figures[frozenset(SOURCES)]}
    for row in report.table.to_dict("records"):
        assert row["ci_low"] - 0.03 <= expected[row["source"]] <= row["ci_high"] + 0.03, row
    for row in report.combinations.to_dict("records"):
        wanted = figures[frozenset(name for name in SOURCES if row[name])]
        assert row["ci_low"] - 0.05 <= wanted <= row["ci_high"] + 0.05, row
    assert report.dominant == "conditional"


@pytest.mark.slow
def test_finite_data_alone():
    """Inputs move and E[Y|X] does not: least squares tells by how its errors hang together.

    The closed form does not fall with n: only seen through the errors of small training sets does
    a model of large ones tell nothing.
    """
    family = GaussianFamily("mean", properties=(-1.5, 1.5), on_inputs=2, on_outcome=0, n_features=2)
    products = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(C=100.0))
    report = leakage_sources(
        LinearRegression(),
        family,
        attacks=DistributionInferenceAttack("queries", meta_estimator=products),
        reference_learner=LinearRegression(),
        sample_size_multipliers=(1, 4, 16),
        **QUICK | PAPER | {"adversary": Adversary(n_shadows=240, n_queries=3), "n_targets": 160},
    )
    rows = report.table.set_index("source")
    whole = 2 * _bayes_accuracy.mean_by_least_squares(3, 64, 2, 2, 0, 1) - 1
    assert rows["ci_low"]["total"] <= whole <= rows["ci_high"]["total"]
    assert report.dominant == "sample"
    assert rows["advantage"]["sample"] > 0.7 * whole
    assert rows["advantage"]["conditional"] == rows["advantage"]["bias"] == 0
    assert "more training data" in "".join(report.explain())


@pytest.mark.slow
def test_a_wrong_bias_alone():
    """E[Y|X] is x1, common to both; a constant learner shows where the inputs are."""

    def line(mean, n_samples, random_state):
        rng = np.random.default_rng(random_state)
        rows = rng.normal(mean, 1, (n_samples, 1))
        return rows, rows[:, 0] + rng.normal(size=n_samples)

    family = DistributionFamily.from_function(line, (0, 1))
    report = leakage_sources(
        DummyRegressor(), family, reference_learner=LinearRegression(), conditional=family, **QUICK
    )
    rows = report.table.set_index("source")["advantage"]
    assert report.dominant == "bias"
    assert rows["conditional"] == 0
    assert rows["bias"] > 0.6 * rows["total"] > 0.3
    assert "model class that suits" in "".join(report.explain())


@pytest.mark.slow
def test_parts_add_up_and_the_whole_is_that_of_the_audit():
    report = leakage_sources(LinearRegression(), MEANS, reference_learner=DummyRegressor(), **QUICK)
    rows = report.table.set_index("source")["advantage"]
    assert rows.drop("total").sum() == pytest.approx(rows["total"])
    table = audit(LinearRegression(), MEANS, attacks="queries", **QUICK).table
    accuracy = table[table["metric"] == "accuracy"]
    assert rows["total"] == pytest.approx(accuracy["advantage"].iloc[0])
    again = leakage_sources(LinearRegression(), MEANS, reference_learner=DummyRegressor(), **QUICK)
    pd.testing.assert_frame_equal(report.table, again.table)


@pytest.mark.slow
def test_a_number_is_a_property_too():
    family = GaussianFamily("mean", properties=Interval(0, 1), on_inputs=0)
    report = leakage_sources(
        LinearRegression(), family, reference_learner=LinearRegression(),
        **QUICK | {"adversary": Adversary(n_shadows=64, n_queries=16), "n_samples": 256},
    )  # fmt: skip
    assert report.dominant == "conditional"
    assert report.table.set_index("source")["advantage"]["total"] > 0.3


@pytest.mark.slow
def test_a_fitted_conditional_on_real_data():
    report = leakage_sources(
        DecisionTreeClassifier(max_depth=2), TUMOURS, reference_learner=DecisionTreeClassifier(),
        sample_size_multipliers=(1, 2, 40), **QUICK,
    )  # fmt: skip
    assert "gradient boosting fitted to 128 rows" in report.notes["conditional"]
    assert "64, 128 rows" in report.notes["sample"]
    assert set(report.table["source"]) == {*SOURCES, "rest", "total"}


@pytest.mark.slow
def test_what_cannot_be_switched_off_is_said():
    def two_outcomes(value, n_samples, random_state):
        rng = np.random.default_rng(random_state)
        rows = rng.normal(size=(n_samples, 2))
        return rows, rows + value

    family = DistributionFamily.from_function(two_outcomes, (0, 1))
    report = leakage_sources(LinearRegression(), family, **QUICK)
    assert set(report.unavailable) == {"conditional", "bias"}
    assert report.table["source"].tolist() == ["sample", "rest", "total"]
    told = " ".join(report.explain())
    assert "Memorised E[Y|X] could not be switched off: y of FunctionFamily(" in told
    assert "for a fitted conditional; got (128, 2). Wrong inductive bias" in told
    assert report.combinations["conditional"].all()
    full = {**QUICK, "n_samples": 280}
    short = leakage_sources(
        DecisionTreeClassifier(), TUMOURS, reference_learner=DecisionTreeClassifier(), **full
    )
    assert list(short.unavailable) == ["sample"]
    assert "too few rows for training sets of 2, 4 times the size" in short.unavailable["sample"]
    alone = leakage_sources(
        LinearRegression(),
        MEANS,
        reference_learner=LinearRegression(),
        sample_size_multipliers=[1],
        **QUICK,
    )
    assert alone.unavailable["sample"] == "`sample_size_multipliers` has none above 1"
    single = alone.table[alone.table["source"].isin(["rest", "total"])]
    assert (single["ci_low"] >= -1).all()
    assert (single["ci_high"] <= 1).all()


@pytest.mark.slow
def test_a_common_conditional_that_is_fitted_is_common():
    family = GaussianFamily("mean", properties=(-1, 1), on_inputs=1, on_outcome=1, n_features=2)
    fitted, told = share_conditional(family, "fitted", False, 2048, 0)
    assert "gradient boosting fitted to 4096 rows" in told
    drawn, own = [], []
    for value in (-1, 1):
        rows, outcome = fitted.sample(value, 20_000, random_state=1)
        same_rows, own_outcome = family.sample(value, 20_000, random_state=1)
        np.testing.assert_array_equal(rows, same_rows)
        near = np.abs(rows[:, 0]) < 0.5  # where both distributions have inputs
        drawn.append(outcome[near])
        own.append(own_outcome[near])
    apart = [abs(pair[1].mean() - pair[0].mean()) for pair in (drawn, own)]
    assert apart[0] < 0.3 * apart[1]
    spreads = [np.concatenate(pair).std() for pair in (drawn, own)]
    assert spreads[0] == pytest.approx(spreads[1], rel=0.1)
    classes, _ = share_conditional(TUMOURS, "fitted", True, 100, 0)
    _, drawn = classes.sample(0.2, 100, random_state=0)
    assert set(drawn.tolist()) == {0, 1}


def population(responses, properties):
    n = len(responses)
    return Population(properties, np.arange(n), responses, "logits", None, None, None, {})


def test_noise_matching_keeps_means_and_the_size_of_the_noise():
    rng = np.random.default_rng(0)
    properties = np.arange(4000) % 2
    means = properties[:, None, None] * np.array([1.0, 2.0])[:, None]
    spread = np.where(properties == 1, 3.0, 0.5)[:, None, None]  # fluctuations tell the property
    small = population(
        (means + spread * rng.normal(size=(4000, 2, 1))).astype(np.float32), properties
    )
    large = population(
        (means + spread / 10 * rng.normal(size=(4000, 2, 1))).astype(np.float32), properties
    )
    seen = match_noise(large, small, small, 100, seed=0)
    groups = [seen.responses[properties == c] for c in (0, 1)]
    np.testing.assert_allclose(groups[1].mean(0) - groups[0].mean(0), [[1], [2]], atol=0.25)
    assert groups[1].std() == pytest.approx(groups[0].std(), rel=0.15)
    assert match_noise(small, small, small, 1, seed=0).responses == pytest.approx(small.responses)
    numbers = population(small.responses, properties.astype(float))
    same = match_noise(replace(large, properties=numbers.properties), numbers, numbers, 100, seed=0)
    np.testing.assert_allclose(same.responses, seen.responses, atol=1e-3)


def made(seed=0, **described):
    """Return a report of advantages that are known: conditional .5, sample .2, bias .1."""
    rng = np.random.default_rng(seed)
    noise = 0.1 * rng.normal(size=(4, 100))
    advantages = {
        (c, b, k): 0.5 * c + 0.1 * b + 0.2 / k + noise for c in (True, False) for b in (True, False)
        for k in (1, 2, 4)
    }  # fmt: skip
    return decompose(advantages, list(SOURCES), (1, 2, 4), 100, **described)


def test_known_advantages_are_divided_as_they_were_put_together():
    report = made()
    rows = report.table.set_index("source")["advantage"]
    assert rows[["conditional", "bias"]].tolist() == pytest.approx([0.5, 0.1])
    assert rows["sample"] == pytest.approx(0.2)
    assert rows["total"] - rows["rest"] == pytest.approx(0.8)
    assert report.lead["value"] == pytest.approx(0.3)
    assert report.dominant == "conditional"
    assert "causal learning" in " ".join(report.explain())
    assert "not certain" not in " ".join(report.explain())
    sample = report.table.set_index("source").loc["sample"]
    by_the_other_rate = 0.2 * (1 - limit_weights((1, 2, 4), 0.5) @ [1, 1 / 2, 1 / 4])
    assert sample["ci_low"] < 0.2 < by_the_other_rate <= sample["ci_high"] + 1e-12


@pytest.mark.slow
def test_intervals_cover():
    """Of 200 analyses with parts of .5, .1 and .2, nineteen in twenty hold each."""
    truth = {"conditional": 0.5, "bias": 0.1, "sample": 0.2, "rest": 0.0, "total": 0.8}
    held = dict.fromkeys(truth, 0)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        by_target, by_half = rng.normal(size=(12, 1, 60)), rng.normal(size=(12, 6, 1))
        keys = [(c, b, k) for c in (True, False) for b in (True, False) for k in (1, 2, 4)]
        advantages = {
            (c, b, k): 0.5 * c + 0.1 * b + 0.2 / k
            + 0.3 * by_target[i] + 0.02 * by_half[i] + 0.2 * rng.normal(size=(6, 60))
            for i, (c, b, k) in enumerate(keys)
        }  # fmt: skip
        for row in decompose(advantages, list(SOURCES), (1, 2, 4), 9).table.to_dict("records"):
            held[row["source"]] += row["ci_low"] <= truth[row["source"]] <= row["ci_high"]
    assert min(held.values()) >= 182, held


def hits(rng, shares):
    """Return advantages of guesses of two classes, of which a share each is right."""
    return {
        (c, b, k): 2.0 * (rng.random((1, 64)) < share).repeat(4, axis=0) - 1
        for (c, b), share in shares.items() for k in (1, 2, 4)
    }  # fmt: skip


def test_guesses_that_are_all_right_leave_a_doubt():
    """A single figure has the interval of a share; arms that are one and the same cancel."""
    perfect = np.ones((4, 50))
    half = np.sign(np.random.default_rng(0).normal(size=(4, 50)))
    advantages = {}
    for k in (1, 2, 4):  # more rows are other models, another learner here is not
        for c, own in ((True, perfect.copy()), (False, half.copy())):
            advantages |= {(c, b, k): own for b in (True, False)}
    report = decompose(advantages, list(SOURCES), (1, 2, 4), 9, floor=-1.0)
    rows = report.table.set_index("source")
    share = proportion_interval(perfect)
    assert rows["advantage"]["total"] == rows["ci_high"]["total"] == 1
    assert rows["ci_low"]["total"] == pytest.approx(1 - (share.high - share.low))
    ends = rows.loc[["bias", "sample"], ["ci_low", "ci_high"]].to_numpy()
    np.testing.assert_allclose(ends[0], 0, atol=1e-12)
    assert ends[1, 0] < -0.01 < 0.01 < ends[1, 1]
    plain = decompose(advantages, list(SOURCES), (1, 2, 4), 9).table.set_index("source")
    assert plain["ci_low"]["total"] == 1
    wider = rows["ci_high"] - rows["ci_low"] >= plain["ci_high"] - plain["ci_low"] - 1e-12
    assert wider.drop("total").all()


@pytest.mark.slow
def test_intervals_cover_where_errors_are_rare():
    shares = {(True, True): 0.99, (True, False): 0.98, (False, True): 0.6, (False, False): 0.5}
    truth = {"conditional": 0.87, "bias": 0.11, "sample": 0.0, "rest": 0.0, "total": 0.98}
    held = dict.fromkeys(truth, 0)
    for seed in range(200):
        advantages = hits(np.random.default_rng(seed), shares)
        report = decompose(advantages, list(SOURCES), (1, 2, 4), 9, floor=-1.0)
        for row in report.table.to_dict("records"):
            held[row["source"]] += row["ci_low"] <= truth[row["source"]] <= row["ci_high"]
    assert min(held.values()) >= 182, held


def test_a_report_that_is_stored_and_shown(tmp_path):
    report = made(notes={"bias": "a <b> learner"}, settings={"learner": "L()", "n": 3})
    path = report.save(tmp_path / "sources.json")
    json.loads(path.read_text(), parse_constant=pytest.fail)
    loaded = SourcesReport.load(path)
    assert repr(loaded) == repr(report)
    for name in ("table", "combinations", "by_n_samples"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(report, name))
    page = report.to_html(tmp_path / "page.html").read_text()
    assert "a &lt;b&gt; learner" in page
    assert "causal learning" in page
    assert "<svg" in page
    ax = report.plot()
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(report.table["advantage"])
    rows = [("queries", "accuracy", 0.9, 0.85, 0.95, 0.8, np.nan)]
    audited = AuditReport(
        pd.DataFrame(rows, columns=list(AuditReport.COLUMNS)), chance={"accuracy": 0.5}
    )
    page = audited.to_html(tmp_path / "audit.html", sources=report).read_text()
    assert "Sources of the leak" in page
    assert "Sources of the leak" not in audited.to_html(tmp_path / "audit.html").read_text()
    (tmp_path / "other.json").write_text('{"format": "other", "version": 1}')
    with pytest.raises(
        InvalidInputError, match="must be a wsl-sources-report of version 2; got 'other'"
    ):
        SourcesReport.load(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attacks": ("queries", "kl")}, "`attacks` must be one attack"),
        ({"adversary": Adversary(labels_only=True)}, r"`adversary\.labels_only` must be left at"),
        ({"adversary": Adversary(n_shadows=3)}, r"`adversary\.n_shadows` must be .* got 3"),
        ({"attacks": "deepsets"}, "`attacks` must be a black-box attack"),
        ({"attacks": "threshold"}, "`attacks` must be a black-box attack"),
        ({"sample_size_multipliers": (2, 4)}, "`sample_size_multipliers` must be"),
        ({"sample_size_multipliers": 3}, "`sample_size_multipliers` must be .* got 3"),
        ({"conditional": "none"}, "`conditional` must be .* got 'none'"),
        ({"conditional": TUMOURS}, "`conditional` must have the properties"),
        ({"n_targets": 0}, "`n_targets` must be .* got 0"),
        (
            {"reference_learner": LogisticRegression()},
            "`reference_learner` must be a regressor, .* got a classifier",
        ),
    ],
)
def test_errors_name_what_is_wrong(options, message):
    with pytest.raises(InvalidInputError, match=message):
        leakage_sources(LinearRegression(), MEANS, **QUICK | options)


def test_a_family_that_knows_no_common_conditional():
    causal = EnvironmentMembershipFamily.linear_causal()
    with pytest.raises(InvalidInputError, match="`conditional` must not be 'known'"):
        leakage_sources(LinearRegression(), causal, conditional="known", **QUICK)
