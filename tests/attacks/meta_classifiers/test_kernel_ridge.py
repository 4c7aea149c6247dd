import numpy as np
import pytest
from sklearn.linear_model import Ridge

from wsl.attacks.meta_classifiers._kernel_ridge import (
    KernelRidgeClassifier,
    KernelRidgeRegressor,
    ridge_leave_one_out,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("n_models", "n_features"), [(30, 5), (12, 20)])
def test_left_out_predictions_are_those_of_fits_without_the_model(n_models, n_features):
    X = RNG.normal(size=(n_models, n_features))
    X -= X.mean(axis=0)
    y = X[:, :2] + RNG.normal(size=(n_models, 2)) + 3
    penalties = np.logspace(-1, 3, 9)

    def without(i, penalty):
        others = np.arange(n_models) != i
        fit = Ridge(penalty).fit(X[others], y[others])
        return fit.predict(X[[i]])[0], y[others].mean(axis=0)

    error, left_out, weights = ridge_leave_one_out(X, y, penalties)
    errors, scores = [], []
    for penalty in penalties:
        pairs = [without(i, penalty) for i in range(n_models)]
        errors.append(np.mean([(y[i] - pair[0]) ** 2 for i, pair in enumerate(pairs)]))
        scores.append([predicted - mean for predicted, mean in pairs])
    best = int(np.argmin(errors))
    np.testing.assert_allclose(error, errors[best], rtol=1e-6)
    np.testing.assert_allclose(left_out, scores[best], atol=1e-6)
    np.testing.assert_allclose(weights, Ridge(penalties[best]).fit(X, y).coef_.T, atol=1e-6)


def test_probabilities_of_noise_are_those_of_the_classes():
    X, y = RNG.normal(size=(200, 10)), np.arange(200) % 4 == 0
    proba = KernelRidgeClassifier(0).fit(X, y).predict_proba(RNG.normal(size=(500, 10)))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(proba[:, 1].mean(), 0.25, atol=0.05)


def test_numbers_keep_their_scales():
    X = RNG.normal(size=(300, 4))
    y = np.c_[1e6 * X[:, 0] + 1e7, 1e-6 * X[:, 1], np.full(300, 5.0)]
    fit = KernelRidgeRegressor(0).fit(X[:200], y[:200])
    predicted = fit.predict(X[200:])
    for column in range(2):
        assert np.corrcoef(predicted[:, column], y[200:, column])[0, 1] > 0.999
    np.testing.assert_allclose(predicted[:, 2], 5)
