"""The inference game: how much a learner's models give away, with intervals."""

from ._audit import audit
from ._front import knee
from ._leakage import n_leaked
from ._report import AuditReport
from ._scorer import LeakageScorer, leakage_scorer

__all__ = ["AuditReport", "LeakageScorer", "audit", "knee", "leakage_scorer", "n_leaked"]
