"""Audits, inference games and sources: how much the models of a learner leak, with intervals."""

from ._adversary import Adversary
from ._audit import audit
from ._audit_model import audit_model
from .evaluation._compare_audits import compare_audits
from .evaluation._confidence_intervals import Estimate
from .evaluation._n_leaked import n_leaked
from .game._inference_game import InferenceGame
from .game._named_games import (
    environment_membership_inference,
    property_inference,
    proportion_regression,
    ratio_inference,
    record_membership_inference,
)
from .reports._audit_report import AuditReport
from .reports._game_report import GameReport
from .reports._model_report import ModelAuditReport
from .reports._sources_report import SourcesReport
from .search._leakage_scorer import LeakageScorer, leakage_scorer
from .search._pareto import knee
from .shadows._shadow_models import ShadowModels, train_shadows
from .sources._leakage_sources import leakage_sources
from .trained_models._recorded_responses import RecordedResponses

__all__ = [
    "Adversary",
    "AuditReport",
    "Estimate",
    "GameReport",
    "InferenceGame",
    "LeakageScorer",
    "ModelAuditReport",
    "RecordedResponses",
    "ShadowModels",
    "SourcesReport",
    "audit",
    "audit_model",
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
