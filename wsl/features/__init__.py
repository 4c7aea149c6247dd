"""Transformers from rows of weights to features that any scikit-learn estimator takes."""

from ._responses import QueryResponses
from ._sorted import SortedWeights
from ._statistics import WeightStatistics

__all__ = ["QueryResponses", "SortedWeights", "WeightStatistics"]
