"""How well rebuilt and generated models stand for their originals: functions of plain arrays.

Nothing here but the scorers runs a model: outputs are ``(n_models, n_queries, n_outputs)``, as
``Architecture.forward`` gives them, and rows ``(n_models, n_weights)``. Arrays may be read-only
memory maps larger than memory; they are read in batches of bounded bytes.
"""

from ._agreement import accuracy, agreement, disagreement, predicted_classes, shuffled_agreement
from ._baselines import averaged_prediction_agreement, best_single_model_agreement
from ._diversity import compression_factor, diversity, nearest_distance, spread_ratio
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
    "spread_ratio",
    "streamed_r2",
]
