"""Temperature scaling of a network's probabilities on held-out models."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from ..._random import resolve_random_state
from ._calibration import Calibration, calibrate

N_PARTS = 4
ENOUGH_MODELS = 64  # held-out models that determine the temperature well enough
MIN_MODELS = 8  # per class; with fewer, none are held out
MAX_COPIED_BYTES = 256 * 2**20  # of rows, as X may be larger than memory
TINY = 1e-12  # so that every probability has a logarithm


class TemperatureScaled(ClassifierMixin, BaseEstimator):
    """A classifier with temperature-scaled probabilities.

    The temperature is fitted to the predictions of a second classifier, trained on three quarters
    of the models, for the last quarter; predicted classes are those of the classifier trained on
    all models. With fewer than 256 models up to four quarters are held out in turn, so that the
    temperature is fitted to 64 models.
    """

    def __init__(self, estimator: Any, random_state: Any = None):
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X, y):
        """Train on ``X (n_models, n_weights)`` and classes ``y (n_models,)``."""
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.calibration_ = Calibration(1.0, np.zeros(len(self.classes_)))
        indices = self._draw_indices(labels, X[:1].nbytes)
        if np.bincount(labels[indices], minlength=len(self.classes_)).min() < MIN_MODELS:
            return self
        parts = [indices[start::N_PARTS] for start in range(N_PARTS)]
        n_folds = min(len(parts), -(-ENOUGH_MODELS // len(parts[0])))
        scores = [self._held_out_scores(X, labels, parts, fold) for fold in range(n_folds)]
        held_out = labels[np.concatenate(parts[:n_folds])]
        self.calibration_ = calibrate(np.concatenate(scores), held_out, offsets=False)
        return self

    def predict(self, X):
        """Return the predicted class of each model, ``(n_models,)``."""
        return self.estimator_.predict(X)

    def predict_proba(self, X):
        """Return probabilities ``(n_models, n_classes)``; temperature keeps their order."""
        return self.calibration_(log_probabilities(self.estimator_, X))

    def _draw_indices(self, labels: np.ndarray, row_bytes: int) -> np.ndarray:
        """Return shuffled model indices by class; a subset if all exceed the memory bound."""
        order = resolve_random_state(self.random_state).permutation(len(labels))
        by_class = order[labels[order].argsort(kind="stable")]
        return by_class[:: max(1, -(-len(labels) * row_bytes // MAX_COPIED_BYTES))]

    def _held_out_scores(
        self, X: np.ndarray, labels: np.ndarray, parts: list[np.ndarray], fold: int
    ) -> np.ndarray:
        """Return the log-probabilities of one part by a classifier trained on the others."""
        others = np.sort(np.concatenate([part for i, part in enumerate(parts) if i != fold]))
        estimator = clone(self.estimator).fit(X[others], labels[others])
        return log_probabilities(estimator, X[parts[fold]])


def log_probabilities(estimator: Any, X: np.ndarray) -> np.ndarray:
    """Return the logarithms of a classifier's probabilities, ``(n_models, n_classes)``."""
    return np.log(np.maximum(estimator.predict_proba(X), TINY))
