"""How closely rebuilt and generated models match their originals: functions of plain arrays.

Outputs are ``(n_models, n_queries, n_outputs)``, as ``Architecture.forward`` returns them, and rows
``(n_models, n_weights)``. Arrays may be read-only memory maps that are larger than memory.
"""

from ._agreement import accuracy, agreement, disagreement, predicted_classes, shuffled_agreement
from ._baselines import averaged_prediction_agreement, best_single_model_agreement
from ._diversity import compression_factor, diversity, nearest_distance, variance_ratio
from ._explained_variance import behavioral_r2, explained_variance, streamed_r2
from ._scorers import get_scorer, get_scorer_names

__all__ = [
    "accuracy",
    "agreement",
    "averaged_prediction_agreement",
    "behavioral_r2",
    "best_single_model_agreement",
    "compression_factor",
    "disagreement",
    "diversity",
    "explained_variance",
    "get_scorer",
    "get_scorer_names",
    "nearest_distance",
    "predicted_classes",
    "shuffled_agreement",
    "streamed_r2",
    "variance_ratio",
]
