"""``leakage_scorer``: utility and leakage of a learner's settings in one search.

The audit itself is ``_audit``'s; how a setting is chosen is for ``_front``.
"""

import os
from numbers import Integral
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import clone
from sklearn.metrics import check_scoring

from ..._digest import digest_of, identify
from ..._random import draw_seed, resolve_random_state
from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError, UnsupportedModuleError
from .._adversary import Adversary, resolve_adversary
from .._audit import audit
from ..reports._audit_report import AuditReport
from ._pareto import leakage_of


def leakage_scorer(
    family: DistributionFamily,
    *,
    attacks: Any = "queries",
    adversary: Adversary | None = None,
    n_targets: int = 64,
    n_samples: int = 1024,
    n_repeats: int = 5,
    utility: Any = None,
    cache: str | os.PathLike | None = None,
    random_state: Any = None,
    audit_params: dict[str, Any] | None = None,
) -> "LeakageScorer":
    """Return a scorer for searches: how good a setting is, and how much it gives away.

    Parameters
    ----------
    family : DistributionFamily
        What the learner is audited on; see :func:`audit`.
    attacks : str, attack estimator, or sequence of them, default="queries"
        Of several, the strongest counts.
    adversary : Adversary, optional
        What the adversary knows and may do; by default ``Adversary(n_shadows=64)``.
    n_targets : int, default=64
    n_samples : int, default=1024
    n_repeats : int, default=5
    utility : str or callable, optional
        A scikit-learn scoring; by default the learner's own ``score``.
    cache : path, optional
        A folder in which the audit of each setting is kept, for other workers and later searches.
    random_state : int, Generator, RandomState or None
        One seed for all settings, drawn once, so that they are compared on the same draws.
    audit_params : dict, optional
        What else :func:`audit` takes, ``{"test_set": (X, y)}`` say.

    Returns
    -------
    LeakageScorer
        A callable ``scorer(estimator, X, y)`` that returns the scores ``utility``, of the
        estimator on X and y; ``leakage``, the advantage of the strongest attack (0 is guessing, 1
        perfect); and the latter's 95% interval, ``leakage_low`` and ``leakage_high``.

    Raises
    ------
    UnsupportedModuleError
        If ``family`` is no DistributionFamily.
    InvalidInputError
        From the scorer: if no attack can be tried on the learner, or ``cache`` is given and family
        or learner cannot be pickled.

    Notes
    -----
    Leakage is a figure of the setting and not of one fold: fresh models of the same
    hyper-parameters are trained on samples of the family, as :func:`audit` does. It is measured
    once and stands in every fold, so its spread over folds is 0 and says nothing; its interval
    does. A search over several processes measures it once in each, unless there is a ``cache``.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from wsl.distributions import EnvironmentMembershipFamily
    >>> from wsl.risk import Adversary, knee, leakage_scorer
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> X, y, environments = family.sample(1, 400, random_state=0)
    >>> scorer = leakage_scorer(family, adversary=Adversary(n_shadows=16), n_targets=16,
    ...                         n_samples=200, random_state=0)
    >>> search = GridSearchCV(Ridge(), {"alpha": [1.0, 1e4]}, scoring=scorer, refit=knee)
    >>> sorted(search.fit(X, y).best_params_)
    ['alpha']
    """
    if not isinstance(family, DistributionFamily):
        raise UnsupportedModuleError(
            f"family is a {type(family).__name__}; wanted a DistributionFamily"
        )
    seed = random_state
    if not isinstance(random_state, Integral):
        seed = draw_seed(resolve_random_state(random_state))
    arguments = {
        "attacks": attacks,
        "adversary": resolve_adversary(adversary, Adversary(n_shadows=64)),
        "n_targets": n_targets,
        "n_samples": n_samples,
        "n_repeats": n_repeats,
        "random_state": int(seed),
        "progress": False,
        **(audit_params or {}),
    }
    return LeakageScorer(family, arguments, utility, None if cache is None else Path(cache))


class LeakageScorer:
    """A scorer of utility and leakage; :func:`leakage_scorer` makes it.

    Attributes
    ----------
    family : DistributionFamily
    settings : dict
        How settings are audited.
    utility : str, callable or None
    cache : Path or None
    reports : dict of str to AuditReport
        The audits made by this scorer in this process, by a digest of the setting.
    """

    def __init__(
        self,
        family: DistributionFamily,
        settings: dict[str, Any],
        utility: Any = None,
        cache: Path | None = None,
    ):
        self.family = family
        self.settings = settings
        self.utility = utility
        self.cache = cache
        self.reports: dict[str, AuditReport] = {}

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> dict[str, float]:
        """Score a fitted estimator on X and y, and audit its setting, if that is not done yet."""
        leakage = leakage_of(self.report(estimator))
        return {
            "utility": float(check_scoring(estimator, self.utility)(estimator, X, y)),
            "leakage": leakage.value,
            "leakage_low": leakage.low,
            "leakage_high": leakage.high,
        }

    def report(self, estimator: Any) -> AuditReport:
        """Return the audit of an estimator's setting; fitted or not makes no difference."""
        learner = clone(estimator)
        key = _digest(learner)
        if key not in self.reports:
            self.reports[key] = self._find(learner)
        return self.reports[key]

    def _find(self, learner: Any) -> AuditReport:
        if self.cache is None:
            return audit(learner, self.family, **self.settings)
        setting = (learner, self.family, sorted(self.settings.items()))
        try:
            key = digest_of({"setting": identify(setting, "setting")})
        except InvalidInputError as error:
            raise _not_told_apart(error) from error
        path = self.cache / f"{key}.json"
        if not path.exists():
            audit(learner, self.family, **self.settings).save(path)
        return AuditReport.load(path)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "reports": {}}  # a worker needs none of them

    def __repr__(self) -> str:
        return f"leakage_scorer({self.family!r})"


def _digest(value: Any) -> str:
    try:
        return joblib.hash(value)
    except Exception as error:  # whatever pickle says of what it cannot write
        raise _not_told_apart(error) from error


def _not_told_apart(error: Exception) -> InvalidInputError:
    return InvalidInputError(
        f"estimator and family must be picklable to be told from others: {error}"
    )
