import numpy as np
import pytest
from scipy.special import softmax

from wsl.attacks.meta_classifiers import _temperature_scaling
from wsl.attacks.meta_classifiers._kernel_ridge import KernelRidgeClassifier
from wsl.attacks.meta_classifiers._temperature_scaling import TemperatureScaled

RNG = np.random.default_rng(0)


class Overconfident(KernelRidgeClassifier):
    """States four times the log odds."""

    def predict_proba(self, X):
        """Return probabilities nearer to 0 and 1 than frequencies are."""
        return softmax(4 * np.log(super().predict_proba(X)), axis=1)


def test_tempering_undoes_overconfidence_and_keeps_the_prediction():
    y = RNG.integers(2, size=4000)
    X = RNG.normal(size=(4000, 5)) + 0.5 * y[:, None]
    tempered = TemperatureScaled(Overconfident(0), 0).fit(X[:2000], y[:2000])
    assert 0.2 < tempered.calibration_.slope < 0.32
    np.testing.assert_array_equal(tempered.predict_proba(X).argmax(axis=1), tempered.predict(X))


def test_too_few_models_to_hold_out_are_not_tempered():
    y = np.arange(14) % 2
    X = RNG.normal(size=(14, 3)) + y[:, None]
    tempered = TemperatureScaled(KernelRidgeClassifier(0), 0).fit(X, y)
    assert tempered.calibration_.slope == 1
    np.testing.assert_allclose(
        tempered.predict_proba(X), tempered.estimator_.predict_proba(X), rtol=1e-9
    )


class Recorder(KernelRidgeClassifier):
    """Keeps what each of its copies was trained on."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y):
        """Train, and remember the rows."""
        self.seen.append(set(X[:, 0].tolist()))
        return super().fit(X, y)


@pytest.mark.parametrize(("n_models", "n_turns"), [(80, 4), (200, 2), (400, 1)])
def test_the_power_is_judged_by_models_held_out(n_models, n_turns, monkeypatch):
    monkeypatch.setattr(Recorder, "seen", [])
    y = np.arange(n_models) % 2
    X = np.c_[np.arange(n_models), RNG.normal(size=n_models)]
    TemperatureScaled(Recorder(0), 0).fit(X, y)
    everything, *parts = Recorder.seen
    assert everything == set(range(n_models))
    held_out = [everything - part for part in parts]
    assert len(held_out) == n_turns
    assert sum(map(len, held_out)) == len(set().union(*held_out)) >= min(64, n_models)
    for part in held_out:
        assert len(part) == n_models // 4
        assert abs(sum(y[int(i)] for i in part) - len(part) / 2) <= 1


def test_rows_too_many_to_copy_are_drawn_from(monkeypatch):
    monkeypatch.setattr(Recorder, "seen", [])
    monkeypatch.setattr(_temperature_scaling, "MAX_COPIED_BYTES", 100 * 16)
    y = np.arange(400) % 2
    TemperatureScaled(Recorder(0), 0).fit(RNG.normal(size=(400, 2)), y)
    assert [len(rows) for rows in Recorder.seen] == [400, 75, 75, 75]
