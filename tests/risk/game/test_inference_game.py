from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl.distributions import (
    EnvironmentMembershipFamily,
    GaussianFamily,
    Interval,
    SubsampledFamily,
)
from wsl.exceptions import AttackNotApplicableWarning, InvalidInputError, UnsupportedModuleError
from wsl.risk import Adversary, GameReport, InferenceGame, audit
from wsl.risk.game._estimand import resolve_estimand
from wsl.risk.game._game_tables import risk_of
from wsl.risk.game._prior import resolve_prior
from wsl.risk.game._sequential_stopping import analyse_losses, resolve_interim_sizes

MEANS = GaussianFamily("mean", properties=(0, 0.1), on_inputs=0)
NARROW = GaussianFamily("mean", properties=(0, 0.1), on_inputs=0, n_features=2)
INTERVAL = GaussianFamily("mean", properties=Interval(0, 1), on_inputs=0)
QUICK = {
    "n_targets": 48,
    "n_repeats": 3,
    "n_row_sets": 0,
    "random_state": 0,
    "progress": False,
}


ADVERSARY = Adversary(n_shadows=48, n_queries=8)


def game(prior, **options):
    known = {"learner": LinearRegression(), "access": "black_box", "n_samples": 128}
    return InferenceGame(prior=prior, **known | {"adversary": ADVERSARY} | options)


def knowing(**changed):
    return replace(ADVERSARY, **changed)


def above_half(mean):
    return mean > 0.5


@pytest.mark.slow
def test_the_risk_is_that_of_the_best_adversary():
    """Least squares has slopes and an intercept: the best that reads them is known exactly."""
    report = game(MEANS, n_samples=512, adversary=knowing(n_shadows=128)).play(
        **QUICK | {"n_targets": 300}
    )
    best = 1 - MEANS.bayes_accuracy(512, "coefficients")
    (row,) = report.table.to_dict("records")
    assert row["ci_low"] <= best <= row["ci_high"]
    assert row["risk"] < best + 0.05
    assert report.prior_risk.value == report.prior_risk.low == 0.5
    assert row["advantage"] == pytest.approx(1 - 2 * row["risk"])
    assert row["advantage_low"] == pytest.approx(1 - 2 * row["ci_high"])


@pytest.mark.parametrize("family", [MEANS, INTERVAL], ids=["classes", "numbers"])
def test_a_game_is_an_audit_with_a_loss(family):
    report = game(family).play(**QUICK)
    settings = {k: v for k, v in QUICK.items() if k != "n_row_sets"}
    twin = audit(
        LinearRegression(),
        family,
        attacks="queries",
        adversary=ADVERSARY,
        n_samples=128,
        **settings,
    )
    np.testing.assert_array_equal(report.guesses["queries"], twin.guesses["queries"])
    np.testing.assert_array_equal(report.truth, twin.truth)
    found = twin.table.set_index("metric")["value"]
    risk = report.table["risk"][0]
    if family is MEANS:
        assert risk == pytest.approx(1 - found["accuracy"])
    else:
        assert risk == pytest.approx(found["mean_absolute_error"])


@pytest.mark.parametrize(
    ("loss", "expected"), [("absolute", 1 / 4), ("squared", 1 / 12), ("auto", 1 / 4)]
)
def test_the_prior_alone_costs_what_it_does_on_paper(loss, expected):
    prior = game(INTERVAL, loss=loss).play(**QUICK).prior_risk
    assert prior.low <= expected <= prior.high
    assert prior.high - prior.low < 0.1 * expected


@pytest.mark.slow
def test_a_loss_of_ones_own_moves_decisions():
    """Where a miss of class 1 costs nine times, a doubtful model is said to be of class 1."""

    def asymmetric(guesses, truth):
        return np.where(guesses == truth, 0, np.where(truth == 0.1, 9.0, 1.0))

    plain, own = (game(MEANS, loss=loss).play(**QUICK) for loss in ("zero_one", asymmetric))
    assert own.prior_risk.value == pytest.approx(0.5)  # half of the models are accused wrongly
    assert own.guesses["queries"].mean() > plain.guesses["queries"].mean() + 0.1
    expected = np.where(own.guesses["queries"] == own.truth, 0, np.where(own.truth == 1, 9.0, 1.0))
    np.testing.assert_array_equal(own.losses["queries"], expected)
    as_squared = game(INTERVAL, loss=lambda a, b: (a - b) ** 2).play(**QUICK)
    assert as_squared.prior_risk.value == pytest.approx(1 / 12, rel=0.03)


def test_a_loss_of_classes_has_a_width_where_no_guess_was_wrong():
    """As a share does: the interval is that of the share, in units of the dearest guess."""
    dear = resolve_estimand(resolve_prior(MEANS, None), lambda a, b: 5.0 * (a != b) + 1, 0)
    plain = resolve_estimand(resolve_prior(MEANS, None), "zero_one", 0)
    for losses in (np.zeros((3, 40)), np.eye(3, 40)):
        own, share = risk_of(5 * losses + 1, dear), risk_of(losses, plain)
        found = [own.value, own.low, own.high]
        assert found == pytest.approx([1 + 5 * end for end in (share.value, share.low, share.high)])
        assert own.high - own.low > 0.2


@pytest.mark.slow
def test_a_property_is_any_function_of_a_distribution():
    report = game(INTERVAL, property_of=above_half).play(**QUICK)
    assert report.classes == (False, True)
    assert report.table["risk"][0] < 0.35
    assert report.prior_risk.value == pytest.approx(0.5, abs=0.02)
    half = game(INTERVAL, property_of=lambda mean: mean / 2).play(**QUICK)
    assert half.classes is None
    assert half.prior_risk.value == pytest.approx(1 / 8, rel=0.03)
    both = game(INTERVAL, property_of=lambda mean: [mean, -mean]).play(**QUICK)
    assert both.guesses["queries"].shape == (3, 48, 2)
    assert both.prior_risk.value == pytest.approx(1 / 4, rel=0.03)


def draw_nothing(rng):
    return lambda n_samples, random_state: 3


def always_one(distribution):
    return 1.0


class Component:
    """A line whose slope is that of its component, more or less."""

    def __init__(self, rng):
        self.component = str(rng.choice(["flat", "steep"], p=[0.75, 0.25]))
        self.slope = (3.0 if self.component == "steep" else 0.0) + 0.1 * rng.normal()

    def sample(self, n_samples, random_state):
        X = random_state.normal(size=(n_samples, 1))
        return X, self.slope * X[:, 0] + random_state.normal(size=n_samples)


def component_of(distribution):
    return distribution.component


@pytest.mark.slow
def test_a_prior_is_any_function_that_draws_distributions(tmp_path):
    report = game(Component, property_of=component_of).play(**QUICK | {"n_row_sets": 64})
    assert report.classes == ("flat", "steep")
    assert report.prior_risk.value == pytest.approx(0.25, abs=0.02)
    assert report.table["risk"][0] < 0.05
    assert report.rows["risk"].iloc[-1] < 0.05
    assert report.rows["risk"].iloc[0] == report.prior_risk.value
    assert report.table["n_leaked"][0] <= 128
    assert repr(GameReport.load(report.save(tmp_path / "game.json"))) == repr(report)
    page = report.to_html(tmp_path / "page.html").read_text()
    assert "The adversary knows the distributions of the training data." in page
    assert report.settings["property_of"] == "component_of"


def test_a_function_may_stand_for_a_distribution():
    def line(rng):
        slope = rng.uniform(0, 1)

        def sample(n_samples, random_state):
            X = random_state.normal(size=(n_samples, 1))
            return X, slope * X[:, 0]

        sample.slope = slope
        return sample

    report = game(line, property_of=lambda sampler: sampler.slope).play(**QUICK)
    assert report.table["risk"][0] < 0.05
    with pytest.raises(InvalidInputError, match=r"`prior` must draw objects .* got a int"):
        game(lambda rng: 3, property_of=float).play(**QUICK)


def test_the_adversarys_own_prior():
    wide = GaussianFamily("mean", properties=Interval(0, 2), on_inputs=0)
    report = game(INTERVAL, property_of=above_half, adversary=knowing(family=wide)).play(**QUICK)
    assert report.table["risk"][0] < 0.4
    with pytest.raises(
        InvalidInputError, match=r"`adversary\.family` must only have the properties"
    ):
        game(
            INTERVAL,
            property_of=lambda m: "low" if m < 0.5 else "mid" if m < 1 else "far",
            adversary=knowing(family=wide),
        ).play(**QUICK)


@pytest.mark.slow
def test_what_the_adversary_sees():
    X, y = load_breast_cancer(return_X_y=True)
    learner = make_pipeline(StandardScaler(), LogisticRegression())
    family = SubsampledFamily(X, y, X[:, 0] > np.median(X[:, 0]), properties=(0.2, 0.8))
    seen = {
        name: game(
            family,
            learner=learner,
            access=access,
            adversary=knowing(n_queries=32, labels_only=name == "label_only"),
        ).play(**QUICK)
        for name, access in (
            ("white_box", "white_box"),
            ("black_box", "black_box"),
            ("label_only", "black_box"),
        )
    }
    assert list(seen["white_box"].losses) == ["deepsets", "queries"]
    assert list(seen["black_box"].losses) == list(seen["label_only"].losses) == ["queries"]
    risks = {name: report.table.set_index("attack")["risk"] for name, report in seen.items()}
    assert risks["black_box"]["queries"] <= risks["label_only"]["queries"]
    assert seen["black_box"].table["n_leaked_bound"].notna().all()
    with pytest.warns(AttackNotApplicableWarning, match="deepsets"):
        forest = game(family, learner=RandomForestClassifier(3), access="white_box").play(**QUICK)
    assert list(forest.skipped) == ["deepsets"]
    assert "skipped: deepsets" in repr(forest)


@pytest.mark.slow
def test_more_targets_until_the_interval_is_narrow():
    played = game(MEANS).play(**QUICK | {"width": 0.3, "max_targets": 200})
    analyses = played.interim_analyses
    assert [own.n_targets for own in analyses] == [48, 96, 192, 200][: len(analyses)]
    assert len(analyses) > 1
    assert analyses[-1].width <= 0.3 < analyses[-2].width
    row = played.table.iloc[0]
    assert row["ci_high"] - row["ci_low"] == pytest.approx(analyses[-1].width)
    assert len(played.truth) == analyses[-1].n_targets
    first = game(MEANS).play(**QUICK)
    np.testing.assert_array_equal(played.truth[:48], first.truth)
    np.testing.assert_array_equal(played.guesses["queries"][:, :48], first.guesses["queries"])
    never = game(MEANS).play(**QUICK | {"width": 1e-9, "max_targets": 48})
    assert len(never.interim_analyses) == 1


@pytest.mark.slow
def test_rows_that_tell_as_much_are_counted_rightly():
    """A constant learner shows the mean of y, so that a model tells what its own rows tell of it.

    y has the mean p and the variance 1 + 1 + 3; rows also show nothing else of p.
    """
    n_samples = 64
    family = GaussianFamily("mean", properties=(0, 0.5), on_inputs=0)
    report = game(family, learner=DummyRegressor(), n_samples=n_samples).play(
        **QUICK | {"n_targets": 400, "n_row_sets": 1000}
    )
    row, rows = report.table.iloc[0], report.rows.set_index("n_rows")
    sighted = 1 - stats.norm.cdf(np.sqrt(n_samples / 5) * 0.5 / 2)
    assert row["ci_low"] <= sighted <= row["ci_high"]
    for n_rows in (16, 64):  # who sees rows knows X, and that p is in the rest of y alone
        best = 1 - family.bayes_accuracy(n_rows)
        assert rows["ci_low"][n_rows] - 0.02 <= best <= rows["ci_high"][n_rows]
    expected = n_samples * 2 / 5
    assert row["n_leaked_low"] <= expected <= row["n_leaked_high"]


@pytest.mark.parametrize(
    ("options", "playing", "error", "message"),
    [
        ({"prior": 3}, {}, UnsupportedModuleError, "`prior` must be .* got 3"),
        (
            {"prior": Component},
            {},
            InvalidInputError,
            "`property_of` must be a function if .* got None",
        ),
        (
            {"prior": lambda rng: 0},
            {},
            InvalidInputError,
            "`property_of` must be a function if .* got None",
        ),
        ({"property_of": 3}, {}, InvalidInputError, "`property_of` must be .* got 3"),
        ({"access": "grey"}, {}, InvalidInputError, "`access` must be one of .* got 'grey'"),
        (
            {"attacks": "deepsets"},
            {},
            InvalidInputError,
            r"`attacks` must be black-box .* got \['deepsets'\]",
        ),
        ({"loss": "hinge"}, {}, InvalidInputError, "`loss` must be .* got 'hinge'"),
        (
            {"prior": INTERVAL, "loss": "zero_one"},
            {},
            InvalidInputError,
            "got 'zero_one', which is for one of a few classes",
        ),
        ({"loss": lambda a, b: 1.0}, {}, InvalidInputError, "`loss` must return .* got shape"),
        (
            {"property_of": lambda v: "same"},
            {},
            InvalidInputError,
            "`property_of` must return at least two values",
        ),
        ({"access": ["black_box"]}, {}, InvalidInputError, "`access` must be"),
        (
            {"access": "label_only"},
            {},
            InvalidInputError,
            "got 'label_only'. For predicted labels only, set `labels_only`",
        ),
        (
            {"adversary": knowing(labels_only=True)},
            {},
            InvalidInputError,
            r"`adversary\.labels_only` must be False",
        ),
        ({"adversary": 3}, {}, UnsupportedModuleError, "`adversary` must be a wsl.Adversary"),
        (
            {"adversary": knowing(learner=3)},
            {},
            UnsupportedModuleError,
            r"`adversary\.learner` must be .* got 3",
        ),
        (
            {"adversary": knowing(n_samples=0)},
            {},
            InvalidInputError,
            r"`adversary\.n_samples` must be .* got 0",
        ),
        (
            {"adversary": knowing(queries=np.zeros((4, 2)))},
            {},
            InvalidInputError,
            r"`queries` must have .* \(4,\); got \(2,\)",
        ),
        (
            {"adversary": knowing(family=NARROW)},
            {},
            InvalidInputError,
            r"`queries` must have .*features=4.* \(4,\); got \(2,\)",
        ),
        (
            {"prior": draw_nothing, "property_of": always_one},
            {},
            InvalidInputError,
            "`sample` of .* must return .* got a int",
        ),
        (
            {"prior": draw_nothing, "property_of": id},
            {},
            InvalidInputError,
            "`property_of` must return at most 100 classes",
        ),
        ({}, {"width": 0}, InvalidInputError, "`width` must be .* got 0"),
        ({}, {"width": True}, InvalidInputError, "`width` must be .* got True"),
        (
            {},
            {"max_targets": 9},
            InvalidInputError,
            "`max_targets` is only used together with `width`",
        ),
        ({}, {"width": 0.1, "max_targets": 9}, InvalidInputError, "`max_targets` must be .* got 9"),
        (
            {},
            {"n_row_sets": 3},
            InvalidInputError,
            "`n_row_sets` must be 0 or an int of at least 32; got 3",
        ),
    ],
)
def test_errors_name_what_is_wrong(options, playing, error, message):
    known = {"prior": MEANS} | options
    with pytest.raises(error, match=message):
        game(**known).play(**QUICK | playing)


@pytest.mark.slow
def test_environments_are_passed_on():
    family = EnvironmentMembershipFamily.linear_causal()
    report = game(family, n_samples=256).play(**QUICK | {"n_row_sets": 64})
    assert report.table["risk"][0] < 0.3
    with pytest.raises(InvalidInputError, match="`n_row_sets` above 0"):
        game(family).play(**QUICK).plot()
    assert len(report.plot().lines) >= 3


def test_intervals_cover_whenever_the_game_stops():
    """Of 500 games that stop as soon as they look certain, 95 in 100 hold the risk, and more."""
    rng = np.random.default_rng(0)
    estimand = resolve_estimand(resolve_prior(MEANS, None), "auto", 0)
    sizes = resolve_interim_sizes(48, 0.2, 384)
    held, stopped = 0, set()
    for _ in range(500):
        losses = (rng.random((1, 384)) < 0.2).astype(float)
        for n_targets in sizes:
            analysis = analyse_losses({"queries": losses[:, :n_targets]}, estimand, len(sizes))
            if analysis.width <= 0.2:
                break
        risk = risk_of(losses[:, : analysis.n_targets], estimand, len(sizes))
        held += risk.low <= 0.2 <= risk.high
        stopped.add(analysis.n_targets)
    assert held >= 0.95 * 500
    assert len(stopped) > 1
