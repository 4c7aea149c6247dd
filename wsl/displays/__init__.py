"""Pictures of results, in scikit-learn's Display convention."""

from ._history import TrainingHistoryDisplay
from ._latent import LatentDisplay
from ._leakage import LeakageDisplay
from ._privacy_utility import PrivacyUtilityDisplay
from ._reconstruction import ReconstructionDisplay
from ._roc import AttackRocDisplay

__all__ = [
    "AttackRocDisplay",
    "LatentDisplay",
    "LeakageDisplay",
    "PrivacyUtilityDisplay",
    "ReconstructionDisplay",
    "TrainingHistoryDisplay",
]
