"""What zoos share: how models are divided, and the recipes themselves."""

import numpy as np
import pytest

from wsl.datasets import _census_zoo, _digits_zoo, _mnist_zoo
from wsl.datasets._zoo_recipes import INITS, WEIGHT_DECAYS, split_by_model


@pytest.mark.parametrize("n_models", [3, 20, 1000])
def test_models_are_divided_whole(n_models):
    models = np.repeat(np.arange(n_models), 4)
    parts = split_by_model(models)
    assert list(parts) == ["train", "valid", "test"]
    rows = np.concatenate(list(parts.values()))
    np.testing.assert_array_equal(np.sort(rows), np.arange(4 * n_models))
    owners = [set(models[part]) for part in parts.values()]
    assert sum(map(len, owners)) == n_models  # no model in two parts
    shares = [len(own) / n_models for own in owners]
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=1 / n_models)


def test_the_division_does_not_follow_the_order_of_training():
    parts = split_by_model(np.arange(1000))
    assert abs(parts["test"].mean() - 499.5) < 80
    np.testing.assert_array_equal(parts["test"], split_by_model(np.arange(1000))["test"])


@pytest.mark.parametrize("module", [_digits_zoo, _mnist_zoo, _census_zoo])
def test_every_recipe_varies_its_models(module):
    assert len(set(module.RECIPE.learning_rates)) >= 3
    assert len(set(WEIGHT_DECAYS)) >= 3
    assert len(set(INITS)) >= 4


def test_the_mnist_cnn_has_the_weights_of_the_field():
    assert _mnist_zoo.RECIPE.architecture.n_weights == 2464
