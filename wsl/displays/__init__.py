"""Pictures of results, in scikit-learn's Display convention."""

from ._leakage import LeakageDisplay
from ._reconstruction import ReconstructionDisplay

__all__ = ["LeakageDisplay", "ReconstructionDisplay"]
