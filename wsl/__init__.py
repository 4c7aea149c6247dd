"""Trained neural networks as data, the scikit-learn way.

Each public name is imported when it is first used, so that ``import wsl`` is fast.
"""

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "Adversary": "risk",
    "Architecture": "architectures",
    "AuditReport": "risk",
    "BehaviorFeatures": "features",
    "CausalFeatureSelector": "causal",
    "CausalMitigatedClassifier": "causal",
    "CausalMitigatedRegressor": "causal",
    "ConditionalShiftFamily": "distributions",
    "DeepSetsClassifier": "attacks",
    "DeepSetsRegressor": "attacks",
    "DistributionFamily": "distributions",
    "DistributionInferenceAttack": "attacks",
    "DistributionInferenceRegressor": "attacks",
    "EnvironmentMembershipFamily": "distributions",
    "GaussianFamily": "distributions",
    "InferenceGame": "risk",
    "ModelAuditReport": "risk",
    "ModelZoo": "zoo",
    "ProbeClassifier": "attacks",
    "ProbeRegressor": "attacks",
    "QueryResponses": "features",
    "RandomNetworkFamily": "distributions",
    "RebalancedClassifier": "causal",
    "RebalancedRegressor": "causal",
    "RecordMembershipFamily": "distributions",
    "RecordedResponses": "risk",
    "SortedWeights": "features",
    "SubsampledFamily": "distributions",
    "WeightSpaceAutoencoder": "autoencoder",
    "WeightStatistics": "features",
    "audit": "risk",
    "audit_model": "risk",
    "compare_audits": "risk",
    "leakage_scorer": "risk",
    "leakage_sources": "risk",
    "read_zoo": "zoo",
    "train_shadows": "risk",
    "train_zoo": "zoo",
    "train_zoos": "zoo",
}
_SUBPACKAGES = {*_PUBLIC.values(), "datasets", "displays", "exceptions", "metrics"}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(f"wsl.{_PUBLIC[name]}"), name)
    if name in _SUBPACKAGES:
        return import_module(f"wsl.{name}")
    raise AttributeError(f"module 'wsl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_SUBPACKAGES})
