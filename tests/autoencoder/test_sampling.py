"""Draws from the densities: right moments, and no two numbers that move together."""

import numpy as np

from wsl.autoencoder._sampling import sample_kde, sample_latents

TOKENS = [np.array([0, 1]), np.array([2, 3])]


def test_moments_are_those_of_the_density():
    rng = np.random.default_rng(0)
    anchors = rng.normal(loc=[0.0, 5.0, -2.0, 1.0], scale=[1.0, 2.0, 0.5, 3.0], size=(40, 4))
    drawn = sample_kde(anchors, TOKENS, 40_000, rng, bandwidth=0.3)
    np.testing.assert_allclose(drawn.mean(0), anchors.mean(0), atol=0.08)
    expected = anchors.var(axis=0) + (0.3 * anchors.std(axis=0, ddof=1)) ** 2
    np.testing.assert_allclose(drawn.var(axis=0), expected, rtol=0.05)


def test_noise_is_independent_across_numbers_and_tokens():
    anchors = np.random.default_rng(0).normal(size=(30, 4))
    rng = np.random.default_rng(1)
    whole = [np.arange(4)]
    drawn = sample_kde(anchors, whole, 20_000, rng, bandwidth=1e-3)
    nearest = np.linalg.norm(drawn[:, None] - anchors, axis=2).argmin(axis=1)
    noise = drawn - anchors[nearest]
    assert np.abs(np.corrcoef(noise.T) - np.eye(4)).max() < 0.05


def test_tokens_choose_their_anchors_apart_and_whole_models_do_not():
    anchors = np.repeat(np.arange(30.0)[:, None], 4, axis=1)
    rng = np.random.default_rng(0)
    drawn = sample_latents("token_kde", anchors, TOKENS, 5000, rng, 1e-6).round()
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 2])[0, 1]) < 0.05
    drawn = sample_latents("kde", anchors, TOKENS, 100, rng, 1e-6).round()
    assert (drawn == drawn[:, :1]).all()


def test_scotts_rule_is_the_default_for_tokens():
    anchors = np.random.default_rng(0).normal(size=(50, 4))
    drawn = sample_latents("token_kde", anchors, TOKENS, 40_000, np.random.default_rng(1), None)
    scott = 50 ** (-1 / 6)
    expected = anchors.var(axis=0) + (scott * anchors.std(axis=0, ddof=1)) ** 2
    np.testing.assert_allclose(drawn.var(axis=0), expected, rtol=0.05)


def test_one_anchor_is_drawn_as_it_is():
    anchors = np.array([[1.0, 2.0, 3.0, 4.0]])
    drawn = sample_kde(anchors, TOKENS, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, np.repeat(anchors, 3, axis=0))
