"""Attacks that infer properties of the training distribution from trained models."""

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
