"""``compare_audits``: differences between audits, with intervals."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...exceptions import InvalidInputError
from ..reports._audit_report import AuditReport
from ._confidence_intervals import correlation_of, difference_interval
from ._metrics import Contributions, contributions
from ._tables import estimate_of

SAME_TARGETS = ("family", "n_targets", "n_samples", "random_state")
COLUMNS = (
    "attack", "metric", "audit", "value", "reference", "difference", "ci_low", "ci_high", "paired",
)  # fmt: skip


def compare_audits(reports: Mapping[str, AuditReport]) -> pd.DataFrame:
    """Compare audits with the first of them, by attack and metric.

    Parameters
    ----------
    reports : dict from str to AuditReport
        The audits by name; the others are compared with the first. Reports hold the guesses on
        each target, so audits that were run and saved apart can be compared.

    Returns
    -------
    DataFrame
        One row per further audit, attack and metric that both audits have: ``attack``, ``metric``,
        ``audit``, ``value``, ``reference`` (the value of the first audit), ``difference`` with its
        95% interval ``ci_low`` to ``ci_high``, and ``paired``: whether both audits trained their
        targets on the same data, which makes the interval narrower.

    Raises
    ------
    InvalidInputError
        If there are fewer than two reports, or one that does not hold its guesses.

    See Also
    --------
    wsl.audit : Runs an audit.
    wsl.displays.LeakageDisplay : Plots audits side by side.

    Notes
    -----
    The interval of a difference is recovered from those of the two metrics [1]_; if audits are
    paired, with the correlation over targets and repeats. Targets are the same if family, number
    of rows and of targets, and seed are.

    References
    ----------
    .. [1] Zou and Donner, "Construction of confidence limits about effect measures: a general
       approach", Statistics in Medicine 2008.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> from wsl.distributions import EnvironmentMembershipFamily
    >>> from wsl.risk import Adversary, audit, compare_audits
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> reports = {
    ...     name: audit(learner, family, attacks="queries", n_targets=8, n_repeats=2,
    ...                 adversary=Adversary(n_shadows=16), n_samples=64, random_state=0,
    ...                 progress=False)
    ...     for name, learner in (("plain", LinearRegression()), ("shrunken", Ridge(1e6)))
    ... }
    >>> compare_audits(reports)[["metric", "audit", "paired"]]
         metric     audit  paired
    0  accuracy  shrunken    True
    1       auc  shrunken    True
    """
    if len(reports) < 2:
        raise InvalidInputError(f"`reports` must hold at least two reports; got {list(reports)}.")
    parts = {name: _contributions_of(report, name) for name, report in reports.items()}
    first, *others = reports
    rows = []
    for key, reference in parts[first].items():
        for name in others:
            if key in parts[name]:
                paired = _is_paired(reports[name], reports[first])
                rows.append((*key, name, *_difference(parts[name][key], reference, paired)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _contributions_of(report: AuditReport, name: str) -> dict[tuple[str, str], Contributions]:
    """Return the contributions to each metric of a report, by attack and metric."""
    if report.truth is None:
        raise InvalidInputError(
            f"`reports[{name!r}]` must hold the guesses of its attacks and their truth; pass a "
            "report that audit returned."
        )
    is_class = report.classes is not None
    return {
        (attack, metric): values
        for attack, guesses in report.guesses.items()
        for metric, values in contributions(
            guesses, report.scores.get(attack), report.truth, is_class
        ).items()
    }


def _is_paired(one: AuditReport, other: AuditReport) -> bool:
    """Return True if two audits are known to have trained their targets on the same data."""
    same = all(one.settings.get(name) == other.settings.get(name) for name in SAME_TARGETS)
    seeded = other.settings.get("random_state") is not None
    return same and seeded and np.array_equal(np.asarray(one.truth), np.asarray(other.truth))


def _difference(values: Contributions, reference: Contributions, paired: bool) -> tuple:
    one, other = estimate_of(values), estimate_of(reference)
    correlation = 0.0
    if paired and values.values.shape == reference.values.shape:
        correlation = correlation_of(values.values, reference.values)
    difference = difference_interval(one, other, correlation)
    return one.value, other.value, difference.value, difference.low, difference.high, paired
