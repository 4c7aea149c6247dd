from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import entropy

from wsl import DistributionInferenceAttack, DistributionInferenceRegressor
from wsl.attacks.black_box._kl import Divergences, left_out_divergences, vote_fractions
from wsl.attacks.black_box._responses import ResponseFormat

N_QUERIES = 6


def looped(kind, n_outputs, X, shadows):
    """The slow way: one query of one pair of models after another."""
    deviation = shadows.std(axis=0)
    D = np.zeros((len(X), len(shadows)))
    for i, j in np.ndindex(D.shape):
        for q in range(N_QUERIES):
            part = slice(q * n_outputs, (q + 1) * n_outputs)
            p, s = X[i, part], shadows[j, part]
            if kind == "number":
                D[i, j] += np.sum(((p - s) / deviation[part]) ** 2) / 2
            elif kind == "label":
                D[i, j] += p[0] != s[0]
            else:
                if kind == "logits":
                    p, s = (expit(v) if n_outputs == 1 else softmax(v) for v in (p, s))
                if n_outputs == 1:
                    p, s = np.r_[1 - p, p], np.r_[1 - s, s]
                D[i, j] += entropy(p, s)
    return D / N_QUERIES


CASES = [
    ("logits", 1), ("logits", 3), ("proba", 1), ("proba", 3), ("label", 1),
    ("number", 1), ("number", 2),
]  # fmt: skip


def answers_of(kind, n_outputs, n_models, seed):
    X = np.random.default_rng(seed).normal(size=(n_models, N_QUERIES, n_outputs))
    if kind == "proba":
        X = expit(X) if n_outputs == 1 else softmax(X, axis=2)
    if kind == "label":
        X = np.floor(2 * np.abs(X))
    return X.reshape(n_models, -1)


@pytest.mark.parametrize(("kind", "n_outputs"), CASES)
def test_divergences_are_those_of_a_loop(kind, n_outputs):
    X, shadows = answers_of(kind, n_outputs, 4, 0), answers_of(kind, n_outputs, 7, 1)
    found = Divergences(ResponseFormat(kind, N_QUERIES, n_outputs), shadows)(X)
    np.testing.assert_allclose(found, looped(kind, n_outputs, X, shadows), atol=1e-9)


def test_a_probability_of_0_does_not_outweigh_all_else():
    shadows = np.array([[0.0, 0.5], [0.4, 0.9]])
    found = Divergences(ResponseFormat("proba", 2, 1), shadows)(np.array([[0.1, 0.5]]))
    assert np.isfinite(found).all()
    assert found[0, 0] < found[0, 1]


def looped_shares(divergences, labels):
    n_classes = labels.max() + 1
    shares = np.zeros((len(divergences), n_classes))
    for i, row in enumerate(divergences):
        for a, b in combinations(range(n_classes), 2):
            votes = [
                0.5 if row[j] == row[k] else float(row[j] < row[k])
                for j in np.flatnonzero(labels == a)
                for k in np.flatnonzero(labels == b)
                if np.isfinite(row[j]) and np.isfinite(row[k])
            ]
            shares[i, a] += np.mean(votes)
            shares[i, b] += 1 - np.mean(votes)
    return shares / (n_classes - 1)


def test_votes_are_those_of_every_pair_and_ties_count_half():
    labels = np.array([0, 1, 2, 0, 1, 2, 2, 1])
    divergences = np.random.default_rng(0).integers(4, size=(9, 8)).astype(float)
    np.testing.assert_allclose(
        vote_fractions(divergences, labels), looped_shares(divergences, labels)
    )


def test_shadows_do_not_vote_on_themselves():
    labels = np.array([0, 1, 2, 0, 1, 2, 2, 1])
    X = np.random.default_rng(0).normal(size=(8, N_QUERIES))
    some, among = left_out_divergences(Divergences(ResponseFormat("number", N_QUERIES, 1), X), X)
    np.testing.assert_array_equal(some, np.arange(8))
    assert np.isinf(np.diagonal(among)).all()
    np.testing.assert_allclose(vote_fractions(among, labels, labels), looped_shares(among, labels))


def test_the_likeliest_class_is_that_of_most_votes_where_classes_are_alike():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    X = np.concatenate([centre := rng.normal(size=(100, 5)) + 0.6, -centre])
    attack = DistributionInferenceAttack("kl").fit(X, y)
    X_test = rng.normal(size=(300, 5))
    votes = vote_fractions(attack.estimator_[-1].divergences_(X_test), y)
    np.testing.assert_array_equal(attack.predict(X_test), votes.argmax(axis=1))


def test_a_number_is_the_weighted_mean_of_the_shadows_numbers():
    rng = np.random.default_rng(0)
    y = rng.uniform(size=(80, 2))
    X = y @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(80, 4))
    attack = DistributionInferenceRegressor("kl").fit(X, y)
    X_test = X[:5] + 0.1
    kl = attack.estimator_[-1]
    D = looped_number(X_test, X)
    weights = np.exp(-(D - D.min(axis=1, keepdims=True)) / kl.unit_)
    expected = np.stack([np.average(y, axis=0, weights=w) for w in weights])
    np.testing.assert_allclose(attack.predict(X_test), expected)
    assert attack.score(X, y) > 0.8


def looped_number(X, shadows):
    scale = shadows.std(axis=0)
    return np.array([[np.mean(((p - s) / scale) ** 2) / 2 for s in shadows] for p in X])
