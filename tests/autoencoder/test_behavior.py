"""Answers as features: scores without labels against plain loops, directions against an SVD."""

import pickle

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.base import clone

from wsl import Architecture, WeightSpaceAutoencoder, _batches
from wsl.autoencoder import _behavior
from wsl.autoencoder._behavior import BehaviorCode
from wsl.exceptions import InvalidInputError

SMALL = {"latent_dim": 3, "d_model": 16, "n_layers": 1, "n_heads": 2, "epochs": 1, "batch_size": 8}
MLP, SINGLE = Architecture.mlp(4, [6], 3), Architecture.mlp(4, [6], 1)
QUERIES = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)


def make_rows(n_models=30, architecture=MLP, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_models, architecture.n_weights)).astype(np.float32)


def make(architecture=MLP, **parameters):
    settings = {**SMALL, "queries": QUERIES, "random_state": 0, "pooling": "behavior", **parameters}
    return WeightSpaceAutoencoder(architecture, **settings)


def probabilities(rows, architecture=MLP):
    outputs = architecture.forward(rows, QUERIES)
    if architecture.n_outputs > 1:
        return softmax(outputs, axis=2)
    return np.concatenate([1 - expit(outputs), expit(outputs)], axis=2)


@pytest.mark.parametrize(
    ("architecture", "loss"), [(MLP, "l2"), (MLP, "distillation"), (SINGLE, "cross_entropy")]
)
def test_scores_are_expected_over_labels_drawn_from_the_average(architecture, loss):
    rows, others = make_rows(30, architecture), make_rows(7, architecture, seed=1)
    code = BehaviorCode.fit(rows, architecture, QUERIES, loss)
    average = probabilities(rows, architecture).mean(axis=0)
    decided = probabilities(others, architecture).argmax(axis=2)
    n_classes = average.shape[1]
    rng, n_drawn = np.random.default_rng(0), 4000
    labels = np.array([rng.choice(n_classes, n_drawn, p=p / p.sum()) for p in average])
    for row, own in zip(code.encode(others), decided, strict=True):
        right = own[:, None] == labels
        expected = [right.mean(), (own == average.argmax(axis=1)).mean()]
        expected += [right[labels == c].mean() for c in range(n_classes)]
        np.testing.assert_allclose(row[: 2 + n_classes], expected, atol=0.02)


def test_directions_are_those_of_a_singular_value_decomposition():
    rows, others = make_rows(), make_rows(9, seed=1)
    code = BehaviorCode.fit(rows, MLP, QUERIES, "l2")
    flat, other = (probabilities(r).reshape(len(r), -1) for r in (rows, others))
    _, sizes, vectors = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    expected = (other - flat.mean(axis=0)) @ vectors[:20].T / (sizes[0] / np.sqrt(29))
    found = code.encode(others)[:, 5:25]
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=2e-3)
    assert code.encode(rows)[:, 5].std(ddof=1) == pytest.approx(1.0, rel=1e-3)
    assert code.n_features == code.encode(others).shape[1] == 5 + 30


@pytest.mark.parametrize(
    ("architecture", "loss"), [(MLP, "squared_error"), (SINGLE, "l2"), (SINGLE, "squared_error")]
)
def test_regression_is_scored_by_its_distance_from_the_average_in_any_unit(architecture, loss):
    rows = make_rows(30, architecture)
    code = BehaviorCode.fit(rows, architecture, QUERIES, loss)
    outputs = architecture.forward(rows, QUERIES)
    squares = np.square(outputs - outputs.mean(axis=0)).mean(axis=1)
    scores = code.encode(rows)[:, : architecture.n_outputs]
    np.testing.assert_allclose(scores, squares / outputs.var(axis=(0, 1)), rtol=1e-3)
    larger = rows.copy()  # the same models, answering in another unit
    for name in architecture.parameter_names[-2:]:
        larger[:, architecture.slices[name]] *= 1000
    other = BehaviorCode.fit(larger, architecture, QUERIES, loss).encode(larger)
    np.testing.assert_allclose(np.abs(other), np.abs(code.encode(rows)), rtol=1e-2, atol=1e-2)


def test_models_that_are_all_alike_differ_in_nothing():
    rows = np.repeat(make_rows(1), 10, axis=0)
    features = BehaviorCode.fit(rows, MLP, QUERIES, "l2").encode(rows)
    assert np.ptp(features, axis=0).max() < 0.05


def test_of_many_models_and_answers_a_bounded_share_is_drawn(monkeypatch):
    rows = make_rows(200)
    whole = BehaviorCode.fit(rows, MLP, QUERIES, "l2")
    monkeypatch.setattr(_behavior, "N_NUMBERS", 40 * 50 * 3)
    monkeypatch.setattr(_batches, "BATCH_BYTES", 10_000)
    part = BehaviorCode.fit(rows, MLP, QUERIES, "l2")
    assert whole.directions.shape[1] == 64
    assert part.directions.shape[1] == 40
    assert 0 < np.abs(part.average - whole.average).max() < 0.3
    np.testing.assert_array_equal(
        part.encode(rows), BehaviorCode.fit(rows, MLP, QUERIES, "l2").encode(rows)
    )


def test_an_embedding_is_pooled_latents_and_what_is_answered():
    rows, others = make_rows(), make_rows(9, seed=1)
    model = make().fit(rows)
    features = model.transform(others)
    n_pooled = model.codec_.network.n_pooled
    pooled = clone(model).set_params(pooling="mean").fit(rows).transform(others)
    np.testing.assert_allclose(features[:, :n_pooled], pooled / np.sqrt(n_pooled), rtol=1e-6)
    np.testing.assert_array_equal(features[:, n_pooled:], model.behavior_code_.encode(others))
    assert features.dtype == np.float32
    assert len(model.get_feature_names_out()) == features.shape[1]
    assert model.set_output(transform="pandas").transform(others).shape == features.shape
    alone = np.concatenate([model.transform(row[None]) for row in others])
    np.testing.assert_allclose(alone, features, rtol=1e-3, atol=1e-4)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.transform(others), model.transform(others))


def test_the_order_of_units_does_not_matter():
    model = make().fit(make_rows())
    others = make_rows(9, seed=1)
    copies = MLP.permute(others, random_state=0)
    np.testing.assert_allclose(model.transform(copies), model.transform(others), atol=1e-3)


def test_names_follow_pooling_where_it_is_changed_after_fit():
    model = make().fit(make_rows())
    n_both = len(model.get_feature_names_out())
    for pooling in (None, "mean"):
        model.set_params(pooling=pooling)
        n_features = model.transform(make_rows()).shape[1]
        assert len(model.get_feature_names_out()) == n_features != n_both


def test_the_structural_arm_embeds_behavior_too():
    structural = make(beta=1.0, gamma=0.0).fit(make_rows())
    expected = BehaviorCode.fit(make_rows(), MLP, QUERIES, "l2").encode(make_rows())
    np.testing.assert_array_equal(structural.transform(make_rows())[:, -35:], expected)


def test_training_goes_on_in_the_same_features():
    rows, more = make_rows(), make_rows(30, seed=3)
    model = make(warm_start=True).fit(rows)
    code = model.behavior_code_
    assert model.fit(more).behavior_code_ is code
    assert model.partial_fit(more).behavior_code_ is code
    model.set_params(warm_start=False)
    assert np.abs(model.fit(more).behavior_code_.average - code.average).max() > 0


def test_what_cannot_be_run_is_refused():
    rows = make_rows()
    missing = "pooling='behavior' runs models, but there is no architecture or no queries"
    with pytest.raises(InvalidInputError, match=missing):
        make(None, queries=None).fit(rows)
    with pytest.raises(InvalidInputError, match=missing):
        make(queries=None, beta=1.0).fit(rows)
    later = make(pooling="mean").fit(rows).set_params(pooling="behavior")
    for use in (later.transform, lambda X: later.get_feature_names_out()):
        with pytest.raises(InvalidInputError, match="was set after fit"):
            use(rows)
    with pytest.raises(InvalidInputError, match="has no inverse"):
        make().fit(rows).inverse_transform(rows)
