"""Learners that rely on what holds in every environment, and so give away less of their mixture."""

from ._estimators import CausalMitigatedClassifier, CausalMitigatedRegressor
from ._irm import irm_penalty, irm_unbiased_penalty
from ._moments import causal_dantzig_penalty, coral_penalty, fishr_penalty
from ._penalties import PENALTIES
from ._risks import group_dro_penalty, vrex_penalty
from ._selector import CausalFeatureSelector

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
