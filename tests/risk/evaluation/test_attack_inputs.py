import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from wsl import CausalMitigatedClassifier
from wsl._random import resolve_random_state
from wsl.attacks import DistributionInferenceAttack
from wsl.distributions import DistributionFamily
from wsl.risk.evaluation._attack_inputs import encode_properties, prepare_inputs
from wsl.risk.evaluation._attack_specs import AttackSpec
from wsl.risk.evaluation._comparable_responses import comparable_responses
from wsl.risk.shadows._adversary_queries import QuerySet, resolve_queries
from wsl.risk.shadows._drawn_sets import draw_sets
from wsl.risk.shadows._trainer import Trainer


def shares(property_value, n_samples, random_state):
    """Three classes, of which the last is as frequent as the property says."""
    rng = resolve_random_state(random_state)
    y = rng.choice(["a", "b", "c"], n_samples, p=[0.5 - property_value / 2] * 2 + [property_value])
    X = rng.normal(size=(n_samples, 2)) + np.c_[y == "a", y == "c"]
    return X.astype(np.float32), y


SHARES = DistributionFamily.from_function(shares, (0.2, 0.6))


def two_of(family):
    """The family without class "b"."""

    def sample(property_value, n_samples, random_state):
        X, y = family.sample(property_value, 4 * n_samples, random_state)
        return X[y != "b"][:n_samples], y[y != "b"][:n_samples]

    return DistributionFamily.from_function(sample, family.properties)


def test_logits_are_compared_with_probabilities_as_probabilities():
    learners = [
        LogisticRegression(),
        CausalMitigatedClassifier((3,), penalty=None, epochs=1),
        LinearSVC(),
    ]
    queries = shares(0.3, 9, 1)[0]
    rows, zoos, decisions = (
        Trainer(learner, queries).train(draw_sets(SHARES, 5, 80, 0), 0) for learner in learners
    )
    view = comparable_responses(zoos, rows)
    assert view.output == "proba"
    np.testing.assert_allclose(view.of_shadows, softmax(zoos.responses, -1), rtol=1e-5)
    np.testing.assert_array_equal(view.of_targets, rows.responses)
    assert comparable_responses(zoos, zoos).output == "logits"
    assert "of different kinds" in comparable_responses(zoos, decisions)
    binary = Trainer(learners[1], queries).train(draw_sets(two_of(SHARES), 5, 80, 0), 0)
    assert binary.responses.shape == (5, 9, 1)
    both = comparable_responses(binary, rows)
    assert both.of_shadows.shape == both.of_targets.shape == (5, 9, 3)
    assert (both.of_shadows[:, :, 1] == 0).all()
    np.testing.assert_allclose(both.of_shadows.sum(2), 1, rtol=1e-5)


def labelled_queries(kind="family"):
    """12 queries, whose properties are class indices."""
    queries = resolve_queries(kind, SHARES, 12, seed=0)
    if queries.properties is None:
        return queries
    encoded = encode_properties(queries.properties, SHARES.properties)
    assert encoded.tolist() == [int(p == 0.6) for p in queries.properties]
    return QuerySet(queries.rows, queries.labels, encoded)


def spec_of(strategy):
    return AttackSpec(strategy, False, DistributionInferenceAttack(strategy))


def test_an_attack_gets_what_the_adversary_knows():
    queries = labelled_queries()
    models = Trainer(LogisticRegression(), queries.rows).train(draw_sets(SHARES, 6, 80, 0), 0)
    inputs = prepare_inputs(spec_of("kl"), models, models, queries, 5)
    params = inputs.estimator.get_params()
    assert params["query_labels"].tolist() == ["abc".index(label) for label in queries.labels]
    assert params["query_properties"].tolist() == queries.properties.tolist()
    assert (params["query_output"], params["n_selected_queries"]) == ("proba", 5)
    assert inputs.shadow_rows.shape == (6, 36)
    own = DistributionInferenceAttack("kl", query_labels=np.zeros(12), n_selected_queries=3)
    inputs = prepare_inputs(AttackSpec("own", False, own), models, models, queries, 5)
    assert (inputs.estimator.query_labels == 0).all()
    assert inputs.estimator.n_selected_queries == 3
    inputs = prepare_inputs(spec_of("loss"), models, models, queries, 5)
    assert inputs.estimator.n_selected_queries is None, "it uses all"
    unlabelled = labelled_queries("random")
    reason = prepare_inputs(spec_of("loss"), models, models, unlabelled)
    assert "needs queries with labels" in reason


def test_labels_come_as_each_attack_takes_them():
    queries = labelled_queries()
    models = Trainer(LogisticRegression(), queries.rows, True).train(draw_sets(SHARES, 6, 80, 0), 0)
    loss, indicators = (
        prepare_inputs(spec_of(name), models, models, queries) for name in ("loss", "queries")
    )
    assert (loss.estimator.query_output, loss.shadow_rows.shape) == ("label", (6, 12))
    np.testing.assert_array_equal(loss.shadow_rows, models.responses.argmax(2))
    assert (indicators.estimator.query_output, indicators.shadow_rows.shape) == ("proba", (6, 36))
