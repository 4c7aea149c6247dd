"""An embedding in front of a ridge regression: it tells how good models are that it never saw."""

import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from wsl import WeightSpaceAutoencoder
from wsl.datasets import load_digits_zoo


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A zoo with early epochs in it."""
    folder = tmp_path_factory.mktemp("cache")
    return load_digits_zoo(60, epochs=6, checkpoints=(1, 3, 6), cache=folder)


@pytest.mark.parametrize(("pooling", "least"), [(None, 0.5), ("mean", 0.5), ("behavior", 0.9)])
def test_a_pipeline_predicts_the_accuracy_of_models_it_never_saw(digits, pooling, least):
    autoencoder = WeightSpaceAutoencoder(
        digits.zoo.architecture, queries=digits.X_train, latent_dim=8, n_queries=32, d_model=16,
        n_layers=1, epochs=2, pooling=pooling, random_state=0,
    )  # fmt: skip
    model = make_pipeline(autoencoder, Ridge(10.0))
    rows, accuracy = digits.zoo.weights, digits.zoo.metadata["test_accuracy"].to_numpy()
    model.fit(rows[digits.train], accuracy[digits.train])
    assert model.score(rows[digits.test], accuracy[digits.test]) > least
