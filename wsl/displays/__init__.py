"""Pictures of results, in scikit-learn's Display convention."""

from ._history import TrainingHistoryDisplay
from ._latent import LatentDisplay
from ._leakage import LeakageDisplay
from ._reconstruction import ReconstructionDisplay

__all__ = ["LatentDisplay", "LeakageDisplay", "ReconstructionDisplay", "TrainingHistoryDisplay"]
