"""Scorers inside scikit-learn's searches, and what they say of a known rebuild."""

import pickle
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, cross_validate

from wsl import Architecture, WeightSpaceAutoencoder, metrics
from wsl.exceptions import InvalidInputError, UnsupportedModuleError

ARCHITECTURE = Architecture.mlp(4, [5], 3)
RNG = np.random.default_rng(0)
ROWS, QUERIES = RNG.normal(size=(30, ARCHITECTURE.n_weights)), RNG.normal(size=(40, 4))


class Halves(BaseEstimator):
    """Rebuilds a model as half of itself."""

    architecture, queries = ARCHITECTURE, QUERIES

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def reconstruct(self, X):
        """Return half of the rows."""
        return 0.5 * np.asarray(X, dtype=np.float32)


def test_scores_are_the_metrics_of_what_is_rebuilt():
    outputs, rebuilt = (ARCHITECTURE.forward(rows, QUERIES) for rows in (ROWS, 0.5 * ROWS))
    agreement = metrics.agreement(outputs, rebuilt)
    expected = {
        "agreement": agreement,
        "agreement_gain": agreement - metrics.shuffled_agreement(outputs, rebuilt),
        "behavioral_r2": metrics.behavioral_r2(outputs, rebuilt),
        "explained_variance": metrics.explained_variance(ROWS, 0.5 * ROWS),
    }
    assert metrics.get_scorer_names() == sorted(expected)
    for name, value in expected.items():
        scorer = metrics.get_scorer(name)
        assert scorer(Halves(), ROWS) == pytest.approx(value, abs=1e-5)
        assert pickle.loads(pickle.dumps(scorer))(Halves(), ROWS) == scorer(Halves(), ROWS)


def test_queries_of_the_scorer_come_first():
    own = RNG.normal(size=(9, 4))
    outputs, rebuilt = (ARCHITECTURE.forward(rows, own) for rows in (ROWS, 0.5 * ROWS))
    scorer = metrics.get_scorer("agreement", queries=own)
    assert scorer(Halves(), ROWS) == pytest.approx(metrics.agreement(outputs, rebuilt))


def test_of_several_sets_of_queries_each_has_its_share():
    class OfSets(Halves):
        """With queries by name."""

        queries: ClassVar = {"data": QUERIES[:10], "noise": QUERIES[10:]}

    scorer = metrics.get_scorer("agreement")
    assert scorer(OfSets(), ROWS) == scorer(Halves(), ROWS)


@pytest.mark.slow
def test_a_search_over_beta_and_latent_dim():
    autoencoder = WeightSpaceAutoencoder(
        ARCHITECTURE, queries=QUERIES, d_model=8, n_layers=1, n_heads=2, epochs=1, random_state=0
    )
    grid = {"beta": [0.1, 1.0], "latent_dim": [1, 5]}
    names = ["agreement", "behavioral_r2"]
    search = GridSearchCV(
        autoencoder, grid, scoring={name: metrics.get_scorer(name) for name in names},
        refit="agreement", cv=2, error_score="raise",
    ).fit(ROWS)  # fmt: skip
    assert search.best_params_["latent_dim"] == 5
    assert {f"mean_test_{name}" for name in names} <= set(search.cv_results_)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_behavioral_r2"][0],
        cross_validate(
            autoencoder.set_params(beta=0.1, latent_dim=1), ROWS, cv=2
        )["test_score"].mean(),
        rtol=1e-3,
    )  # fmt: skip


def test_scikit_learn_takes_it_as_a_scorer():
    scorer = metrics.get_scorer("agreement")
    assert check_scoring(Halves(), scorer) is scorer


def test_what_cannot_be_scored_is_named():
    with pytest.raises(InvalidInputError, match=r"`name` must be one of .* got 'accuracy'"):
        metrics.get_scorer("accuracy")
    with pytest.raises(UnsupportedModuleError, match=r"'agreement' needs .* got a Ridge"):
        metrics.get_scorer("agreement")(Ridge(), ROWS)
    plain = WeightSpaceAutoencoder(latent_dim=64, d_model=8, n_layers=1, epochs=0).fit(ROWS)
    with pytest.raises(InvalidInputError, match="architecture=None or queries=None"):
        metrics.get_scorer("agreement")(plain, ROWS)
    assert metrics.get_scorer("explained_variance")(plain, ROWS) == pytest.approx(1.0, abs=1e-5)
