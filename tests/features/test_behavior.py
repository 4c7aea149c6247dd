"""Behavior as features: scores without labels against plain loops, directions against an SVD."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion

from wsl import Architecture, BehaviorFeatures, WeightSpaceAutoencoder, _batches
from wsl.exceptions import InvalidInputError
from wsl.features import _behavior

MLP, SINGLE = Architecture.mlp(4, [6], 3), Architecture.mlp(4, [6], 1)
QUERIES = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)


def make_rows(n_models=30, architecture=MLP, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_models, architecture.n_weights)).astype(np.float32)


def make(architecture=MLP, **parameters):
    return BehaviorFeatures(architecture, **{"queries": QUERIES, **parameters})


def probabilities(rows, architecture=MLP):
    outputs = architecture.forward(rows, QUERIES)
    if architecture.n_outputs > 1:
        return softmax(outputs, axis=2)
    return np.concatenate([1 - expit(outputs), expit(outputs)], axis=2)


@pytest.mark.parametrize("architecture", [MLP, SINGLE])
def test_scores_are_expected_over_labels_drawn_from_the_average(architecture):
    rows, others = make_rows(30, architecture), make_rows(7, architecture, seed=1)
    behavior = make(architecture).fit(rows)
    average = probabilities(rows, architecture).mean(axis=0)
    predicted = probabilities(others, architecture).argmax(axis=2)
    n_classes = average.shape[1]
    rng, n_drawn = np.random.default_rng(0), 4000
    labels = np.array([rng.choice(n_classes, n_drawn, p=p / p.sum()) for p in average])
    for features, classes in zip(behavior.transform(others), predicted, strict=True):
        right = classes[:, None] == labels
        expected = [right.mean(), (classes == average.argmax(axis=1)).mean()]
        expected += [right[labels == c].mean() for c in range(n_classes)]
        np.testing.assert_allclose(features[: 2 + n_classes], expected, atol=0.02)


def test_components_are_those_of_a_singular_value_decomposition():
    rows, others = make_rows(), make_rows(9, seed=1)
    behavior = make().fit(rows)
    flat, other = (probabilities(r).reshape(len(r), -1) for r in (rows, others))
    _, sizes, vectors = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    expected = (other - flat.mean(axis=0)) @ vectors[:20].T / (sizes[0] / np.sqrt(29))
    components = behavior.transform(others)[:, 5:25]
    signs = np.sign((components * expected).sum(axis=0))
    np.testing.assert_allclose(components * signs, expected, atol=2e-3)
    assert behavior.transform(rows)[:, 5].std(ddof=1) == pytest.approx(1.0, rel=1e-3)
    assert behavior.transform(others).shape[1] == 5 + 30
    few = make(n_components=4).fit(rows)
    np.testing.assert_allclose(few.transform(others), behavior.transform(others)[:, :9], atol=1e-4)


@pytest.mark.parametrize("architecture", [MLP, SINGLE])
def test_regression_is_scored_by_its_distance_from_the_average_in_any_unit(architecture):
    rows = make_rows(30, architecture)
    behavior = make(architecture, task="regression").fit(rows)
    outputs = architecture.forward(rows, QUERIES)
    squares = np.square(outputs - outputs.mean(axis=0)).mean(axis=1)
    scores = behavior.transform(rows)[:, : architecture.n_outputs]
    np.testing.assert_allclose(scores, squares / outputs.var(axis=(0, 1)), rtol=1e-3)
    larger = rows.copy()  # the same models, with outputs in another unit
    for name in architecture.parameter_names[-2:]:
        larger[:, architecture.slices[name]] *= 1000
    other = make(architecture, task="regression").fit_transform(larger)
    np.testing.assert_allclose(
        np.abs(other), np.abs(behavior.transform(rows)), rtol=1e-2, atol=1e-2
    )


def test_models_that_are_all_alike_have_equal_features():
    rows = np.repeat(make_rows(1), 10, axis=0)
    assert np.ptp(make().fit_transform(rows), axis=0).max() < 0.05


def test_a_class_that_is_never_predicted_has_finite_recall():
    rows = make_rows()
    rows[:, MLP.slices["2.bias"].start] = -1000.0
    features = make().fit_transform(rows)
    assert np.isfinite(features).all()
    assert (features[:, 2] == 0).all()


def test_of_many_models_and_responses_a_bounded_number_is_drawn(monkeypatch):
    rows = make_rows(200)
    whole = make().fit(rows)
    monkeypatch.setattr(_behavior, "MAX_VALUES", 40 * 50 * 3)
    monkeypatch.setattr(_batches, "BATCH_BYTES", 10_000)
    part = make().fit(rows)
    assert len(whole.components_) == 64
    assert len(part.components_) == 40
    assert 0 < np.abs(part.average_ - whole.average_).max() < 0.3
    np.testing.assert_array_equal(part.transform(rows), make().fit(rows).transform(rows))


def test_the_first_queries_of_each_set_are_used():
    rows = make_rows()
    several = make(queries={"a": QUERIES[:20], "b": QUERIES[20:]}, n_queries=12).fit(rows)
    np.testing.assert_array_equal(several.queries_, np.r_[QUERIES[:6], QUERIES[20:26]])
    alone = make(queries=several.queries_).fit(rows)
    np.testing.assert_array_equal(several.transform(rows), alone.transform(rows))


def test_names_say_what_the_columns_are():
    rows = make_rows()
    names = make(n_components=2).fit(rows).get_feature_names_out().tolist()
    assert names == [
        "expected_accuracy", "agreement", "recall0", "recall1", "recall2",
        "component0", "component1",
    ]  # fmt: skip
    regression = make(task="regression", n_components=1).fit(rows)
    assert regression.get_feature_names_out().tolist() == [
        "distance0", "distance1", "distance2", "component0",
    ]  # fmt: skip


def test_the_order_of_units_does_not_matter():
    behavior, others = make().fit(make_rows()), make_rows(9, seed=1)
    copies = MLP.permute(others, random_state=0)
    np.testing.assert_allclose(behavior.transform(copies), behavior.transform(others), atol=1e-3)


def test_beside_the_latents_of_an_autoencoder():
    rows, others = make_rows(), make_rows(9, seed=1)
    autoencoder = WeightSpaceAutoencoder(
        MLP, queries=QUERIES, latent_dim=3, d_model=16, n_layers=1, n_heads=2, epochs=1,
        random_state=0,
    )  # fmt: skip
    union = FeatureUnion(
        [("latents", autoencoder), ("behavior", make())], transformer_weights={"latents": 0.5}
    )
    features = union.fit(rows).transform(others)
    latents = clone(autoencoder).fit(rows).transform(others)
    np.testing.assert_allclose(features[:, : latents.shape[1]], 0.5 * latents, rtol=1e-6)
    np.testing.assert_array_equal(
        features[:, latents.shape[1] :], make().fit(rows).transform(others)
    )


@pytest.mark.parametrize(
    ("parameters", "n_models", "message"),
    [
        ({"queries": None}, 5, "must be given together; got queries=None"),
        ({"architecture": None}, 5, "must be given together; got architecture=None"),
        ({"queries": QUERIES[:, :3]}, 5, "`queries` must have 4 columns.* got 3"),
        (
            {"queries": {"a": QUERIES, "b": QUERIES * np.nan}},
            5,
            r"`queries\['b'\]` must be finite; got NaN",
        ),
        ({}, 1, "`X` must have at least 2 rows.* got 1"),
    ],
)
def test_errors_name_the_parameter(parameters, n_models, message):
    behavior = BehaviorFeatures(**{"architecture": MLP, "queries": QUERIES, **parameters})
    with pytest.raises(InvalidInputError, match=message):
        behavior.fit(make_rows(n_models))


def test_wrong_number_of_weights_is_named():
    with pytest.raises(InvalidInputError, match=f"{MLP.n_weights}"):
        make().fit(make_rows()[:, :10])
