"""The inference game: how much a learner's models give away, with intervals."""

from ._adversary import ShadowModels, train_shadows
from ._audit import audit
from ._compare import compare_audits
from ._front import knee
from ._leakage import n_leaked
from ._report import AuditReport
from ._scorer import LeakageScorer, leakage_scorer

__all__ = [
    "AuditReport",
    "LeakageScorer",
    "ShadowModels",
    "audit",
    "compare_audits",
    "knee",
    "leakage_scorer",
    "n_leaked",
    "train_shadows",
]
