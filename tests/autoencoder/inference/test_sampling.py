"""Draws from the densities: right moments, and independent dimensions."""

import numpy as np
import pytest
from sklearn import config_context

from wsl.autoencoder.inference._sampling import (
    draw_mixture_weights,
    sample_gmm,
    sample_kde,
    sample_latents,
)

TOKENS = [np.array([0, 1]), np.array([2, 3])]


def test_moments_are_those_of_the_density():
    rng = np.random.default_rng(0)
    anchors = rng.normal(loc=[0.0, 5.0, -2.0, 1.0], scale=[1.0, 2.0, 0.5, 3.0], size=(40, 4))
    drawn = sample_kde(anchors, TOKENS, 40_000, rng, bandwidth=0.3)
    np.testing.assert_allclose(drawn.mean(0), anchors.mean(0), atol=0.08)
    expected = anchors.var(axis=0) + (0.3 * anchors.std(axis=0, ddof=1)) ** 2
    np.testing.assert_allclose(drawn.var(axis=0), expected, rtol=0.05)


def test_noise_is_independent_across_dimensions_and_tokens():
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


def test_interpolation_lies_between_two_anchors():
    drawn = sample_latents("interpolation", np.eye(5), TOKENS, 200, np.random.default_rng(0), None)
    assert (drawn >= 0).all()
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    assert ((drawn > 0).sum(axis=1) == 2).all()
    assert 0.05 < np.median(drawn.max(axis=1)) - 0.5 < 0.45  # neither at the ends nor in the middle


def test_mixture_weights_are_uniform_over_anchors_and_on_the_simplex():
    weights = draw_mixture_weights(6, 3, 20_000, np.random.default_rng(0))
    assert ((weights > 0).sum(axis=1) == 3).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1 / 6, atol=0.005)
    # of a uniform division in three, each part has variance (1/3)(2/3)/4
    np.testing.assert_allclose(weights[weights > 0].var(), 1 / 18, rtol=0.02)
    assert (draw_mixture_weights(2, 3, 5, np.random.default_rng(0)) > 0).sum() == 10


def test_a_mixture_finds_the_groups_of_the_anchors():
    rng = np.random.default_rng(0)
    centers = np.array([[0.0] * 8, [20.0] * 8])
    anchors = centers[rng.integers(2, size=60)] + rng.normal(size=(60, 8))
    drawn = sample_gmm(anchors, 4000, rng)
    group = (drawn.mean(axis=1) > 10).astype(int)
    assert np.abs(drawn - centers[group]).max() < 8  # none between the two
    weights = [(anchors.mean(axis=1) > 10).mean(), group.mean()]
    assert abs(weights[0] - weights[1]) < 0.03
    np.testing.assert_allclose((drawn - centers[group]).std(), 1.0, atol=0.15)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_mixture_does_not_depend_on_what_transformers_return(library):
    anchors = np.random.default_rng(0).normal(size=(6, 10))
    expected = sample_gmm(anchors, 5, np.random.default_rng(1))
    with config_context(transform_output=library):
        drawn = sample_gmm(anchors, 5, np.random.default_rng(1))
    np.testing.assert_allclose(drawn, expected, rtol=1e-10)


def test_a_mixture_of_few_anchors_stays_in_their_span():
    anchors = np.random.default_rng(0).normal(size=(4, 30))
    drawn = sample_gmm(anchors, 10, np.random.default_rng(1))
    basis = np.linalg.qr((anchors[1:] - anchors[0]).T)[0]
    off = drawn - anchors[0]
    np.testing.assert_allclose(off @ basis @ basis.T, off, atol=1e-8)
    np.testing.assert_array_equal(sample_gmm(anchors[:1], 2, np.random.default_rng(0)),
                                  anchors[[0, 0]])  # fmt: skip
