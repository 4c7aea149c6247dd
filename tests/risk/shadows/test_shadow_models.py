from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from wsl import Architecture, CausalMitigatedClassifier, CausalMitigatedRegressor
from wsl._random import resolve_random_state
from wsl.attacks import STRATEGIES, DistributionInferenceAttack
from wsl.distributions import DistributionFamily, EnvironmentMembershipFamily
from wsl.exceptions import AttackNotApplicableWarning
from wsl.risk import Adversary, audit, train_shadows
from wsl.risk.evaluation._attack_runs import AttackSpec, attack_inputs
from wsl.risk.shadows._drawn_sets import draw, find_queries
from wsl.risk.shadows._observation import read_weights, respond
from wsl.risk.shadows._population import common_view
from wsl.risk.shadows._trainer import Trainer

CAUSAL = EnvironmentMembershipFamily.linear_causal()
QUICK = {
    "adversary": Adversary(n_shadows=16, n_queries=8),
    "n_targets": 12,
    "n_samples": 60,
    "n_repeats": 2,
    "random_state": 0,
    "progress": False,
}


def knowing(**changed):
    return QUICK | {"adversary": replace(QUICK["adversary"], **changed)}


def shares(property_value, n_samples, random_state):
    """Three classes, of which the last is as frequent as the property says."""
    rng = resolve_random_state(random_state)
    y = rng.choice(["a", "b", "c"], n_samples, p=[0.5 - property_value / 2] * 2 + [property_value])
    X = rng.normal(size=(n_samples, 2)) + np.c_[y == "a", y == "c"]
    return X.astype(np.float32), y


SHARES = DistributionFamily.from_function(shares, (0.2, 0.6))


def test_shadow_models_serve_several_audits():
    learner = LinearRegression()
    shadows = train_shadows(
        learner, CAUSAL, adversary=QUICK["adversary"], n_samples=60, random_state=0, progress=False
    )
    assert len(shadows) == 16
    alone = audit(learner, CAUSAL, **QUICK)
    settings = {name: value for name, value in QUICK.items() if name != "adversary"}
    shared = audit(learner, CAUSAL, shadows=shadows, **settings)
    pd.testing.assert_frame_equal(alone.table, shared.table)
    assert alone.settings == shared.settings
    fewer = settings | {"adversary": Adversary(n_selected_queries=2), "attacks": "queries"}
    assert audit(learner, CAUSAL, shadows=shadows, **fewer).settings["n_selected_queries"] == 2
    for field, value in (("learner", Ridge()), ("queries", np.eye(2)), ("n_shadows", 16)):
        other = Adversary(**{field: value})
        with pytest.raises(ValueError, match=f"`adversary.{field}` must be left at its default"):
            audit(learner, CAUSAL, shadows=shadows, adversary=other, **settings)
    with pytest.raises(ValueError, match="shadows have properties"):
        audit(LogisticRegression(), SHARES, shadows=shadows, **settings)
    with pytest.raises(TypeError, match="shadows is a int"):
        audit(learner, CAUSAL, shadows=3, **settings)


def test_the_adversary_may_take_the_learner_for_another():
    report = audit(LinearRegression(), CAUSAL, **knowing(learner=Ridge(1e-6), n_samples=70))
    assert not report.skipped, "two linear models have weights of one meaning"
    assert report.settings["adversary_learner"] == repr(Ridge(1e-6))
    assert report.settings["adversary_n_samples"] == 70
    mlp = CausalMitigatedRegressor((3,), penalty=None, epochs=1)
    with pytest.warns(AttackNotApplicableWarning, match="attack 'deepsets' skipped"):
        report = audit(LinearRegression(), CAUSAL, **knowing(learner=mlp))
    assert "different architectures" in report.skipped["deepsets"]
    assert report.table["attack"].unique().tolist() == ["queries"]


def test_logits_and_probabilities_meet_as_probabilities():
    learners = [
        LogisticRegression(),
        CausalMitigatedClassifier((3,), penalty=None, epochs=1),
        LinearSVC(),
    ]
    queries = shares(0.3, 9, 1)[0]
    rows, zoos, decisions = (
        Trainer(learner, queries).train(draw(SHARES, 5, 80, 0), 0) for learner in learners
    )
    view = common_view(zoos, rows)
    assert view.output == "proba"
    np.testing.assert_allclose(view.seen, softmax(zoos.responses, -1), rtol=1e-5)
    np.testing.assert_array_equal(view.attacked, rows.responses)
    assert common_view(zoos, zoos).output == "logits"
    assert "cannot be compared" in common_view(zoos, decisions)
    binary = Trainer(learners[1], queries).train(draw(two_of(SHARES), 5, 80, 0), 0)
    assert binary.responses.shape == (5, 9, 1)
    both = common_view(binary, rows)
    assert both.seen.shape == both.attacked.shape == (5, 9, 3)
    assert (both.seen[:, :, 1] == 0).all()
    np.testing.assert_allclose(both.seen.sum(2), 1, rtol=1e-5)


def two_of(family):
    """The family without class "b"."""

    def sample(property_value, n_samples, random_state):
        X, y = family.sample(property_value, n_samples, random_state)
        return X[y != "b"], y[y != "b"]

    return DistributionFamily.from_function(sample, family.properties)


@pytest.mark.parametrize(
    "learner", [DecisionTreeClassifier(max_depth=2), LinearSVC()], ids=["tree", "svm"]
)
def test_label_only_is_the_decided_class_and_no_more(learner):
    queries = shares(0.3, 20, 1)[0]
    draws = draw(SHARES, 4, 80, 0)
    seen = Trainer(learner.set_params(random_state=0), queries, True).train(draws, 0)
    assert (seen.output, seen.classes.tolist()) == ("label", ["a", "b", "c"])
    for index in range(4):
        model = learner.fit(*draws(index))
        expected = [[float(label == c) for c in "abc"] for label in model.predict(queries)]
        if isinstance(learner, DecisionTreeClassifier):  # whatever its seed
            assert np.mean(seen.responses[index] == expected) > 0.95
        assert set(np.unique(seen.responses[index])) <= {0, 1}
        np.testing.assert_array_equal(seen.responses[index].sum(1), 1)


@pytest.mark.parametrize("family", [SHARES, two_of(SHARES)], ids=["three", "two"])
def test_a_zoo_is_seen_label_only_too(family):
    learner = CausalMitigatedClassifier((3,), penalty=None, epochs=2)
    queries = shares(0.3, 20, 1)[0]
    logits, labels = (
        Trainer(learner, queries, only).train(draw(family, 3, 80, 0), 0) for only in (False, True)
    )
    decided = logits.responses.argmax(2)
    if len(labels.classes) == 2:
        decided = (logits.responses[:, :, 0] > 0).astype(int)
    np.testing.assert_array_equal(labels.responses, np.eye(len(labels.classes))[decided])


def test_a_regressor_decides_on_no_class():
    with pytest.raises(ValueError, match=r"adversary\.labels_only=True, but LinearRegression"):
        audit(LinearRegression(), CAUSAL, **knowing(labels_only=True))
    report = audit(LogisticRegression(), SHARES, attacks="queries", **knowing(labels_only=True))
    assert report.settings["labels_only"] is True


def test_queries_come_with_their_labels_and_properties():
    drawn = find_queries("family", SHARES, 40, seed=0)
    assert drawn.rows.shape == (40, 2)
    assert set(drawn.properties.tolist()) == {0.2, 0.6}
    assert np.mean(drawn.rows[drawn.labels == "c", 1]) > 0.5 > np.mean(drawn.rows[:, 0])
    random = find_queries("random", SHARES, 5000, seed=0)
    drawn = find_queries("family", SHARES, 5000, seed=0)
    assert random.labels is random.properties is None
    np.testing.assert_allclose(random.rows.mean(0), drawn.rows.mean(0), atol=0.06)
    np.testing.assert_allclose(random.rows.std(0), drawn.rows.std(0), rtol=0.05)
    assert abs(np.corrcoef(random.rows.T)[0, 1]) < 0.05
    given = find_queries([[1, 2], [3, 4]], SHARES, 40, seed=0)
    assert given.rows.tolist() == [[1, 2], [3, 4]]


def plan_of(strategy):
    return AttackSpec(strategy, False, DistributionInferenceAttack(strategy))


def test_an_attack_is_told_what_it_takes():
    queries = find_queries("family", SHARES, 12, seed=0)
    models = Trainer(LogisticRegression(), queries.rows).train(draw(SHARES, 6, 80, 0), 0)
    setup = attack_inputs(
        AttackSpec("told", False, DistributionInferenceAttack("kl")),
        models,
        models,
        (0.2, 0.6),
        queries,
        5,
    )
    params = setup.estimator.get_params()
    assert params["query_labels"].tolist() == ["abc".index(label) for label in queries.labels]
    assert params["query_properties"].tolist() == [int(p == 0.6) for p in queries.properties]
    assert (params["query_output"], params["n_selected_queries"]) == ("proba", 5)
    assert setup.shadow_rows.shape == (6, 36)
    own = DistributionInferenceAttack("kl", query_labels=np.zeros(12), n_selected_queries=3)
    setup = attack_inputs(AttackSpec("told", False, own), models, models, (0.2, 0.6), queries, 5)
    assert (setup.estimator.query_labels == 0).all()
    assert setup.estimator.n_selected_queries == 3
    setup = attack_inputs(plan_of("loss"), models, models, (0.2, 0.6), queries, 5)
    assert setup.estimator.n_selected_queries is None, "it asks them all"
    blind = find_queries("random", SHARES, 12, seed=0)
    assert "needs queries with labels" in attack_inputs(
        plan_of("loss"), models, models, (0.2, 0.6), blind
    )


def test_labels_come_as_each_attack_takes_them():
    queries = find_queries("family", SHARES, 12, seed=0)
    models = Trainer(LogisticRegression(), queries.rows, True).train(draw(SHARES, 6, 80, 0), 0)
    loss, indicators = (
        attack_inputs(plan_of(name), models, models, (0.2, 0.6), queries)
        for name in ("loss", "queries")
    )
    assert (loss.estimator.query_output, loss.shadow_rows.shape) == ("label", (6, 12))
    np.testing.assert_array_equal(loss.shadow_rows, models.responses.argmax(2))
    assert (indicators.estimator.query_output, indicators.shadow_rows.shape) == ("proba", (6, 36))


BLACK_BOXES = [name for name, strategy in STRATEGIES.items() if not strategy.white_box]
WHITE_BOXES = [name for name, strategy in STRATEGIES.items() if strategy.white_box]


@pytest.mark.parametrize("labels_only", [False, True], ids=["proba", "labels"])
def test_every_black_box_sees_that_a_class_is_frequent(labels_only):
    report = audit(
        LogisticRegression(),
        SHARES,
        attacks=BLACK_BOXES,
        **knowing(labels_only=labels_only, n_shadows=40, n_queries=60)
        | {"n_samples": 200, "n_targets": 40},
    )
    accuracy = report.table[report.table["metric"] == "accuracy"].set_index("attack")["value"]
    assert accuracy.index.tolist() == BLACK_BOXES
    # the loss test compares rows that are harder under one property: it needs no better than chance
    assert (accuracy.drop("loss") > 0.8).all(), accuracy


def test_every_white_box_reads_the_slope_of_a_line():
    sizes = {"n_samples": 1000, "n_targets": 32}
    report = audit(LinearRegression(), CAUSAL, attacks=WHITE_BOXES, **knowing(n_shadows=64) | sizes)
    accuracy = report.table[report.table["metric"] == "accuracy"].set_index("attack")["value"]
    assert accuracy.index.tolist() == WHITE_BOXES
    assert (accuracy > 0.7).all(), accuracy


@pytest.mark.parametrize("queries", ["random", np.eye(2)], ids=["random", "given"])
def test_queries_of_another_kind(queries):
    report = audit(LinearRegression(), CAUSAL, attacks="queries", **knowing(queries=queries))
    assert report.settings["queries"] == ("random" if isinstance(queries, str) else "given")
    assert report.settings["n_queries"] == (8 if isinstance(queries, str) else 2)


@pytest.mark.parametrize(
    ("changed", "error", "named"),
    [
        ({"queries": "any"}, ValueError, "queries='any'"),
        ({"queries": [[np.nan, 1]]}, ValueError, "queries: "),
        ({"queries": [1, 2]}, ValueError, "queries: "),
        ({"learner": "ols"}, TypeError, "adversary.learner is a str"),
        ({"n_samples": 0}, ValueError, "adversary.n_samples=0"),
        ({"labels_only": 1}, ValueError, "adversary.labels_only=1"),
        ({"n_selected_queries": 0}, ValueError, "adversary.n_selected_queries=0"),
    ],
)
def test_errors_name_the_parameter(changed, error, named):
    with pytest.raises(error, match=named):
        audit(LinearRegression(), CAUSAL, **knowing(**changed))


def test_attacks_of_one_strategy_have_names():
    attacks = {
        "default": "queries",
        "linear": DistributionInferenceAttack("queries", meta_estimator=LogisticRegression()),
    }
    report = audit(LinearRegression(), CAUSAL, attacks=attacks, **QUICK)
    assert list(report.guesses) == ["default", "linear"]


class Net(nn.Module):
    def __init__(self, n_outputs=3):
        super().__init__()
        self.hidden, self.last = nn.Linear(2, 4), nn.Linear(4, n_outputs)

    def forward(self, inputs):
        return self.last(torch.relu(self.hidden(inputs)))


CLASSIFIER = NeuralNetClassifier(
    Net, criterion=nn.CrossEntropyLoss, max_epochs=2, train_split=None, verbose=0
)


@pytest.mark.parametrize("scaled", [False, True], ids=["bare", "scaled"])
def test_the_white_box_of_skorch_is_its_module(scaled):
    X, y = shares(0.3, 60, 0)
    y = np.unique(y, return_inverse=True)[1]
    model = make_pipeline(StandardScaler(), CLASSIFIER) if scaled else CLASSIFIER
    model.fit(5 * X + 2, y)
    row, architecture = read_weights(model, 2)
    logits = architecture.forward(row[None], 5 * X + 2)[0]
    net = model[-1] if scaled else model
    inputs = torch.as_tensor(X if not scaled else model[0].transform(5 * X + 2))
    expected = net.module_(inputs if scaled else 5 * inputs + 2).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert respond(model, 5 * X + 2).output == "proba"
    assert architecture == Architecture(Net(), input_shape=(2,))


def test_skorch_nets_depend_on_the_seed_and_on_no_one_elses_draws():
    net = NeuralNetRegressor(Net, module__n_outputs=1, max_epochs=1, train_split=None, verbose=0)

    def columns(value, n_samples, random_state):
        X, y, _ = CAUSAL.sample(value, n_samples, random_state)
        return X.astype(np.float32), y[:, None].astype(np.float32)

    draws = draw(DistributionFamily.from_function(columns, (0, 1)), 3, 40, 0)
    queries = np.eye(2, dtype=np.float32)
    state = torch.get_rng_state()
    one = Trainer(net, queries).train(draws, 0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again, other = (Trainer(net, queries).train(draws, seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.weights, again.weights)
    assert not np.allclose(one.weights, other.weights)
    assert one.architecture == Architecture(Net(1), input_shape=(2,))
    torch.set_rng_state(state)
