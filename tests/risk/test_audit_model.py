"""Audits of models that are trained already, of every kind that users have."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from skorch import NeuralNetClassifier
from torch import nn

from wsl import Architecture, CausalMitigatedRegressor
from wsl.attacks import DistributionInferenceAttack, DistributionInferenceRegressor
from wsl.distributions import (
    DistributionFamily,
    EnvironmentMembershipFamily,
    Interval,
    SubsampledFamily,
)
from wsl.exceptions import AttackNotApplicableWarning, IdenticalDistributionsWarning
from wsl.risk import Adversary, RecordedResponses, audit_model, train_shadows
from wsl.risk.shadows._trainer import Trainer

X, Y = load_breast_cancer(return_X_y=True)
LARGE = X[:, 0] > np.median(X[:, 0])
TUMOURS = SubsampledFamily(X, Y, LARGE, properties=(0.1, 0.9))
CAUSAL = EnvironmentMembershipFamily.linear_causal()
SCALED = make_pipeline(StandardScaler(), LogisticRegression())
QUICK = {
    "adversary": Adversary(n_shadows=12, n_queries=8),
    "attacks": "queries",
    "n_samples": 60,
    "random_state": 0,
    "progress": False,
}
NOISE = 0.5  # of the mean of four rows


def around(mean, n_samples, random_state):
    """Outcomes around the property, whatever the inputs are."""
    rng = np.random.default_rng(random_state)
    return rng.normal(size=(n_samples, 2)), rng.normal(mean, 1, n_samples)


class Constant:
    """A model that is no estimator, and always says the same."""

    def __init__(self, value):
        self.value = value

    def predict(self, X):
        return np.full(len(X), self.value)


def audit_means(properties, values, n_shadows, attack, **options):
    """Audit models whose response is a mean: given the property, normal with ``NOISE``."""
    return audit_model(
        [Constant(value) for value in values],
        DistributionFamily.from_function(around, properties),
        learner=DummyRegressor(),
        adversary=Adversary(n_shadows=n_shadows, n_queries=2),
        attacks=attack, n_samples=4, random_state=0, progress=False, **options,
    )  # fmt: skip


def linear_attack():
    """An attack that knows that log-odds are linear in the responses."""
    return DistributionInferenceAttack("queries", meta_estimator=LogisticRegression(C=100))


def exact_posterior(values, means, prior):
    likelihoods = stats.norm.pdf(np.asarray(values)[:, None], means, NOISE)
    return likelihoods * prior / (likelihoods * prior).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("means", [(0, 1), (0, 1, 2)])
def test_the_posterior_of_a_class_is_that_of_bayes(means):
    values = np.linspace(-0.3, means[-1] + 0.3, 5)
    report = audit_means(means, values, 200, linear_attack())
    posterior = report.posteriors["queries"]
    assert posterior.shape == (5, 1, len(means))
    exact = exact_posterior(values, means, np.full(len(means), 1 / len(means)))
    np.testing.assert_allclose(posterior[:, 0], exact, atol=0.1)
    assert report.table["probability"].to_numpy() == pytest.approx(posterior[:, 0].max(axis=1))
    assert report.table["guess"].tolist() == [means[i] for i in posterior[:, 0].argmax(axis=1)]
    assert report.is_informative


def test_a_prior_changes_the_posterior_by_bayes_rule_and_not_the_likelihood_ratio():
    values, prior = np.array([0.1, 0.8]), [0.8, 0.2]
    equal = audit_means((0, 1), values, 32, linear_attack())
    skewed = audit_means((0, 1), values, 32, linear_attack(), prior=prior)
    named = audit_means((0, 1), values, 32, linear_attack(), prior={1: 0.2, 0: 0.8})
    posterior = equal.posteriors["queries"][:, 0]
    odds = posterior[:, 1] / posterior[:, 0]
    ratios = equal.table["likelihood_ratio"].to_numpy()
    np.testing.assert_allclose(ratios, np.where(odds > 1, odds, 1 / odds))
    np.testing.assert_allclose(
        skewed.posteriors["queries"][:, 0, 1], 0.2 * odds / (0.8 + 0.2 * odds)
    )
    assert skewed.table.equals(named.table)
    assert skewed.table["prior"].tolist() == [prior[guess] for guess in skewed.table["guess"]]


def test_the_posterior_of_a_number_is_that_of_bayes():
    values = np.array([0.2, 1.5, 2.5, 4.8])
    attack = DistributionInferenceRegressor("queries", meta_estimator=LinearRegression())
    report = audit_means(Interval(0, 5), values, 200, attack)
    exact = stats.truncnorm(-values / NOISE, (5 - values) / NOISE, values, NOISE)
    for column, level in (("ci_low", 0.025), ("guess", 0.5), ("ci_high", 0.975)):
        np.testing.assert_allclose(report.table[column], exact.ppf(level), atol=0.25)
    assert report.table[["prior_low", "prior_high"]].to_numpy() == pytest.approx(
        np.tile([0.125, 4.875], (4, 1))
    )
    narrow = stats.norm(2, 0.3)
    by_prior = audit_means(Interval(0, 5), [2.6], 200, attack, prior=narrow)
    mean = (2.6 / NOISE**2 + 2 / 0.3**2) / (1 / NOISE**2 + 1 / 0.3**2)
    assert by_prior.table["guess"][0] == pytest.approx(mean, abs=0.1)
    density = by_prior.posterior()
    assert np.trapezoid(density["probability"], density["value"]) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("properties", [(0, 1), (0, 0.7, 1.4), Interval(0, 5)])
def test_posteriors_of_two_hundred_models_are_calibrated(properties):
    family = DistributionFamily.from_function(around, properties)
    truth = family.draw_properties(200, np.random.default_rng(5))
    values = [around(value, 4, 10_000 + i)[1].mean() for i, value in enumerate(truth.tolist())]
    report = audit_means(properties, values, 256, "queries")
    for calibration in (report.calibration.iloc[0], report.check(truth.tolist()).iloc[0]):
        assert calibration["ci_low"] == 0
        assert calibration["ci_high"] < 0.15
    if report.classes is None:
        inside = (report.table["ci_low"] <= truth) & (truth <= report.table["ci_high"])
        assert 0.9 <= inside.mean() <= 0.99
        return
    right = report.table["guess"].to_numpy() == truth
    expected = report.table["probability"]
    error = np.sqrt((expected * (1 - expected)).sum()) / len(expected)
    assert abs(right.mean() - expected.mean()) < 3 * error


def test_models_without_the_property_are_said_to_reveal_nothing():
    rng = np.random.default_rng(0)
    family = DistributionFamily.from_function(lambda value, n, seed: around(0, n, seed), (0, 1))
    with pytest.warns(IdenticalDistributionsWarning):
        report = audit_model(
        [Constant(value) for value in rng.normal(0, NOISE, 4)], family, learner=DummyRegressor(),
        **QUICK | {"n_samples": 4},
    )  # fmt: skip
    assert not report.is_informative
    assert report.explain()[0].startswith("It is not shown that the models reveal")


def test_the_model_is_used_as_it_is():
    """White and black box, and the report says what it assumes."""
    model = SCALED.fit(*TUMOURS.sample(0.9, 60, 3))
    before = model[-1].coef_.copy()
    report = audit_model(model, TUMOURS, **QUICK | {"attacks": ("sorted", "queries")})
    np.testing.assert_array_equal(model[-1].coef_, before)
    assert set(report.posteriors) == {"sorted", "queries"}
    assert report.table["model"].tolist() == ["model"]
    assert report.settings["adversary_learner"] == repr(SCALED)
    assert report.attack == report.calibration.set_index("attack")["log_loss"].idxmin()
    assert report.truth.shape == (12,)
    assert set(report.average["attack"]) == {"sorted", "queries"}


@pytest.mark.slow
def test_one_seed_gives_one_report_with_one_model_or_several():
    models = {value: SCALED.fit(*TUMOURS.sample(value, 60, 3)) for value in (0.1, 0.9)}
    models = {
        f"of {v}": make_pipeline(StandardScaler(), LogisticRegression()).fit(
            *TUMOURS.sample(v, 60, 3)
        )
        for v in models
    }
    several = audit_model(models, TUMOURS, **QUICK)
    assert several.table["model"].tolist() == ["of 0.1", "of 0.9"]
    for index, (name, model) in enumerate(models.items()):
        alone = audit_model(model, TUMOURS, **QUICK)
        np.testing.assert_array_equal(
            alone.posteriors["queries"][0], several.posteriors["queries"][index]
        )
        assert alone.average.equals(several.average)
        one = several.posterior(name)
        assert one["probability"].tolist() == alone.posterior()["probability"].tolist()
    shadows = train_shadows(
        SCALED, TUMOURS, adversary=QUICK["adversary"], n_samples=60, random_state=0, progress=False
    )
    options = {name: value for name, value in QUICK.items() if name != "adversary"}
    assert audit_model(models, TUMOURS, shadows=shadows, **options).table.equals(several.table)


def test_the_adversary_may_believe_in_another_learner():
    model = SCALED.fit(*TUMOURS.sample(0.9, 60, 3))
    forest = RandomForestClassifier(3)
    for options in (
        {"learner": forest}, {"adversary": replace(QUICK["adversary"], learner=forest)},
    ):  # fmt: skip
        report = audit_model(model, TUMOURS, **QUICK | options)
        assert report.settings["adversary_learner"] == repr(forest)
    with pytest.raises(ValueError, match=r"`learner` must be None where `adversary\.learner` says"):
        audit_model(model, TUMOURS, **QUICK | options | {"learner": SCALED})


def queries_of(family, n_queries=12):
    return np.concatenate([family.sample(v, n_queries // 2, 7)[0] for v in family.properties])


def test_recorded_responses_give_the_posterior_of_the_model():
    model = SCALED.fit(*TUMOURS.sample(0.9, 60, 3))
    queries = queries_of(TUMOURS)
    options = QUICK | {"adversary": Adversary(n_shadows=12, queries=queries)}
    exact = audit_model(model, TUMOURS, **options)
    responses = model.predict_proba(queries)
    options = QUICK | {"adversary": Adversary(n_shadows=12), "learner": SCALED}
    tables = (responses, responses[:, 1], pd.DataFrame(responses[:, ::-1], columns=["1", "0"]))
    for recorded in tables:
        report = audit_model(RecordedResponses(queries, recorded), TUMOURS, **options)
        np.testing.assert_allclose(
            report.posteriors["queries"], exact.posteriors["queries"], rtol=1e-5
        )
    assert report.settings["queries"] == "given"
    with pytest.warns(AttackNotApplicableWarning, match="the target models have none that can"):
        report = audit_model(
            RecordedResponses(queries, responses), TUMOURS,
            **options | {"attacks": ("sorted", "queries")},
        )  # fmt: skip
    assert list(report.skipped) == ["sorted"]


def people(value, n_samples, random_state):
    """A table with text, truth values and gaps, and answers in words; many say no if few do."""
    rng = np.random.default_rng(random_state)
    table = pd.DataFrame(
        {
            "age": np.where(rng.random(n_samples) < 0.1, np.nan, rng.normal(40, 5, n_samples)),
            "town": rng.choice(["Aachen", "Bonn"], n_samples),
            "likes it": rng.choice([True, False], n_samples),
        }
    )
    likely = np.where(table["town"] == "Bonn", value, 0.5)
    return table, np.where(rng.random(n_samples) < likely, "yes", "no")


PEOPLE = DistributionFamily.from_function(people, (0.1, 0.9))
ON_TEXT = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough"),
    DecisionTreeClassifier(max_depth=2),
)


def test_a_pipeline_on_a_table_with_text():
    model = ON_TEXT.fit(*people(0.9, 60, 1))
    report = audit_model(model, PEOPLE, **QUICK)
    assert report.table["guess"].tolist() == [0.9]
    assert report.table["likelihood_ratio"][0] > 2


@pytest.mark.slow
def test_labels_in_words_from_a_csv_file(tmp_path):
    model = ON_TEXT.fit(*people(0.9, 60, 1))
    queries = people(0.5, 30, 2)[0]
    queries.assign(answer=model.predict(queries)).to_csv(tmp_path / "labels.csv", index=False)
    recorded = RecordedResponses.from_csv(tmp_path / "labels.csv", "answer")
    options = QUICK | {"adversary": Adversary(n_shadows=12)}
    report = audit_model(recorded, PEOPLE, learner=ON_TEXT, **options)
    assert report.settings["labels_only"]
    assert report.table["guess"].tolist() == [0.9]
    columns = {"P(yes)": "yes", "P(no)": "no"}
    table = queries.assign(**dict(zip(columns, model.predict_proba(queries).T[::-1], strict=True)))
    table.to_csv(tmp_path / "proba.csv", index=False)
    recorded = RecordedResponses.from_csv(tmp_path / "proba.csv", columns)
    assert recorded.columns == ("yes", "no")
    assert repr(recorded).startswith("RecordedResponses(30 queries, 2 outputs such as [")
    report = audit_model(recorded, PEOPLE, learner=ON_TEXT, **options)
    own = QUICK | {"adversary": Adversary(n_shadows=12, queries=queries)}
    exact = audit_model(model, PEOPLE, **own)
    assert report.table["probability"].tolist() == exact.table["probability"].tolist()
    with pytest.raises(ValueError, match=r"`response_columns` must be columns of the file, \['age"):
        RecordedResponses.from_csv(tmp_path / "proba.csv", "answer")


def test_torch_modules_and_zoos():
    """The networks of a zoo as modules: white and black box give what the zoo gives."""
    learner = CausalMitigatedRegressor((3,), penalty=None, epochs=3, batch_size=16)
    zoo = learner.fit_zoo([CAUSAL.sample(value, 60, 5 + value)[:2] for value in (0, 1)], 2)
    options = QUICK | {"attacks": ("statistics", "queries"), "learner": learner}
    report = audit_model(zoo, CAUSAL, **options)
    modules = [zoo.architecture.module(row) for row in zoo.weights]
    assert isinstance(modules[0], nn.Module)
    assert audit_model(modules, CAUSAL, **options).table.equals(report.table)
    assert not report.skipped
    with pytest.raises(ValueError, match="`learner` must be given, as shadow models cannot be"):
        audit_model(modules[0], CAUSAL, **QUICK)


def test_a_module_of_a_classifier_has_logits_or_probabilities():
    """Networks with the weights of a logistic regression are inferred to be the same."""
    learner = LogisticRegression(C=0.1)
    model = learner.fit(*PLAIN.sample(0.9, 60, 3))
    layer = Architecture(nn.Linear(3, 1)).module(np.concatenate([model.coef_[0], model.intercept_]))
    two = nn.Linear(3, 2)
    two.load_state_dict(
        {
            "weight": nn.functional.pad(layer.weight.data, (0, 0, 1, 0)),
            "bias": nn.functional.pad(layer.bias.data, (1, 0)),
        }
    )
    options = QUICK | {"learner": learner}
    exact = audit_model(model, PLAIN, **options).posteriors["queries"]
    for module in (layer, two, nn.Sequential(two, nn.Softmax(dim=1))):
        report = audit_model(module, PLAIN, **options)
        np.testing.assert_allclose(report.posteriors["queries"], exact, rtol=1e-3)


def plain(value, n_samples, random_state):
    rng = np.random.default_rng(random_state)
    inputs = rng.normal(size=(n_samples, 3)).astype(np.float32)
    flips = rng.random(n_samples) > value
    return inputs, (inputs[:, 0] > 0) ^ flips


PLAIN = DistributionFamily.from_function(plain, (0.5, 0.9))


class Probabilities:
    """A model of two classes that does not say which: in sorted order, then."""

    def __init__(self, model):
        self.model = model

    def predict_proba(self, X):
        return self.model.predict_proba(X)

    def predict(self, X):
        return self.model.predict(X)


@pytest.mark.slow
def test_a_skorch_net_is_copied_for_the_shadow_models():
    net = NeuralNetClassifier(
        nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1)), max_epochs=2, lr=0.5, verbose=0,
        train_split=None,
    )  # fmt: skip
    X, y, *_ = PLAIN.sample(0.9, 60, 3)
    net.fit(X, y.astype(int))
    family = DistributionFamily.from_function(
        lambda *arguments: (lambda X, y: (X, y.astype(int)))(*plain(*arguments)), (0.5, 0.9)
    )
    few = QUICK | {"adversary": Adversary(n_shadows=8, n_queries=8)}
    report = audit_model(net, family, **few | {"attacks": ("statistics", "queries")})
    assert not report.skipped
    module = audit_model(net.module_, family, learner=net, **few)
    np.testing.assert_allclose(
        module.posteriors["queries"], report.posteriors["queries"], rtol=1e-4
    )
    with pytest.raises(ValueError, match="`model` must be fitted"):
        audit_model(clone(net), family, **QUICK)


def test_any_object_with_probabilities():
    model = LogisticRegression().fit(*PLAIN.sample(0.9, 60, 3))
    options = QUICK | {"learner": LogisticRegression()}
    exact = audit_model(model, PLAIN, **options)
    assert audit_model(Probabilities(model), PLAIN, **options).table.equals(exact.table)
    labels = Adversary(n_shadows=12, n_queries=8, labels_only=True)
    exact = audit_model(model, PLAIN, **options | {"adversary": labels})
    reports = [
        audit_model(Probabilities(model), PLAIN, **options | {"adversary": labels}),
        audit_model(Only(predict=model.predict), PLAIN, **options),
    ]
    for report in reports:
        assert report.table.equals(exact.table)


class Only:
    """A model with one method."""

    def __init__(self, **method):
        vars(self).update(method)


class Scripted(nn.Module):
    """A module without parameters, so that it is no row of weights; it fails in training mode."""

    def __init__(self, weights, offset):
        super().__init__()
        self.weights, self.offset = torch.tensor(weights), torch.tensor(offset)

    def forward(self, X):
        return (X @ self.weights.T + self.offset) * (torch.nan if self.training else 1)


def test_a_module_that_is_no_row_of_weights_is_a_black_box():
    learner = LinearRegression()
    X, y = CAUSAL.sample(1, 60, 3)[:2]
    model = learner.fit(X, y)
    module = Scripted(np.float32(model.coef_[None]), np.float32(model.intercept_))
    exact, report = (
        audit_model(each, CAUSAL, **QUICK | {"learner": learner}) for each in (model, module)
    )
    np.testing.assert_allclose(report.table["probability"], exact.table["probability"], rtol=1e-4)
    assert module.training


def test_a_model_that_has_seen_one_class():
    one = Only(predict_proba=lambda X: np.ones((len(X), 1)), classes_=np.array([True]))
    always = Only(predict_proba=lambda X: np.tile([0.0, 1.0], (len(X), 1)))
    tree = DecisionTreeClassifier().fit(plain(0.9, 9, 0)[0], np.ones(9, bool))
    reports = [
        audit_model(model, PLAIN, **QUICK | {"learner": DecisionTreeClassifier(max_depth=2)})
        for model in (one, always, tree)
    ]
    for report in reports[1:]:
        assert report.table.equals(reports[0].table)


def test_a_model_of_another_kind_is_unlike_the_shadow_models():
    """Typicality is that of exchangeable models, and least for one that was trained otherwise."""
    shadows = train_shadows(
        LinearRegression(), CAUSAL, adversary=Adversary(n_shadows=120, n_queries=8), n_samples=60,
        random_state=0, progress=False,
    )  # fmt: skip
    alike = [LinearRegression().fit(*CAUSAL.sample(i % 2, 60, 100 + i)[:2]) for i in range(40)]
    other = DecisionTreeRegressor(max_depth=1).fit(*CAUSAL.sample(0, 60, 3)[:2])
    report = audit_model(
        [*alike, other], CAUSAL, shadows=shadows, attacks="queries", random_state=0, progress=False
    )
    usual = report.table["typicality"].to_numpy()
    assert usual[-1] == pytest.approx(1 / 121)
    assert 0.35 < usual[:-1].mean() < 0.65
    assert "1 of 41 models respond unlike all shadow models (40)" in "".join(report.explain())


def test_several_continuous_properties():
    def sample(means, n_samples, random_state):
        rng = np.random.default_rng(random_state)
        inputs = rng.normal(size=(n_samples, 1))
        return inputs, inputs[:, 0] * means[0] + means[1] + rng.normal(0, 1, n_samples)

    family = DistributionFamily.from_function(sample, [Interval(0, 2), Interval(0, 3)])
    model = LinearRegression().fit(*family.sample((1.5, 0.5), 60, 0))
    report = audit_model(
        model, family, prior=[stats.norm(1, 1), np.ones_like],
        **QUICK | {"adversary": Adversary(n_shadows=64, n_queries=8)},
    )  # fmt: skip
    assert report.table["property"].tolist() == [0, 1]
    np.testing.assert_allclose(report.table["guess"], [1.5, 0.5], atol=0.4)
    assert report.posteriors["queries"].shape[:2] == (1, 2)
    assert set(report.posterior()["property"]) == {0, 1}


def fitted(learner=SCALED):
    return learner.fit(*TUMOURS.sample(0.9, 60, 3))


@pytest.fixture
def untrained(monkeypatch):
    """Training a shadow model fails."""

    def fail(*arguments, **options):
        raise AssertionError("shadow models are trained")

    monkeypatch.setattr(Trainer, "train", fail)


QUERIES = queries_of(TUMOURS)
PROBABILITIES = np.full((12, 2), 0.5)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (LogisticRegression(), {}, "`model` must be fitted; got LogisticRegression"),
        ([fitted(), Ridge()], {}, r"`model\['1'\]` must be fitted; got Ridge"),
        ([], {}, "`model` must be at least one model; got none"),
        (fitted(), {"prior": [1, 1]},
         r"`prior` must be probabilities of \(0.1, 0.9\), at least 0, that add up to 1; got \[1"),
        (fitted(), {"prior": {0.1: 1.0}}, r"`prior` must have a probability for each of \(0.1, 0"),
        (fitted(), {"learner": LinearRegression()},
         "`model` must be a regressor, as the learner of the shadow models is one; got a classif"),
        (FrozenEstimator(fitted()), {}, "`learner` must be given.*its clone is trained already"),
        (Constant(1), {}, "`learner` must be given.*a Constant cannot be trained again"),
        (KMeans(2).fit(X), {}, "`learner` must be given.*`learner` must be a scikit-learn classif"),
        ([fitted(), Ridge().fit(X, Y)], {}, "`learner` must be given for models of several learn"),
        (LogisticRegression().fit(X[:, :3], Y), {},
         "`model` must respond to the queries.*X has 30 features, but LogisticRegression"),
        (Only(predict_proba=lambda X: np.full((len(X), 2), np.nan)), {"learner": SCALED},
         "`model` must respond with probabilities of the classes, which add up to 1"),
        (Only(predict_proba=lambda X: np.ones((len(X), 1))), {"learner": SCALED},
         r"`model` must have one output per class of the shadow models, \[0, 1\].*got 1"),
        (Constant("maybe"), {"learner": SCALED},
         r"`model` must respond with classes of the family's training sets, \[0, 1\]; got also "
         r"\['maybe'\]"),
        (Constant(np.nan), {"learner": LinearRegression()},
         "`model` must respond to the queries: `responses` must not contain missing values"),
        (RecordedResponses(QUERIES[:, :3], PROBABILITIES), {"learner": SCALED},
         "`model.queries` must have 30 columns, as the family's rows have; got 3"),
        (RecordedResponses(QUERIES, PROBABILITIES), {}, "`learner` must be given.*a RecordedResp"),
        (RecordedResponses(QUERIES, PROBABILITIES / 3), {"learner": SCALED},
         "`model` must respond with probabilities of the classes, which add up to 1"),
        (RecordedResponses(QUERIES, np.full((12, 3), 1 / 3)), {"learner": SCALED},
         r"`model` must have one output per class of the shadow models, \[0, 1\]"),
        (RecordedResponses(QUERIES, ["yes"] * 12), {"learner": LinearRegression()},
         "`model` must respond with numbers, as the learner of the shadow models is a regressor"),
        ({"a": RecordedResponses(QUERIES, PROBABILITIES),
          "b": RecordedResponses(QUERIES + 1, PROBABILITIES)}, {"learner": SCALED},
         r"`model\['b'\].queries` must be those of `model\['a'\]`, row by row"),
        (RecordedResponses(QUERIES, PROBABILITIES),
         {"learner": SCALED, "adversary": Adversary(queries="random")},
         "`adversary.queries` must be left at its default, 'family', as recorded"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_shadow_models_are_trained(model, options, message, untrained):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        audit_model(model, TUMOURS, **QUICK | options)


def test_what_has_the_wrong_type_is_said():
    for model in (LogisticRegression, 3, "model.joblib"):
        with pytest.raises(TypeError, match="`model` must be a trained model with predict"):
            audit_model(model, TUMOURS, **QUICK)
    with (
        pytest.raises(ValueError, match="`attacks` must hold one that is applicable; got 'sorted'"),
        pytest.warns(AttackNotApplicableWarning),
    ):
        audit_model(fitted(RandomForestClassifier(3)), TUMOURS, **QUICK | {"attacks": "sorted"})


def test_recorded_queries_have_the_columns_of_the_family(untrained):
    table, answers = people(0.5, 10, 0)
    options = QUICK | {"learner": ON_TEXT}
    wrong = {
        "must have the columns of the family's rows; got no \\['town'\\] and": table.drop(
            columns="town"
        ).assign(city="Bonn"),
        "must have type float64 in column 'age'": table.assign(age="old"),
        "must be a pandas DataFrame with the columns \\['age', 'town'": table[
            ["likes it"]
        ].to_numpy(),
    }
    for message, queries in wrong.items():
        with pytest.raises(ValueError, match=f"`model.queries` {message}"):
            audit_model(RecordedResponses(queries, answers), PEOPLE, **options)
    model = ON_TEXT.fit(*people(0.9, 60, 1))
    unseen = table.assign(town="Celle")
    with pytest.raises(ValueError, match=r"`model` must respond to the queries.*Celle"):
        audit_model(model, PEOPLE, **options | {"adversary": Adversary(queries=unseen)})
