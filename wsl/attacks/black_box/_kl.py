"""The KL attack (Suri et al. 2023): which shadow models respond most like the target model?"""

from itertools import combinations

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ..._batches import map_rows
from ..._diverged import typical_rows
from ..meta_classifiers._calibration import calibrate
from ._responses import ResponseFormat

MAX_LEFT_OUT = 256  # shadow models compared with all others to calibrate, which bounds the time
TEMPERATURES = 2.0 ** np.arange(-6, 7)  # relative to the distance to the nearest neighbour


class Divergences:
    r"""The divergence of models from shadow models, averaged over queries.

    For logits and probabilities, with p those of a model and s of a shadow model,
    :math:`D = \frac1Q \sum_q \sum_c p_{qc} \log (p_{qc} / s_{qc})`. Continuous responses count as
    means of Gaussians that share the variance of the shadow models' responses to the query, so
    that D is half the mean square of scaled differences. For labels D is the fraction of queries
    on which two models disagree.

    Parameters
    ----------
    response_format : ResponseFormat
        Format of the rows of responses.
    shadows : ndarray of shape (n_shadows, n_queries * n_outputs)
        Responses of the shadow models.
    """

    def __init__(self, response_format: ResponseFormat, shadows: np.ndarray):
        self.response_format = response_format
        self.scale, self.centre = np.ones(1), np.zeros(1)
        if response_format.kind == "number":
            typical = typical_rows(shadows)
            deviation = typical.std(axis=0, dtype=np.float64)
            self.scale = np.where(deviation > 0, deviation, 1.0)
            self.centre = typical.mean(axis=0, dtype=np.float64)
        self.values = np.unique(shadows) if response_format.kind == "label" else None
        self.shadows = self._coordinates(shadows)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n_models, n_shadows)``."""
        n_outputs = 2 if self.response_format.n_outputs == 1 else self.response_format.n_outputs
        return map_rows(self._divergences, X, 8 * (3 * self.response_format.n_queries * n_outputs))

    def _divergences(self, X: np.ndarray) -> np.ndarray:
        models, shadows = self._coordinates(X), self.shadows
        n_queries = self.response_format.n_queries
        if self.response_format.kind == "number":
            squares = np.square(models).sum(axis=1)[:, None] + np.square(shadows).sum(axis=1)
            return np.maximum(squares / 2 - models @ shadows.T, 0) / n_queries
        if self.response_format.kind == "label":
            return 1 - models @ shadows.T / n_queries
        proba = np.exp(models)
        return ((proba * models).sum(axis=1)[:, None] - proba @ shadows.T) / n_queries

    def _coordinates(self, X: np.ndarray) -> np.ndarray:
        """Return vectors, one row per model, whose inner products give the divergences."""
        if self.response_format.kind == "number":
            return (X - self.centre) / self.scale
        if self.response_format.kind == "label":
            return (X[:, :, None] == self.values).reshape(len(X), -1).astype(np.float64)
        return self.response_format.log_probabilities(X).reshape(len(X), -1)


def left_out_divergences(divergences: Divergences, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of some shadow models and their divergences from all; infinite from itself."""
    n_left_out = min(len(X), MAX_LEFT_OUT)
    indices = np.arange(n_left_out) * len(X) // n_left_out
    values = divergences(X[indices])
    values[np.arange(n_left_out), indices] = np.inf
    return indices, values


class KLClassifier(ClassifierMixin, BaseEstimator):
    r"""Every pair of shadow models of two classes votes for the one nearer to the target.

    :math:`v_{ab}` is the fraction of pairs in which the shadow model of class a is nearer than that
    of class b. The published rule predicts the class of the largest mean fraction, for two classes
    the majority. Here a logistic fit to the fractions of left-out shadow models adds an offset per
    class and gives probabilities, since shadow models of one class may lie closer together than
    those of another, and a class between two others gets few votes.
    """

    def __init__(self, response_format: ResponseFormat):
        self.response_format = response_format

    def fit(self, X, y):
        """Store the shadow models' responses ``X`` and their classes ``y``."""
        self.classes_, self.labels_ = np.unique(y, return_inverse=True)
        self.divergences_ = Divergences(self.response_format, X)
        indices, divergences = left_out_divergences(self.divergences_, X)
        labels = self.labels_[indices]
        self.calibration_ = calibrate(vote_fractions(divergences, self.labels_, labels), labels)
        return self

    def predict(self, X):
        """Return the most probable class per model, ``(n_models,)``."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        """Return probabilities ``(n_models, n_classes)``."""
        return self.calibration_(vote_fractions(self.divergences_(X), self.labels_))


def vote_fractions(
    divergences: np.ndarray, labels: np.ndarray, model_labels: np.ndarray | None = None
) -> np.ndarray:
    """Return the mean fraction of votes for each class, ``(n_models, n_classes)``.

    Parameters
    ----------
    divergences : ndarray of shape (n_models, n_shadows)
        Divergences from the shadow models; infinite from itself if a model is a shadow model.
    labels : ndarray of int of shape (n_shadows,)
        Classes of the shadow models.
    model_labels : ndarray of int of shape (n_models,), default=None
        Classes of the models if they are shadow models, which do not vote on themselves.

    Notes
    -----
    The fraction of pairs is the Mann-Whitney U statistic over the number of pairs. Equal
    divergences give half a vote to each.
    """
    counts = np.bincount(labels)
    fractions = np.zeros((len(divergences), len(counts)))
    by_class = [np.sort(divergences[:, labels == c], axis=1) for c in range(len(counts))]
    for a, b in combinations(range(len(counts)), 2):
        votes = np.array(
            [_pairs_nearer(*pair) for pair in zip(by_class[a], by_class[b], strict=True)]
        )
        n_a, n_b = np.full(len(votes), counts[a]), np.full(len(votes), counts[b])
        if model_labels is not None:
            # the divergence of a model from itself is infinite, so each pair with it votes for a
            votes = votes - np.where(model_labels == b, counts[a], 0)
            n_a, n_b = n_a - (model_labels == a), n_b - (model_labels == b)
        n_pairs = n_a * n_b
        fraction = np.where(n_pairs > 0, votes / np.maximum(n_pairs, 1), 0.5)
        fractions[:, a] += fraction
        fractions[:, b] += 1 - fraction
    return fractions / (len(counts) - 1)


def _pairs_nearer(first: np.ndarray, second: np.ndarray) -> float:
    """Return the number of pairs in which the sorted ``first`` is smaller; ties count half."""
    n_smaller = np.searchsorted(first, second, side="left").sum()
    return (n_smaller + np.searchsorted(first, second, side="right").sum()) / 2


class KLRegressor(RegressorMixin, BaseEstimator):
    r"""The mean of the shadow models' properties, weighted by their nearness to the target.

    Weights are :math:`\exp(-D / (h d))`, with d the median divergence of a shadow model from its
    nearest neighbour, and h the one of 13 powers of 2 that best predicts left-out shadow models.
    """

    def __init__(self, response_format: ResponseFormat):
        self.response_format = response_format

    def fit(self, X, y):
        """Store the shadow models' responses ``X`` and properties ``y``, and choose ``h``."""
        self.targets_ = np.asarray(y, dtype=float).reshape(len(X), -1)
        self.shape_ = np.shape(y)[1:]
        self.divergences_ = Divergences(self.response_format, X)
        indices, divergences = left_out_divergences(self.divergences_, X)
        unit = float(np.median(divergences.min(axis=1))) or 1.0
        scale = np.where(self.targets_.std(axis=0) > 0, self.targets_.std(axis=0), 1.0)
        predictions = (
            softmax(-divergences / (h * unit), axis=1) @ self.targets_ for h in TEMPERATURES
        )
        errors = [
            np.mean(np.square((prediction - self.targets_[indices]) / scale))
            for prediction in predictions
        ]
        self.unit_ = unit * TEMPERATURES[int(np.argmin(errors))]
        return self

    def predict(self, X):
        """Return the weighted mean of the shadow models' properties, in the shape of y."""
        weights = softmax(-self.divergences_(X) / self.unit_, axis=1)
        return (weights @ self.targets_).reshape(len(X), *self.shape_)
