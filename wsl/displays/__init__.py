"""Plots of results, in scikit-learn's Display convention."""

from ._attack_roc import AttackRocDisplay
from ._latent import LatentDisplay
from ._leakage import LeakageDisplay
from ._privacy_utility import PrivacyUtilityDisplay
from ._reconstruction import ReconstructionDisplay
from ._reliability import ReliabilityDisplay
from ._risk_curve import RiskCurveDisplay
from ._sources import SourcesDisplay
from ._training_history import TrainingHistoryDisplay

__all__ = [
    "AttackRocDisplay",
    "LatentDisplay",
    "LeakageDisplay",
    "PrivacyUtilityDisplay",
    "ReconstructionDisplay",
    "ReliabilityDisplay",
    "RiskCurveDisplay",
    "SourcesDisplay",
    "TrainingHistoryDisplay",
]
