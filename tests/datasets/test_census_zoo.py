"""The census zoo: what its models are trained on, and how well."""

import numpy as np
import pytest

from wsl import Architecture
from wsl.datasets import load_census_income, load_census_zoo
from wsl.exceptions import InvalidInputError


@pytest.fixture(scope="module")
def census(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    settings = {"n_models": 10, "epochs": 2, "cache": folder}
    return {target: load_census_zoo(**settings, target=target) for target in ("income", "sex")}


def test_models_predict_income_and_do_not_see_sex(census):
    zoo = census["income"].zoo
    assert zoo.architecture == Architecture.mlp(30, [16, 8], 2)
    assert zoo.weights.shape == (10, 650)
    assert census["income"].X_train.shape == (14000, 30)
    assert census["income"].X_test.shape == (6000, 30)
    data, target = load_census_income(return_X_y=True)
    both = np.concatenate([census["income"].X_train, census["income"].X_test])
    np.testing.assert_allclose(both.sum(0), data.sum(0), atol=1.0)
    assert census["income"].y_train.mean() == pytest.approx(target.mean(), abs=1e-3)
    assert zoo.metadata["test_accuracy"].max() > 0.88  # nobody has 50,000 dollars: .878


def test_the_other_target_is_another_task_on_the_same_columns(census):
    other = census["sex"]
    assert other.X_train.shape == census["income"].X_train.shape
    sex = load_census_income().sensitive["sex"]
    assert other.y_test.mean() == pytest.approx((sex == "male").mean(), abs=1e-3)
    assert other.zoo.metadata["test_accuracy"].max() > 0.68


def test_an_unknown_target_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match=r"`target` must be one of .*; got 'race'"):
        load_census_zoo(2, epochs=1, target="race", cache=tmp_path)
