"""Attacks: what a trained model gives away about the data that it was trained on."""

from ._attack import DistributionInferenceAttack, DistributionInferenceRegressor
from ._deepsets import DeepSetsClassifier, DeepSetsRegressor

__all__ = [
    "DeepSetsClassifier",
    "DeepSetsRegressor",
    "DistributionInferenceAttack",
    "DistributionInferenceRegressor",
]
