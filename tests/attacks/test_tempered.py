import numpy as np
from scipy.special import softmax

from wsl.attacks._tempered import Tempered
from wsl.attacks._wide_kernel import WideKernelClassifier

RNG = np.random.default_rng(0)


class Overconfident(WideKernelClassifier):
    """States four times the log odds."""

    def predict_proba(self, X):
        """Return probabilities nearer to 0 and 1 than frequencies are."""
        return softmax(4 * np.log(super().predict_proba(X)), axis=1)


def test_tempering_undoes_overconfidence_and_keeps_the_prediction():
    y = RNG.integers(2, size=4000)
    X = RNG.normal(size=(4000, 5)) + 0.5 * y[:, None]
    tempered = Tempered(Overconfident(0), 0).fit(X[:2000], y[:2000])
    assert 0.2 < tempered.calibration_.slope < 0.32
    np.testing.assert_array_equal(tempered.predict_proba(X).argmax(axis=1), tempered.predict(X))


def test_too_few_models_to_hold_out_are_not_tempered():
    y = np.arange(14) % 2
    X = RNG.normal(size=(14, 3)) + y[:, None]
    tempered = Tempered(WideKernelClassifier(0), 0).fit(X, y)
    assert tempered.calibration_.slope == 1
    np.testing.assert_allclose(
        tempered.predict_proba(X), tempered.estimator_.predict_proba(X), rtol=1e-9
    )
