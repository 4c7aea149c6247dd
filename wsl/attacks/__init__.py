"""Attacks: what a trained model gives away about the data that it was trained on."""

from ._attack import DistributionInferenceAttack, DistributionInferenceRegressor
from ._deepsets import DeepSetsClassifier, DeepSetsRegressor
from ._probes import ProbeClassifier, ProbeRegressor
from ._selection import select_queries
from ._strategies import STRATEGIES

__all__ = [
    "STRATEGIES",
    "DeepSetsClassifier",
    "DeepSetsRegressor",
    "DistributionInferenceAttack",
    "DistributionInferenceRegressor",
    "ProbeClassifier",
    "ProbeRegressor",
    "select_queries",
]
