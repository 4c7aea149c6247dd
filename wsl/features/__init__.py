"""Transformers from rows of weights to features for any scikit-learn estimator."""

from ._behavior import BehaviorFeatures
from ._query_responses import QueryResponses
from ._sorted_weights import SortedWeights
from ._weight_statistics import WeightStatistics

__all__ = ["BehaviorFeatures", "QueryResponses", "SortedWeights", "WeightStatistics"]
