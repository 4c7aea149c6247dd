"""Learners that rely on what holds in every environment, and so give away less of their mixture."""

from ._estimators import CausalMitigatedClassifier, CausalMitigatedRegressor
from ._penalties import PENALTIES, irm_penalty

__all__ = ["PENALTIES", "CausalMitigatedClassifier", "CausalMitigatedRegressor", "irm_penalty"]
