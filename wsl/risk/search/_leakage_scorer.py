"""``leakage_scorer``: utility and leakage of a learner's settings as scores of a search."""

import os
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import clone
from sklearn.metrics import check_scoring

from ..._caller_warnings import warn_caller
from ..._digest import digest_of, identify
from ..._random import draw_seed, resolve_random_state
from ...distributions import DistributionFamily
from ...exceptions import DamagedCacheWarning, InvalidInputError
from .._adversary import Adversary
from .._audit import audit
from .._input_checks import check_adversary, resolve_family
from ..reports._audit_report import AuditReport
from ._pareto import leakage_of

DEFAULT_ADVERSARY = Adversary(n_shadows=64)
SETTING = "setting"  # of which a cached report is the audit, by its digest, in the provenance


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
    """Return a scorer for searches: the utility of a setting, and how much it leaks.

    Parameters
    ----------
    family : DistributionFamily
        Family on which settings are audited, as in :func:`audit`.
    attacks : str, attack estimator, sequence or dict of such, default="queries"
        Attacks, of which the strongest counts.
    adversary : Adversary, optional
        What the adversary knows and may do. By default ``Adversary(n_shadows=64)``, as many
        settings are audited.
    n_targets : int, default=64
        Number of target models per setting.
    n_samples : int, default=1024
        Rows per training set.
    n_repeats : int, default=5
        How often each attack is trained.
    utility : str or callable, optional
        A scikit-learn scoring; by default the learner's own ``score``.
    cache : path-like, optional
        Folder in which the audit of each setting is kept, for other workers and later searches.
    random_state : int, Generator, RandomState or None, default=None
        Seed of all audits, drawn once, so that settings are compared on the same draws.
    audit_params : dict, optional
        Further parameters of :func:`audit`, such as ``{"test_set": (X, y)}``.

    Returns
    -------
    LeakageScorer
        A callable ``scorer(estimator, X, y)`` that returns a dict of scores: ``utility`` of the
        estimator on X and y; ``leakage``, the advantage of the strongest attack (0 is guessing, 1
        is perfect); and the 95% interval of the latter, ``leakage_low`` and ``leakage_high``.

    Raises
    ------
    UnsupportedModuleError
        If the family or the adversary is of a wrong type.
    InvalidInputError
        From the scorer: if no attack is applicable to the learner, or ``cache`` is given and
        family or learner have no digest.

    See Also
    --------
    knee : Select the setting that saves most leakage for its cost in utility.
    audit : The audit that is made of each setting.
    wsl.displays.PrivacyUtilityDisplay : Plot of utility and leakage of all settings.

    Notes
    -----
    Leakage is a property of the setting and not of one fold: fresh models with the same
    hyper-parameters are trained on samples of the family, as :func:`audit` does. It is measured
    once and repeated for every fold, so that its standard deviation over folds is 0 and has no
    meaning; its interval has. A search over several processes measures it once in each, unless
    there is a ``cache``. The trade-off of utility and leakage is that of [1]_.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from wsl import Adversary, EnvironmentMembershipFamily, leakage_scorer
    >>> from wsl.risk import knee
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> X, y, environments = family.sample(1, 400, random_state=0)
    >>> scorer = leakage_scorer(family, adversary=Adversary(n_shadows=16), n_targets=16,
    ...                         n_samples=200, random_state=0)
    >>> search = GridSearchCV(Ridge(), {"alpha": [1.0, 1e4]}, scoring=scorer, refit=knee)
    >>> sorted(search.fit(X, y).best_params_)
    ['alpha']
    """
    family = resolve_family(family, "family")
    seed = random_state
    if not isinstance(random_state, Integral):
        seed = draw_seed(resolve_random_state(random_state))
    settings = {
        "attacks": attacks,
        "adversary": check_adversary(adversary, DEFAULT_ADVERSARY),
        "n_targets": n_targets,
        "n_samples": n_samples,
        "n_repeats": n_repeats,
        "random_state": int(seed),
        "progress": False,  # a search has its own
        **(audit_params or {}),
    }
    return LeakageScorer(family, settings, utility, None if cache is None else Path(cache))


class LeakageScorer:
    """A scorer of utility and leakage, as :func:`leakage_scorer` returns it.

    Parameters
    ----------
    family : DistributionFamily
        Family on which settings are audited.
    settings : dict
        Parameters of :func:`audit`.
    utility : str, callable or None, default=None
        A scikit-learn scoring; None is the learner's own ``score``.
    cache : Path or None, default=None
        Folder in which audits are kept.

    Attributes
    ----------
    reports : dict of str to AuditReport
        The audits made by this scorer in this process, by a digest of the setting.

    See Also
    --------
    leakage_scorer : Creates the scorer.

    Examples
    --------
    >>> from wsl import EnvironmentMembershipFamily
    >>> from wsl.risk import LeakageScorer
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> LeakageScorer(family, {"attacks": "queries", "random_state": 0}).reports
    {}
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
        """Score a fitted estimator on X and y; audit its setting unless that has been done."""
        leakage = leakage_of(self.report(estimator))
        return {
            "utility": float(check_scoring(estimator, self.utility)(estimator, X, y)),
            "leakage": leakage.value,
            "leakage_low": leakage.low,
            "leakage_high": leakage.high,
        }

    def report(self, estimator: Any) -> AuditReport:
        """Return the audit of an estimator's setting.

        Parameters
        ----------
        estimator : estimator
            Fitted or not: fresh models with its parameters are audited.

        Returns
        -------
        AuditReport
            From memory or the cache if the setting has been audited before.
        """
        learner = clone(estimator)
        key = _memory_key(learner)
        if key not in self.reports:
            self.reports[key] = self._audit_or_load(learner)
        return self.reports[key]

    def _audit_or_load(self, learner: Any) -> AuditReport:
        if self.cache is None:
            return audit(learner, self.family, **self.settings)
        setting = (learner, self.family, sorted(self.settings.items()))
        try:
            key = digest_of({"setting": identify(setting, "setting")})
        except InvalidInputError as error:
            raise _no_digest(error) from error
        path = self.cache / f"{key}.json"
        report = _read_report(path, key) if path.exists() else None
        if report is None:
            report = audit(learner, self.family, **self.settings)
            report = replace(report, provenance=report.provenance | {SETTING: key})
            report.save(path)
        return report

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "reports": {}}  # workers do not need them

    def __repr__(self) -> str:
        return f"leakage_scorer({self.family!r})"


def _read_report(path: Path, key: str) -> AuditReport | None:
    """Return the audit of a setting; None, after a warning, if the file holds none of it."""
    try:
        report = AuditReport.load(path)
        own_key = report.provenance.get(SETTING)
        if own_key != key:
            raise InvalidInputError(f"{path} must hold the audit of setting {key}; got {own_key}.")
    except InvalidInputError as error:
        warn_caller(
            f"{path} cannot be used; its setting is audited again: {error}",
            DamagedCacheWarning,
        )
        return None
    return report


def _memory_key(learner: Any) -> str:
    try:
        return joblib.hash(learner)
    except Exception as error:  # whatever pickle raises for what it cannot write
        raise _no_digest(error) from error


def _no_digest(error: Exception) -> InvalidInputError:
    return InvalidInputError(
        "`estimator` and `family` must be picklable, so that audits of one setting are found "
        f"again: {error}"
    )
