"""``AuditReport``: the metrics of an audit, in words, plots and files."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..._files import write_text
from ..._plotting import axes_or_new, draw_estimates, draw_roc
from ...exceptions import InvalidInputError
from ..evaluation._attack_runs import AttackRun
from ..evaluation._roc import roc_points
from ..evaluation._tables import COLUMNS, attack_table, chance_of, headline
from ..evaluation._thresholds import check_threshold_names, check_thresholds
from ..evaluation._verdict import RULE
from ._audit_text import AuditText, check_names, threshold_text
from ._base import Report
from ._consistency import check_guesses
from ._field_codecs import (
    ARRAY,
    ARRAYS,
    CLASSES,
    NUMBERS,
    SETTINGS,
    TEXTS,
    frame,
    number,
    optional,
    text,
)
from ._guess_plots import GuessPlots
from ._html import (
    BulletList,
    DataTable,
    Lead,
    Paragraph,
    Plot,
    Section,
    render_page,
)
from ._reproduction import CODE_SETTINGS, audit_code, provenance
from ._sections import MITIGATIONS, guess_sections, knowledge_section, reproduction_section
from ._serialization import FileFormat
from ._sources_report import SourcesReport

METRICS = {"attack": text, "metric": text} | dict.fromkeys(COLUMNS[2:], number)
UTILITY = {
    "metric": text, "value": number, "ci_low": number, "ci_high": number, "test_set": text,
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class AuditReport(GuessPlots, Report):
    """Result of an audit: how well each attack guesses, with 95% intervals.

    Parameters
    ----------
    table : DataFrame
        One row per attack and metric: ``attack``, ``metric``, ``value``, the 95% interval
        ``ci_low`` to ``ci_high``, ``advantage`` (0 is guessing without the model, 1 is perfect)
        and ``n_leaked``, the least number of rows of the training distribution that reveal as
        much, where the property is one of two proportions. Metrics of a class are "accuracy" and,
        for attacks with probabilities, "auc", the area under the ROC curve; with two classes also
        "tpr_at_1%_fpr", the true-positive rate at a false-positive rate of 1%, which needs about
        740 balanced targets, and "tpr_at_0.1%_fpr", which needs about 7400. The metric of a
        continuous target is "mean_absolute_error", numbered if there are several.
    utility : DataFrame
        Metrics of the target models themselves, with columns ``metric``, ``value``, ``ci_low`` and
        ``ci_high``, and ``test_set`` if test sets have names. Empty by default.
    chance : dict from metric to float
        The value that the best guess without access to the model reaches.
    skipped : dict from attack to str
        Attacks that were skipped, with the reason.
    settings : dict
        The settings of the audit.
    truth : ndarray of shape (n_targets,) or (n_targets, n_properties), or None
        The property of each target: a class by its index in ``classes``, or a number. None if
        unknown; then curves and confusions are not available.
    guesses : dict from attack to ndarray of shape (n_repeats, n_targets) or \
            (n_repeats, n_targets, n_properties)
        The guesses of each attack in each of its repeats, coded as ``truth``.
    scores : dict from attack to ndarray of shape (n_repeats, n_targets, n_classes)
        The probabilities behind the guesses, for the attacks that have them.
    classes : tuple or None
        The values of the property if they are classes, otherwise None.
    names : dict from str to str
        Your own names for use in sentences: "property", "group" (whose proportion the property
        is), "learner" and "data". By default, general words are used.
    thresholds : dict from str to float
        The largest values to accept, for "advantage" or metrics such as "auc". None by default.
    provenance : dict from str to str
        The date, and the versions of libraries; by default those of now.

    Attributes
    ----------
    verdict : str
        "leaks", "bounded" or "not shown".
    passed : bool or None
        Whether every threshold is kept.

    See Also
    --------
    wsl.audit : Runs an audit and returns its report.
    GameReport : The result of an inference game, in units of a loss.
    SourcesReport : Where the advantage of an attack comes from.
    wsl.risk.compare_audits : Differences between audits, with intervals.

    Notes
    -----
    Intervals of ``table`` hold the values that other target models and other shadow models would
    give; those of ``utility`` concern target models only.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import pandas as pd
    >>> from wsl.risk import AuditReport
    >>> row = ("queries", "accuracy", 0.9, 0.85, 0.94, 0.8, 2.17)
    >>> report = AuditReport(pd.DataFrame([row], columns=list(AuditReport.COLUMNS)),
    ...                      chance={"accuracy": 0.5}, classes=(0.2, 0.5))
    >>> report
    AuditReport
     attack   metric  value  ci_low  ci_high  advantage  n_leaked
    queries accuracy  0.900   0.850    0.940      0.800     2.170
    chance: accuracy 0.500
    >>> report.verdict
    'leaks'
    >>> named = replace(report, names={"group": "women"}, thresholds={"advantage": 0.2})
    >>> print(named.explain()[0])
    The models leak whether 20% or 50% of the training rows are women: attack 'queries' guesses
    it for 90.0% of models, where the best guess without access to the model is correct for 50.0%.
    >>> named.passed
    False
    """

    COLUMNS: ClassVar[tuple[str, ...]] = COLUMNS
    _title: ClassVar[str] = "Distribution inference audit"
    _format: ClassVar[FileFormat] = FileFormat(
        "wsl-audit-report",
        3,
        {
            "table": frame(METRICS),
            "utility": frame(UTILITY, "test_set"),
            "chance": NUMBERS,
            "skipped": TEXTS,
            "settings": SETTINGS,
            "truth": optional(ARRAY),
            "guesses": ARRAYS,
            "scores": ARRAYS,
            "classes": optional(CLASSES),
            "names": TEXTS,
            "thresholds": NUMBERS,
            "provenance": TEXTS,
        },
    )

    table: pd.DataFrame
    utility: pd.DataFrame = field(default_factory=pd.DataFrame)
    chance: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    truth: np.ndarray | None = field(default_factory=NoneType)
    guesses: dict[str, np.ndarray] = field(default_factory=dict)
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    classes: tuple | None = field(default_factory=NoneType)
    names: dict[str, str] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=provenance)

    def __post_init__(self) -> None:
        check_names(self.names)
        check_threshold_names(self.thresholds)

    @classmethod
    def from_guesses(
        cls,
        truth: np.ndarray,
        guesses: Mapping[str, np.ndarray],
        scores: Mapping[str, np.ndarray] | None = None,
        *,
        classes: tuple,
    ) -> "AuditReport":
        """Return the report of attacks that were run elsewhere, with metrics and intervals.

        Parameters
        ----------
        truth : ndarray of int of shape (n_targets,)
            The class of each target, by its index in ``classes``.
        guesses : dict from attack to ndarray of int of shape (n_repeats, n_targets)
            The guesses of each attack, trained once per repeat on a random half of the shadow
            models.
        scores : dict from attack to ndarray of shape (n_repeats, n_targets, n_classes), optional
            The probabilities behind the guesses, for the attacks that have them.
        classes : tuple
            The values of the property.

        Returns
        -------
        AuditReport
            The report; its settings hold the number of targets alone.

        Raises
        ------
        InvalidInputError
            If shapes differ, or guesses are no indices of ``classes``.

        Examples
        --------
        >>> import numpy as np
        >>> from wsl.risk import AuditReport
        >>> truth = np.arange(40) % 2
        >>> guesses = np.where(np.arange(40) < 4, 1 - truth, truth)[None]
        >>> AuditReport.from_guesses(truth, {"own attack": guesses}, classes=(0.2, 0.5))
        AuditReport
            attack   metric  value  ci_low  ci_high  advantage  n_leaked
        own attack accuracy  0.900   0.763    0.962      0.800       NaN
        chance: accuracy 0.500
        """
        own_guesses, own_scores = dict(guesses), dict(scores or {})
        try:
            check_guesses(truth, {"guesses": own_guesses, "scores": own_scores}, classes)
        except ValueError as error:
            raise InvalidInputError(f"{error}.") from error
        runs = {name: AttackRun(own, own_scores.get(name)) for name, own in guesses.items()}
        table = attack_table(runs, truth, classes, is_proportion=False)
        chances = chance_of(classes, truth)
        return cls(
            table=table,
            chance={m: value for m, value in chances.items() if m in set(table["metric"])},
            settings={"n_targets": len(truth)},
            truth=truth,
            guesses=own_guesses,
            scores=own_scores,
            classes=classes,
        )

    @property
    def verdict(self) -> str:
        """The verdict by a rule on intervals: "leaks", "bounded" or "not shown"."""
        return self._text().verdict.outcome

    @property
    def passed(self) -> bool | None:
        """Whether every threshold is kept; None without thresholds."""
        return bool(self.check_thresholds()["passed"].all()) if self.thresholds else None

    def check_thresholds(self) -> pd.DataFrame:
        """Return whether each attack keeps each threshold.

        Returns
        -------
        DataFrame
            One row per threshold and attack: ``threshold`` (its metric), ``largest`` (its value),
            ``attack``, ``metric``, ``value``, ``ci_high`` and ``passed``: whether the interval
            ends at or below the threshold. A value below it is not enough.
        """
        return check_thresholds(self.thresholds, self.table, self.chance)

    def explain(self) -> list[str]:
        """Return the findings in plain words: the verdict, then each attack.

        Returns
        -------
        list of str
            Sentences.

        See Also
        --------
        to_html : The same with plots, settings and assumptions.
        """
        words = self._text()
        texts = [words.finding(), *words.attacks()]
        texts += [f"Attack '{name}' skipped: {why}." for name, why in self.skipped.items()]
        texts += [FITTED] if self.settings.get("learner_was_fitted") else []
        return texts + [
            threshold_text(check) for check in self.check_thresholds().to_dict("records")
        ]

    def plot(self, ax: Any = None) -> Any:
        """Plot the main metric of each attack with its interval, and what guessing reaches.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        matplotlib Axes
            The Axes with the plot.

        See Also
        --------
        wsl.displays.LeakageDisplay : Several audits side by side.
        """
        table = headline(self.table)
        axes = axes_or_new(ax, 6.0, 1.4 + 0.4 * len(table))
        return draw_estimates(table, self.chance, axes)

    def roc(self, attack: str) -> pd.DataFrame:
        """Return the ROC curve of an attack, averaged over its repeats.

        With more than two classes, it is the average of each class against the rest.

        Parameters
        ----------
        attack : str
            An attack that has probabilities.

        Returns
        -------
        DataFrame
            Columns ``fpr`` and ``tpr``, both rising.

        Raises
        ------
        InvalidInputError
            If the report holds no probabilities of that attack.

        See Also
        --------
        wsl.displays.AttackRocDisplay : Plots the curves of all attacks.
        """
        return roc_points(self._part("scores", attack), self._known_truth())

    def to_html(self, path: str | os.PathLike, *, sources: SourcesReport | None = None) -> Path:
        """Write the report as one HTML page that needs no other file.

        Parameters
        ----------
        path : path-like
            The file; missing folders are created.
        sources : SourcesReport, optional
            The result of :func:`wsl.risk.leakage_sources`; the page then also says where the leak
            comes from.

        Returns
        -------
        Path
            The file.
        """
        sections = self._sections(sources)
        return write_text(path, render_page(self._title, sections))

    def _check(self) -> None:
        missing = sorted(set(self.table["metric"]) - self.chance.keys()) if len(self.table) else []
        if missing:
            raise ValueError(f"`chance` must have the metrics of the table; got no {missing}")
        arrays = {"guesses": self.guesses, "scores": self.scores}
        check_guesses(self.truth, arrays, self.classes)
        super()._check()

    def _text(self) -> AuditText:
        n_targets = None if self.truth is None else len(self.truth)
        return AuditText(self.table, self.chance, self.classes, n_targets, self.names)

    def _sections(self, sources: SourcesReport | None = None) -> Sequence[Section]:
        finding, *further = self.explain()
        return [
            Section(None, [Lead(finding), BulletList(further), *self._charts()]),
            Section("All metrics", [DataTable(self.table), Paragraph(NOTE), Paragraph(RULE)]),
            *self._details(),
            *([] if sources is None else [sources.section("Sources of the leak")]),
            knowledge_section(self.settings),
            Section("Utility of the target models", [DataTable(self.utility)]),
            Section("What reduces a leak", [BulletList(MITIGATIONS)]),
            reproduction_section(self.provenance, self.settings, self._code()),
        ]

    def _charts(self) -> list[Plot]:
        """Return one plot per question: how well attacks guess, how well they rank."""
        tables = [headline(self.table), self.table[self.table["metric"] == "auc"]]
        alts = ["How well each attack guesses", "How well each attack ranks models"]
        return [
            Plot(
                partial(draw_estimates, table, self.chance), f"{alt}, with its interval",
                height=0.9 + 0.35 * len(table),
            )
            for table, alt in zip(tables, alts, strict=True)
            if len(table)
        ]  # fmt: skip

    def _code(self) -> str | None:
        """Return code that runs the audit again; None if the settings do not say how."""
        if not self.settings.keys() >= CODE_SETTINGS:
            return None
        attacks = dict.fromkeys([*self.table["attack"], *self.skipped])
        return audit_code(self.settings, list(attacks))

    def _details(self) -> list[Section]:
        """Return the parts of the page that need the guesses."""
        if self.truth is None or not self.guesses:
            return []
        sections = []
        if "auc" in set(self.table["metric"]):
            curves = {name: self.roc(name) for name in self.scores}
            plot = Plot(partial(draw_roc, curves), "ROC curves of the attacks")
            sections = [Section("True-positive rate at low false-positive rates", [plot])]
        return sections + guess_sections(self.guesses, self.truth, self.classes)

    def __repr__(self) -> str:
        lines = ["AuditReport"]
        for table in (self.table, self.utility):
            if len(table):
                lines.append(table.to_string(index=False, float_format="{:.3f}".format))
        if self.chance:
            values = ", ".join(f"{metric} {value:.3f}" for metric, value in self.chance.items())
            lines.append(f"chance: {values}")
        lines += [f"skipped: {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


FITTED = (
    "The learner was fitted already; copies of it were trained. This concerns the training "
    "procedure and not that model, which wsl.audit_model audits."
)
NOTE = (
    "The 95% interval holds the value that other target models and other shadow models would "
    "give. Advantage 0 is the best guess without access to the model, 1 is certainty. auc is the "
    "area under the ROC curve: the probability that a model with the property is ranked above one "
    "without it."
)
