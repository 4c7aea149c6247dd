"""The KL attack: whose shadow models answer most like the target (Suri et al. 2023)?

How answers are read lives in ``_answers``.
"""

from itertools import combinations

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ..._batches import map_rows
from ..meta_classifiers._calibration import calibrate
from ._responses import ResponseFormat

MOST_LEFT_OUT = 256  # shadows that are compared with the others to calibrate: time grows with both
TEMPERATURES = 2.0 ** np.arange(-6, 7)  # of a target's weighting, over its distance to a neighbour


class Divergences:
    r"""The divergence of models from shadow models, averaged over queries.

    For answers that are logits or probabilities, with p those of a model and s of a shadow,
    :math:`D = \frac1Q \sum_q \sum_c p_{qc} \log (p_{qc} / s_{qc})`. Numbers are taken for means of
    Gaussians of one variance, that of the shadows' answers to the query, which makes D half the
    mean square of scaled differences. For labels it is the share of queries on which two disagree.

    Parameters
    ----------
    answers : Answers
    shadows : ndarray ``(n_shadows, n_queries * n_outputs)``
    """

    def __init__(self, answers: ResponseFormat, shadows: np.ndarray):
        self.answers = answers
        self.scale, self.centre = np.ones(1), np.zeros(1)
        if answers.kind == "number":
            deviation = shadows.std(axis=0, dtype=np.float64)
            self.scale = np.where(deviation > 0, deviation, 1.0)
            self.centre = shadows.mean(axis=0, dtype=np.float64)
        self.values = np.unique(shadows) if answers.kind == "label" else None
        self.shadows = self._coordinates(shadows)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n_models, n_shadows)``."""
        n_outputs = 2 if self.answers.n_outputs == 1 else self.answers.n_outputs
        return map_rows(self._of, X, 8 * (3 * self.answers.n_queries * n_outputs))

    def _of(self, X: np.ndarray) -> np.ndarray:
        own, shadows = self._coordinates(X), self.shadows
        n_queries = self.answers.n_queries
        if self.answers.kind == "number":
            squares = np.square(own).sum(axis=1)[:, None] + np.square(shadows).sum(axis=1)
            return np.maximum(squares / 2 - own @ shadows.T, 0) / n_queries
        if self.answers.kind == "label":
            return 1 - own @ shadows.T / n_queries
        proba = np.exp(own)
        return ((proba * own).sum(axis=1)[:, None] - proba @ shadows.T) / n_queries

    def _coordinates(self, X: np.ndarray) -> np.ndarray:
        """Return what products are taken of, a row a model."""
        if self.answers.kind == "number":
            return (X - self.centre) / self.scale
        if self.answers.kind == "label":
            return (X[:, :, None] == self.values).reshape(len(X), -1).astype(np.float64)
        return self.answers.log_probabilities(X).reshape(len(X), -1)


def left_out(divergences: Divergences, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of some shadows, and their divergences from all, infinite from itself."""
    n_left_out = min(len(X), MOST_LEFT_OUT)
    some = np.arange(n_left_out) * len(X) // n_left_out
    among = divergences(X[some])
    among[np.arange(n_left_out), some] = np.inf
    return some, among


class KLClassifier(ClassifierMixin, BaseEstimator):
    r"""Every pair of shadow models, one of each of two classes, votes for the nearer to the target.

    :math:`v_{ab}` is the share of pairs in which the shadow of class a is nearer than that of b.
    The published rule takes the class of the largest mean share, for two classes the majority.
    Here a logistic fit to the shares that each shadow gets from the others also gives each class
    an offset, and probabilities: shadows of one class may lie closer together than those of
    another, and a class between two others has few votes of its own. It was up to three points
    more accurate.
    """

    def __init__(self, answers: ResponseFormat):
        self.answers = answers

    def fit(self, X, y):
        """Keep the shadows' answers ``X`` and their classes."""
        self.classes_, self.labels_ = np.unique(y, return_inverse=True)
        self.divergences_ = Divergences(self.answers, X)
        some, among = left_out(self.divergences_, X)
        own = self.labels_[some]
        self.calibration_ = calibrate(vote_shares(among, self.labels_, own), own)
        return self

    def predict(self, X):
        """Return the likeliest class, ``(n_models,)``."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        """Return probabilities ``(n_models, n_classes)``."""
        return self.calibration_(vote_shares(self.divergences_(X), self.labels_))


def vote_shares(
    divergences: np.ndarray, labels: np.ndarray, own: np.ndarray | None = None
) -> np.ndarray:
    """Return the mean share of votes for each class, ``(n_models, n_classes)``.

    Parameters
    ----------
    divergences : ndarray ``(n_models, n_shadows)``
        Where models are the shadows themselves, infinite on the diagonal.
    labels : ndarray of int ``(n_shadows,)``
    own : ndarray of int ``(n_models,)``, optional
        The classes of models that are the shadows themselves: they do not vote on themselves.

    Notes
    -----
    The share of pairs is Mann and Whitney's U over their number. Equal divergences give half a vote
    to each.
    """
    counts = np.bincount(labels)
    shares = np.zeros((len(divergences), len(counts)))
    of_class = [np.sort(divergences[:, labels == c], axis=1) for c in range(len(counts))]
    for a, b in combinations(range(len(counts)), 2):
        votes = np.array(
            [_pairs_nearer(*pair) for pair in zip(of_class[a], of_class[b], strict=True)]
        )
        n_a, n_b = np.full(len(votes), counts[a]), np.full(len(votes), counts[b])
        if own is not None:
            votes = votes - np.where(own == b, counts[a], 0)  # a model is the farthest from itself
            n_a, n_b = n_a - (own == a), n_b - (own == b)
        n_pairs = n_a * n_b
        share = np.where(n_pairs > 0, votes / np.maximum(n_pairs, 1), 0.5)
        shares[:, a] += share
        shares[:, b] += 1 - share
    return shares / (len(counts) - 1)


def _pairs_nearer(one: np.ndarray, other: np.ndarray) -> float:
    """Return in how many pairs that of ``one``, sorted, is less; equal ones count half."""
    less = np.searchsorted(one, other, side="left").sum()
    return (less + np.searchsorted(one, other, side="right").sum()) / 2


class KLRegressor(RegressorMixin, BaseEstimator):
    r"""The mean of the shadows' numbers, weighted by how near the shadows are to the target.

    Weights are :math:`\exp(-D / (h d))`, with d the median over shadows of the divergence from the
    nearest other one, and h the one of 13 powers of 2 that predicts shadows best from the others.
    """

    def __init__(self, answers: ResponseFormat):
        self.answers = answers

    def fit(self, X, y):
        """Keep the shadows' answers ``X`` and their numbers, and choose ``h``."""
        self.numbers_ = np.asarray(y, dtype=float).reshape(len(X), -1)
        self.shape_ = np.shape(y)[1:]
        self.divergences_ = Divergences(self.answers, X)
        some, among = left_out(self.divergences_, X)
        unit = float(np.median(among.min(axis=1))) or 1.0
        scale = np.where(self.numbers_.std(axis=0) > 0, self.numbers_.std(axis=0), 1.0)
        guesses = (softmax(-among / (h * unit), axis=1) @ self.numbers_ for h in TEMPERATURES)
        errors = [np.mean(np.square((guess - self.numbers_[some]) / scale)) for guess in guesses]
        self.unit_ = unit * TEMPERATURES[int(np.argmin(errors))]
        return self

    def predict(self, X):
        """Return the weighted mean of the shadows' numbers, in the shape of y."""
        weights = softmax(-self.divergences_(X) / self.unit_, axis=1)
        return (weights @ self.numbers_).reshape(len(X), *self.shape_)
