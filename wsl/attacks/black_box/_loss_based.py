"""Attacks on the losses of a model on samples of each property (Suri and Evans 2022)."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.cluster import KMeans

from ..._batches import map_rows
from ...exceptions import InvalidInputError
from ..meta_classifiers._calibration import calibrate
from ._responses import ResponseFormat

MAX_GROUPS = 16  # of queries, if the property is continuous


class GroupLosses(TransformerMixin, BaseEstimator):
    """The mean loss of each model on the queries of each value of the property.

    Parameters
    ----------
    response_format : ResponseFormat
        Format of the rows of responses.
    query_labels : array-like of shape (n_queries,) or (n_queries, n_outputs)
        True targets of the queries.
    query_properties : array-like of shape (n_queries,) or (n_queries, n_properties)
        Property of the distribution that each query was drawn from.
    numeric : bool
        Whether the property is continuous; more than 16 values are then merged with their
        neighbours.
    """

    def __init__(
        self,
        response_format: ResponseFormat,
        query_labels: Any,
        query_properties: Any,
        numeric: bool,
    ):
        self.response_format = response_format
        self.query_labels = query_labels
        self.query_properties = query_properties
        self.numeric = numeric

    def fit(self, X, y=None):
        """Group the queries by property; nothing is learned from X."""
        properties = np.asarray(self.query_properties)
        if properties.ndim > 1 and not self.numeric:
            raise InvalidInputError(
                f"`query_properties` must have one value per query, shape ({len(properties)},); "
                f"got shape {properties.shape}."
            )
        self.targets_ = self.response_format.target_values(self.query_labels)
        self.groups_, members = _group_queries(properties, self.numeric)
        counts = np.bincount(members)
        self.weights_ = np.eye(len(counts))[members] / counts  # (n_queries, n_groups)
        return self

    def transform(self, X):
        """Return the mean losses ``(n_models, n_groups)``, groups as in ``groups_``."""
        row_bytes = 32 * max(2, self.response_format.n_outputs) * self.response_format.n_queries
        return map_rows(self._group_losses, X, row_bytes)

    def _group_losses(self, X: np.ndarray) -> np.ndarray:
        return self.response_format.losses(X, self.targets_) @ self.weights_


def _group_queries(properties: np.ndarray, numeric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the property value of each group and the group index of each query."""
    values, members = np.unique(properties, axis=0, return_inverse=True)
    if not numeric or len(values) <= MAX_GROUPS:
        return values, members
    if properties.ndim > 1:
        clusters = KMeans(MAX_GROUPS, n_init=1, random_state=0).fit(properties.astype(float))
        return clusters.cluster_centers_, clusters.labels_
    ranks = properties.argsort(kind="stable").argsort(kind="stable")
    members = ranks * MAX_GROUPS // len(properties)
    means = np.bincount(members, properties) / np.bincount(members)
    return means, members


class LossTestClassifier(ClassifierMixin, BaseEstimator):
    r"""The loss test: the class on whose samples the model's loss is least.

    With :math:`S_b` the queries drawn under property b, :math:`\hat b = \arg\min_b L(M, S_b)`; for
    two classes and label responses this is the test of Suri and Evans (2022). The shadow models
    affect ``predict_proba`` only, a logistic fit to the losses whose most probable class may
    differ from ``predict`` if the samples of one class are easier than those of another.
    """

    def __init__(self, losses: GroupLosses):
        self.losses = losses

    def fit(self, X, y):
        """Calibrate the probabilities on models ``X`` with classes ``y``."""
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.losses_ = self.losses.fit(X)
        groups = self.losses_.groups_.tolist()
        missing = [value for value in self.classes_.tolist() if value not in groups]
        if missing:
            raise InvalidInputError(
                f"`query_properties` must contain every class of y; got no query of {missing[0]!r}."
            )
        self.order_ = [groups.index(value) for value in self.classes_.tolist()]
        self.calibration_ = calibrate(self._scores(X), labels)
        return self

    def predict(self, X):
        """Return the class of least loss, ``(n_models,)``."""
        return self.classes_[self._scores(X).argmax(axis=1)]

    def predict_proba(self, X):
        """Return calibrated probabilities, ``(n_models, n_classes)``."""
        return self.calibration_(self._scores(X))

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return -self.losses_.transform(X)[:, self.order_]


class LossTestRegressor(RegressorMixin, BaseEstimator):
    """The loss test for continuous properties: the value on whose samples the loss is least.

    Queries of more than 16 values are grouped with their neighbours; the prediction is the mean
    value of a group.
    """

    def __init__(self, losses: GroupLosses):
        self.losses = losses

    def fit(self, X, y):
        """Group the queries; nothing is learned from the models."""
        self.losses_ = self.losses.fit(X)
        self.shape_ = np.shape(y)[1:]
        if self.losses_.groups_[0].size != int(np.prod(self.shape_)):
            raise InvalidInputError(
                "`query_properties` must have as many columns as y has properties; got shape "
                f"{np.shape(self.losses.query_properties)} for y of shape {np.shape(y)}."
            )
        return self

    def predict(self, X):
        """Return the value of the group of least loss, in the shape of y."""
        least = self.losses_.transform(X).argmin(axis=1)
        return self.losses_.groups_[least].astype(float).reshape(len(X), *self.shape_)
