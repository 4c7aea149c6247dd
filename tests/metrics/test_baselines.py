"""What a constant answer reaches, against slow loops."""

import numpy as np
import pytest
from scipy.special import softmax

from wsl import metrics
from wsl.exceptions import InvalidInputError

RNG = np.random.default_rng(0)
OUTPUTS, OTHERS = RNG.normal(size=(6, 13, 3)), RNG.normal(size=(4, 13, 3))


@pytest.mark.parametrize("candidates", [None, OTHERS], ids=["originals", "others"])
def test_the_best_single_model_is_the_one_that_agrees_most(candidates):
    tried = OUTPUTS if candidates is None else candidates
    expected = max(metrics.agreement(OUTPUTS, np.broadcast_to(o, OUTPUTS.shape)) for o in tried)
    assert metrics.best_single_model_agreement(OUTPUTS, candidates) == pytest.approx(expected)


@pytest.mark.parametrize("candidates", [None, OTHERS], ids=["originals", "others"])
def test_the_averaged_prediction_is_given_to_everybody(candidates):
    average = softmax(OUTPUTS if candidates is None else candidates, axis=-1).mean(axis=0)
    expected = metrics.agreement(OUTPUTS, np.broadcast_to(average, OUTPUTS.shape))
    assert metrics.averaged_prediction_agreement(OUTPUTS, candidates) == pytest.approx(expected)


def test_a_single_output_is_averaged_as_a_logit():
    outputs = np.array([[[3.0], [-1.0]], [[-1.0], [-1.0]], [[-1.0], [2.0]]])
    assert metrics.averaged_prediction_agreement(outputs) == pytest.approx(0.5)
    assert metrics.best_single_model_agreement(outputs) == pytest.approx(2 / 3)


def test_candidates_answer_the_same_queries():
    for floor in (metrics.best_single_model_agreement, metrics.averaged_prediction_agreement):
        with pytest.raises(InvalidInputError, match=r"`candidates` .* 13 queries .* got 12 and 3"):
            floor(OUTPUTS, OTHERS[:, :12])
