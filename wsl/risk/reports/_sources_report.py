"""``SourcesReport``: the parts of an advantage, in words, plots and files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

from ..._plotting import axes_or_new, draw_sources
from ._base import Report
from ._field_codecs import (
    NUMBERS,
    SETTINGS,
    TEXTS,
    Columns,
    boolean,
    frame,
    number,
    text,
    whole_number,
)
from ._html import BulletList, DataTable, Lead, Paragraph, Plot, Section
from ._reproduction import provenance
from ._sections import reproduction_section
from ._serialization import FileFormat

SOURCES = {
    "conditional": "memorised E[Y|X]",
    "bias": "wrong inductive bias",
    "sample": "finite training data",
}
MITIGATIONS = {
    "conditional": "causal learning: a model of the causes alone, or an invariant one, has less of "
    "E[Y|X] to memorise that differs between the distributions",
    "bias": "a model class that suits the task better, so that the fit does not depend on where "
    "the inputs are",
    "sample": "more training data, or regularisation",
}
ADVANTAGE: Columns = dict.fromkeys(("advantage", "ci_low", "ci_high"), number)
PARTS: Columns = {"source": text, **ADVANTAGE}
COMBINATIONS: Columns = {**dict.fromkeys(SOURCES, boolean), **ADVANTAGE}
GROWTH: Columns = {
    "conditional": boolean, "bias": boolean, "n_samples": whole_number, **ADVANTAGE,
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class SourcesReport(Report):
    """Where an attack's advantage comes from.

    Parameters
    ----------
    table : DataFrame
        One row per ``source``: "conditional" (E[Y|X] is memorised), "bias" (the inductive bias is
        wrong), "sample" (training data are finite), as far as each can be switched off; "rest",
        what remains with all of them off; and "total", the attack's advantage, to which the others
        add up. Columns ``advantage`` and its 95% interval ``ci_low`` to ``ci_high``.
    combinations : DataFrame
        The advantage in each combination of sources: columns "conditional", "bias" and "sample",
        True where the source is at work, and those of ``table``.
    by_n_samples : DataFrame
        The advantage by ``conditional``, ``bias`` and ``n_samples``, from which the limit of
        infinite training data is extrapolated.
    lead : dict
        By how much the largest source exceeds the next: ``value``, ``ci_low``, ``ci_high``. Empty
        with fewer than two sources.
    notes : dict from source to str
        How each source was switched off.
    unavailable : dict from source to str
        Why a source could not be switched off; it is at work throughout.
    settings : dict
        The settings of the analysis.
    provenance : dict from str to str
        The date, and the versions of libraries; by default those of now.

    See Also
    --------
    wsl.risk.leakage_sources : Runs the analysis and returns its report.
    AuditReport : How large the leak is.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.risk import SourcesReport
    >>> rows = [("sample", 0.5, 0.4, 0.6), ("rest", 0.1, 0.0, 0.2), ("total", 0.6, 0.5, 0.7)]
    >>> table = pd.DataFrame(rows, columns=["source", "advantage", "ci_low", "ci_high"])
    >>> report = SourcesReport(table, pd.DataFrame(), pd.DataFrame())
    >>> report.dominant
    'sample'
    >>> report.explain()[0]
    'The models leak the property, most of all through finite training data.'
    """

    _title: ClassVar[str] = "Sources of leakage"
    _format: ClassVar[FileFormat] = FileFormat(
        "wsl-sources-report",
        2,
        {
            "table": frame(PARTS),
            "combinations": frame(COMBINATIONS),
            "by_n_samples": frame(GROWTH),
            "lead": NUMBERS,
            "notes": TEXTS,
            "unavailable": TEXTS,
            "settings": SETTINGS,
            "provenance": TEXTS,
        },
    )

    table: pd.DataFrame
    combinations: pd.DataFrame
    by_n_samples: pd.DataFrame
    lead: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=provenance)

    @property
    def dominant(self) -> str | None:
        """The largest source; None if the interval of the total advantage holds 0."""
        parts = self._parts()
        if self._row("total")["ci_low"] <= 0 or not len(parts) or parts["advantage"].max() <= 0:
            return None
        return str(parts.sort_values("advantage", ascending=False)["source"].iloc[0])

    def explain(self) -> list[str]:
        """Return the findings in plain words: the largest source, the advantages, what helps.

        Returns
        -------
        list of str
            Sentences.

        See Also
        --------
        to_html : The same with plots and settings.
        """
        total = self._row("total")
        texts = [*self._verdict(), f"The attack's advantage over guessing is {_shown(total)}."]
        texts += self._largest()
        for row in self._parts().to_dict("records"):
            if row["ci_high"] < 0:
                texts.append(f"{_title(row['source'])} hides more than it leaks: {_shown(row)}.")
        if self._row("rest")["ci_low"] > 0:
            texts.append(
                f"With all of them switched off, {_shown(self._row('rest'))} remains: from sources "
                "that could not be switched off, or not completely."
            )
        return texts + [
            f"{_title(name)} could not be switched off: {reason}."
            for name, reason in self.unavailable.items()
        ]

    def _verdict(self) -> list[str]:
        """Return the finding in one sentence."""
        if self.dominant is not None:
            return [f"The models leak the property, most of all through {SOURCES[self.dominant]}."]
        if self._row("total")["ci_low"] > 0:
            return ["The models leak the property, but none of the sources adds to the leak."]
        return ["A leak is not shown with this many models, so there is nothing to divide."]

    def _largest(self) -> list[str]:
        """Return what the largest part is, how certain that is, and what reduces it."""
        if self.dominant is None:
            return []
        row = self._row(self.dominant)
        texts = [f"The largest part of it, {_shown(row)}, comes from {SOURCES[self.dominant]}."]
        if self.lead and self.lead["ci_low"] <= 0:
            parts = self._parts().sort_values("advantage", ascending=False)
            texts.append(
                f"It is not certain that this is more than {SOURCES[parts['source'].iloc[1]]}."
            )
        return [*texts, f"Recommended against it: {MITIGATIONS[self.dominant]}."]

    def plot(self, ax: Any = None) -> Any:
        """Plot the part of each source with its interval.

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
        wsl.displays.SourcesDisplay : Several learners side by side.
        """
        return draw_sources(self.table, SOURCES, axes_or_new(ax, 6.0, 3.2))

    def section(self, title: str | None = None) -> Section:
        """Return the findings as a part of a page.

        Parameters
        ----------
        title : str, optional
            The heading of the part; none by default.

        Returns
        -------
        Section
            The part, for a page of another report.
        """
        finding, *further = self.explain()
        return Section(
            title,
            [
                Lead(finding) if title is None else Paragraph(finding),
                BulletList(further),
                Plot(self.plot, "The part of each source, with its interval", height=2.8),
                DataTable(self.table),
                Paragraph(NOTE),
                BulletList([f"{name}: off by {note}." for name, note in self.notes.items()]),
            ],
        )

    def _sections(self) -> Sequence[Section]:
        return [self.section(), reproduction_section(self.provenance, self.settings)]

    def _parts(self) -> pd.DataFrame:
        return self.table[self.table["source"].isin(list(SOURCES))]

    def _row(self, source: str) -> dict[Any, Any]:
        rows = self.table[self.table["source"] == source].to_dict("records")
        if len(rows) != 1:
            raise ValueError(f"its table must have one row of source {source!r}; got {len(rows)}")
        return rows[0]

    def __repr__(self) -> str:
        table = self.table.to_string(index=False, float_format="{:.3f}".format)
        return "\n".join(["SourcesReport", table, *self.explain()])


NOTE = (
    "Each source was switched off, alone and together with the others. Its part is the mean "
    "decrease of the advantage over all orders of switching off. Parts add up to the total."
)


def _title(source: str) -> str:
    title = SOURCES[source]
    return title[0].upper() + title[1:]


def _shown(row: dict[Any, Any]) -> str:
    return f"{row['advantage']:.2f} (95% interval {row['ci_low']:.2f} to {row['ci_high']:.2f})"
