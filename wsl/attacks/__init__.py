"""Attacks: what a trained model gives away about the data that it was trained on."""

from ._attack import DistributionInferenceAttack, DistributionInferenceRegressor
from ._strategies import STRATEGIES
from .black_box._query_selection import select_queries
from .meta_networks._deepsets import DeepSetsClassifier, DeepSetsRegressor
from .meta_networks._probes import ProbeClassifier, ProbeRegressor

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
