"""The inference game: how much a learner's models give away, with intervals."""

from ._adversary import ShadowModels, train_shadows
from ._audit import audit
from ._compare import compare_audits
from ._leakage import n_leaked
from ._report import AuditReport

__all__ = ["AuditReport", "ShadowModels", "audit", "compare_audits", "n_leaked", "train_shadows"]
