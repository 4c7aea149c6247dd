"""Learners that rely on what holds in every environment, and so give away less of their mixture."""

from ._estimators import CausalMitigatedClassifier, CausalMitigatedRegressor
from ._feature_selector import CausalFeatureSelector
from .penalties import PENALTIES
from .penalties._coral import causal_dantzig_penalty, coral_penalty, fishr_penalty
from .penalties._irm import irm_penalty, irm_unbiased_penalty
from .penalties._vrex import group_dro_penalty, vrex_penalty

__all__ = [
    "PENALTIES",
    "CausalFeatureSelector",
    "CausalMitigatedClassifier",
    "CausalMitigatedRegressor",
    "causal_dantzig_penalty",
    "coral_penalty",
    "fishr_penalty",
    "group_dro_penalty",
    "irm_penalty",
    "irm_unbiased_penalty",
    "vrex_penalty",
]
