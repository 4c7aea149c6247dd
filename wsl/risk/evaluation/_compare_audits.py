"""``compare_audits``: what one learner gives away beside another, with the interval between them.

The figures of one audit are computed in ``_figures``.
"""

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
    """Compare audits with the first of them, attack by attack and figure by figure.

    Parameters
    ----------
    reports : dict from name to AuditReport
        The first is what the others are compared with. Reports keep what was guessed of each
        target, so that audits that were run and saved apart can be compared.

    Returns
    -------
    DataFrame
        A row for each attack and metric that both have, and each further audit: ``attack``,
        ``metric``, ``audit``, ``value``, ``reference`` (that of the first audit), ``difference``
        with its 95% interval ``ci_low`` to ``ci_high``, and ``paired``: whether both audits trained
        their targets on the same data, which makes the interval narrower.

    Raises
    ------
    InvalidInputError
        If there are fewer than two reports, or one that does not hold what was guessed.

    Notes
    -----
    Intervals are recovered from those of the two figures, and of paired ones from their
    correlation over targets and repeats. Targets are the same where family, number of rows and of
    targets, and seed are.

    References
    ----------
    Zou and Donner, "Construction of confidence limits about effect measures: a general approach",
    Statistics in Medicine 2008.

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
        raise InvalidInputError(f"reports holds {list(reports)}; wanted at least two")
    parts = {name: _parts_of(report, name) for name, report in reports.items()}
    first, *others = reports
    rows = [
        (*key, name, *_difference(parts[name][key], own, _paired(reports[name], reports[first])))
        for key, own in parts[first].items()
        for name in others
        if key in parts[name]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _parts_of(report: AuditReport, name: str) -> dict[tuple[str, str], Contributions]:
    """Return the contributions to each figure of a report, by attack and metric."""
    if report.truth is None:
        raise InvalidInputError(
            f"reports[{name!r}] does not hold what was guessed; wanted one that audit returned"
        )
    is_class = report.classes is not None
    return {
        (attack, metric): own
        for attack, guesses in report.guesses.items()
        for metric, own in contributions(
            guesses, report.scores.get(attack), report.truth, is_class
        ).items()
    }


def _paired(one: AuditReport, other: AuditReport) -> bool:
    """Tell whether two audits are known to have trained their targets on the same data."""
    same = all(one.settings.get(name) == other.settings.get(name) for name in SAME_TARGETS)
    seeded = other.settings.get("random_state") is not None
    return same and seeded and np.array_equal(np.asarray(one.truth), np.asarray(other.truth))


def _difference(own: Contributions, reference: Contributions, paired: bool) -> tuple:
    one, other = estimate_of(own), estimate_of(reference)
    correlation = 0.0
    if paired and own.values.shape == reference.values.shape:
        correlation = correlation_of(own.values, reference.values)
    found = difference_interval(one, other, correlation)
    return one.value, other.value, found.value, found.low, found.high, paired
