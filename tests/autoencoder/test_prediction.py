"""Features in front of a ridge regression: they predict how good models are that it never saw."""

import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline

from wsl import BehaviorFeatures, WeightSpaceAutoencoder
from wsl.datasets import load_digits_zoo


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A zoo with early epochs in it."""
    folder = tmp_path_factory.mktemp("cache")
    return load_digits_zoo(60, epochs=6, checkpoints=(1, 3, 6), cache=folder)


def latents(digits):
    return WeightSpaceAutoencoder(
        digits.zoo.architecture, queries=digits.X_train, latent_dim=8, n_queries=32, d_model=16,
        n_layers=1, epochs=2, random_state=0,
    )  # fmt: skip


def behavior(digits):
    return BehaviorFeatures(digits.zoo.architecture, digits.X_train)


def both(digits):
    parts = [("latents", latents(digits)), ("behavior", behavior(digits))]
    return FeatureUnion(parts, transformer_weights={"latents": 0.1})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("features", "least"),
    [
        (behavior, 0.9),
        pytest.param(latents, 0.5, marks=pytest.mark.slow),
        pytest.param(both, 0.9, marks=pytest.mark.slow),
    ],
)
def test_a_pipeline_predicts_the_accuracy_of_models_it_never_saw(digits, features, least):
    model = make_pipeline(features(digits), Ridge(10.0))
    rows, accuracy = digits.zoo.weights, digits.zoo.metadata["test_accuracy"].to_numpy()
    model.fit(rows[digits.train], accuracy[digits.train])
    assert model.score(rows[digits.test], accuracy[digits.test]) > least
