import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, softmax

from wsl.attacks.meta_classifiers._calibration import calibrate

RNG = np.random.default_rng(0)


def test_calibration_is_the_minimum_of_the_smoothed_likelihood():
    labels = RNG.integers(3, size=100)
    scores = np.eye(3)[labels] + RNG.normal(size=(100, 3))
    found = calibrate(scores, labels)
    counts = np.bincount(labels)
    wanted = np.array(
        [[(counts[y] + 1) / (counts[y] + 2) if c == y else 0.5 / (counts[y] + 2) for c in range(3)]
         for y in labels]
    )  # fmt: skip

    def loss(p):
        return -np.sum(wanted * np.log(softmax(p[0] * scores + np.r_[0, p[1:]], axis=1)))

    slow = minimize(loss, [1.0, 0, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    offset = found.offset - found.offset[0]
    np.testing.assert_allclose(np.r_[found.slope, offset[1:]], slow.x, atol=1e-3)


def test_known_probabilities_come_back():
    logit = 3 * RNG.normal(size=20_000)
    labels = (RNG.uniform(size=20_000) < expit(logit + 1)).astype(int)
    found = calibrate(5 * np.c_[-logit, logit], labels)  # ten times too sure
    stated = found(5 * np.c_[-logit, logit])[:, 1]
    np.testing.assert_allclose(stated, expit(logit + 1), atol=0.02)


def test_scores_are_never_turned_round():
    labels = np.arange(50) % 2
    found = calibrate(np.c_[labels, 1 - labels] + 0.1 * RNG.normal(size=(50, 2)), labels)
    assert found.slope == 0


def test_few_models_make_no_certainty():
    labels = np.arange(20) % 2
    proba = calibrate(np.eye(2)[labels], labels)(np.eye(2)[labels])
    np.testing.assert_allclose(proba[np.arange(20), labels], 11 / 12, atol=1e-3)
