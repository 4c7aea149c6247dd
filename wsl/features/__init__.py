"""Transformers from rows of weights to features that any scikit-learn estimator takes."""

from ._query_responses import QueryResponses
from ._sorted_weights import SortedWeights
from ._weight_statistics import WeightStatistics

__all__ = ["QueryResponses", "SortedWeights", "WeightStatistics"]
