"""The inference game: how much a learner's models give away, with intervals."""

from ._adversary import ShadowModels, train_shadows
from ._audit import audit
from ._compare import compare_audits
from ._front import knee
from ._game import InferenceGame
from ._game_report import GameReport
from ._leakage import n_leaked
from ._report import AuditReport
from ._scorer import LeakageScorer, leakage_scorer
from ._sources import leakage_sources
from ._sources_report import SourcesReport
from ._special_cases import (
    environment_membership_inference,
    property_inference,
    proportion_regression,
    ratio_inference,
    record_membership_inference,
)

__all__ = [
    "AuditReport",
    "GameReport",
    "InferenceGame",
    "LeakageScorer",
    "ShadowModels",
    "SourcesReport",
    "audit",
    "compare_audits",
    "environment_membership_inference",
    "knee",
    "leakage_scorer",
    "leakage_sources",
    "n_leaked",
    "property_inference",
    "proportion_regression",
    "ratio_inference",
    "record_membership_inference",
    "train_shadows",
]
