"""Learners that rely on relations that hold in every environment, and so leak less."""

from ._classifier import CausalMitigatedClassifier
from ._feature_selector import CausalFeatureSelector
from ._rebalanced import RebalancedClassifier, RebalancedRegressor
from ._regressor import CausalMitigatedRegressor
from .penalties import (
    PENALTIES,
    causal_dantzig_penalty,
    coral_penalty,
    fishr_penalty,
    group_dro_penalty,
    irm_penalty,
    irm_unbiased_penalty,
    vrex_penalty,
)

__all__ = [
    "PENALTIES",
    "CausalFeatureSelector",
    "CausalMitigatedClassifier",
    "CausalMitigatedRegressor",
    "RebalancedClassifier",
    "RebalancedRegressor",
    "causal_dantzig_penalty",
    "coral_penalty",
    "fishr_penalty",
    "group_dro_penalty",
    "irm_penalty",
    "irm_unbiased_penalty",
    "vrex_penalty",
]
