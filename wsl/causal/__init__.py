"""Learners that rely on what holds in every environment, and so give away less of their mixture."""

from ._estimators import CausalMitigatedClassifier, CausalMitigatedRegressor
from ._penalties import PENALTIES, irm_penalty
from ._selector import CausalFeatureSelector

__all__ = [
    "PENALTIES",
    "CausalFeatureSelector",
    "CausalMitigatedClassifier",
    "CausalMitigatedRegressor",
    "irm_penalty",
]
