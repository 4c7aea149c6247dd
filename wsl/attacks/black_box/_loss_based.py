"""The attacks on a model's losses: on whose samples does it do best (Suri and Evans 2022)?

How answers are read, and what their loss is, lives in ``_answers``.
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.cluster import KMeans

from ..._batches import map_rows
from ...exceptions import InvalidInputError
from ..meta_classifiers._calibration import calibrate
from ._responses import ResponseFormat

MOST_GROUPS = 16  # into which queries are divided where the property is a number


class GroupLosses(TransformerMixin, BaseEstimator):
    """The mean loss of each model on the queries of each value of the property.

    Parameters
    ----------
    answers : Answers
        How rows of answers are read.
    query_labels : array-like ``(n_queries,)`` or ``(n_queries, n_outputs)``
    query_properties : array-like ``(n_queries,)``, or ``(n_queries, n_properties)`` of numbers
    numeric : bool
        Whether the property is a number, or several: more than 16 values are put together,
        neighbours first.
    """

    def __init__(
        self, answers: ResponseFormat, query_labels: Any, query_properties: Any, numeric: bool
    ):
        self.answers = answers
        self.query_labels = query_labels
        self.query_properties = query_properties
        self.numeric = numeric

    def fit(self, X, y=None):
        """Group the queries; nothing is learned from X."""
        properties = np.asarray(self.query_properties)
        if properties.ndim > 1 and not self.numeric:
            raise InvalidInputError(
                f"query_properties has shape {properties.shape}; wanted one value for each query, "
                f"({len(properties)},)"
            )
        self.targets_ = self.answers.target_values(self.query_labels)
        self.groups_, members = _grouped(properties, self.numeric)
        counts = np.bincount(members)
        self.weights_ = np.eye(len(counts))[members] / counts  # (n_queries, n_groups)
        return self

    def transform(self, X):
        """Return the mean losses ``(n_models, n_groups)``, groups as in ``groups_``."""
        row_bytes = 32 * max(2, self.answers.n_outputs) * self.answers.n_queries
        return map_rows(self._of_groups, X, row_bytes)

    def _of_groups(self, X: np.ndarray) -> np.ndarray:
        return self.answers.losses(X, self.targets_) @ self.weights_


def _grouped(properties: np.ndarray, numeric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the value of each group and the group of each query."""
    values, members = np.unique(properties, axis=0, return_inverse=True)
    if not numeric or len(values) <= MOST_GROUPS:
        return values, members
    if properties.ndim > 1:
        near = KMeans(MOST_GROUPS, n_init=1, random_state=0).fit(properties.astype(float))
        return near.cluster_centers_, near.labels_
    ranks = properties.argsort(kind="stable").argsort(kind="stable")
    members = ranks * MOST_GROUPS // len(properties)
    means = np.bincount(members, properties) / np.bincount(members)
    return means, members


class LossTestClassifier(ClassifierMixin, BaseEstimator):
    r"""The loss test: the class on whose samples the model's loss is least.

    With :math:`S_b` the queries drawn under property b, :math:`\hat b = \arg\min_b L(M, S_b)`,
    which for two classes is the test of Suri and Evans (2022), with accuracies where answers are
    labels. The models of ``fit`` do not move it. They move ``predict_proba``, a
    logistic fit to the losses of the classes, whose likeliest class may be another one where a
    class has the easier samples.
    """

    def __init__(self, losses: GroupLosses):
        self.losses = losses

    def fit(self, X, y):
        """Take the classes from y, and fit the probabilities."""
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.losses_ = self.losses.fit(X)
        groups = self.losses_.groups_.tolist()
        missing = [value for value in self.classes_.tolist() if value not in groups]
        if missing:
            raise InvalidInputError(
                f"query_properties has no query of {missing[0]!r}; wanted some of each class of y"
            )
        self.order_ = [groups.index(value) for value in self.classes_.tolist()]
        self.calibration_ = calibrate(self._scores(X), labels)
        return self

    def predict(self, X):
        """Return the class of least loss, ``(n_models,)``."""
        return self.classes_[self._scores(X).argmax(axis=1)]

    def predict_proba(self, X):
        """Return probabilities ``(n_models, n_classes)``, fitted to the models of ``fit``."""
        return self.calibration_(self._scores(X))

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return -self.losses_.transform(X)[:, self.order_]


class LossTestRegressor(RegressorMixin, BaseEstimator):
    """The loss test for numbers: the value on whose samples the model's loss is least.

    Queries of more than 16 values are put together with their neighbours; what is predicted is the
    mean of their values.
    """

    def __init__(self, losses: GroupLosses):
        self.losses = losses

    def fit(self, X, y):
        """Read the queries; the models do not move the test."""
        self.losses_ = self.losses.fit(X)
        self.shape_ = np.shape(y)[1:]
        if self.losses_.groups_[0].size != int(np.prod(self.shape_)):
            raise InvalidInputError(
                f"y has shape {np.shape(y)}, but query_properties "
                f"{np.shape(self.losses.query_properties)}; wanted as many numbers of each"
            )
        return self

    def predict(self, X):
        """Return the value of the group of least loss, in the shape of y."""
        least = self.losses_.transform(X).argmin(axis=1)
        return self.losses_.groups_[least].astype(float).reshape(len(X), *self.shape_)
